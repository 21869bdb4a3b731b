package cluster

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"fluxgate.dev/tests/cluster/lab"
)

const limitsRule = "  - name: limits\n    resources: {limits: [memory]}\n"

// generation is a set that names itself in each denial.
func generation(number int) map[string]string {
	set := onePolicy("reloaded", limitsRule)
	set["policy.yaml"] = strings.Replace(set["policy.yaml"], "spec:\n", fmt.Sprintf("spec:\n  guidance: generation %d.\n", number), 1)
	return set
}

// podWith makes a dry run of a Pod, with a memory limit or without, and returns what the API server says.
func podWith(namespace string, limit bool) error {
	container := lab.Object{"name": "main", "image": "shop/main:1"}
	if limit {
		container["resources"] = lab.Object{"limits": lab.Object{"memory": "64Mi"}}
	}
	_, err := cluster.Admin.Create("/api/v1/namespaces/"+namespace+"/pods?dryRun=All", lab.Object{
		"apiVersion": "v1", "kind": "Pod", "metadata": lab.Object{"name": "probe"},
		"spec": lab.Object{"containers": []lab.Object{container}}})
	return err
}

// traffic asks for reviews all the time, with several callers, until it is stopped. Each checks what it is told.
type traffic struct {
	stopping chan struct{}
	callers  sync.WaitGroup
	mutex    sync.Mutex
	reviews  int
	failures []string
}

var generationInDenial = regexp.MustCompile(`generation (\d+)\.`)

func startTraffic(namespace string) *traffic {
	const callers = 4
	flow := &traffic{stopping: make(chan struct{})}
	for range callers {
		flow.callers.Go(func() {
			last := 0
			for {
				select {
				case <-flow.stopping:
					return
				default:
				}
				if err := podWith(namespace, true); err != nil {
					flow.fail("a Pod with a limit was refused: " + err.Error())
				}
				err := podWith(namespace, false)
				if err == nil {
					flow.fail("a Pod without a limit was let through")
					continue
				}
				named := generationInDenial.FindStringSubmatch(err.Error())
				if named == nil || !strings.Contains(err.Error(), "Fluxgate denied CREATE pods") {
					flow.fail("a Pod without a limit was refused by somebody else: " + err.Error())
					continue
				}
				number, _ := strconv.Atoi(named[1])
				if number < last {
					flow.fail(fmt.Sprintf("a set came back: generation %d after %d", number, last))
				}
				last = number
				flow.mutex.Lock()
				flow.reviews += 2
				flow.mutex.Unlock()
			}
		})
	}
	return flow
}

func (flow *traffic) fail(what string) {
	flow.mutex.Lock()
	defer flow.mutex.Unlock()
	flow.failures = append(flow.failures, what)
}

func (flow *traffic) soFar() int {
	flow.mutex.Lock()
	defer flow.mutex.Unlock()
	return flow.reviews
}

// goesOn waits for a number of further reviews.
func (flow *traffic) goesOn(t *testing.T) {
	t.Helper()
	const enough = 20
	before := flow.soFar()
	eventually(t, func() error {
		if more := flow.soFar() - before; more < enough {
			return fmt.Errorf("only %d reviews more", more)
		}
		return nil
	})
}

func (flow *traffic) stop(t *testing.T) {
	t.Helper()
	close(flow.stopping)
	flow.callers.Wait()
	for index, failure := range flow.failures {
		if index == 5 {
			t.Errorf("and %d more", len(flow.failures)-index)
			break
		}
		t.Error(failure)
	}
	t.Logf("%d reviews, %d of them wrong", flow.reviews, len(flow.failures))
}

func TestPoliciesAreReplacedWhileReviewsFlow(t *testing.T) {
	own := startOwnGuard(t, "reloaded", generation(1))
	flow := startTraffic("reloaded")
	const generations = 5
	t.Run("each new set takes over, and no call fails", func(t *testing.T) {
		for number := 2; number <= generations; number++ {
			own.enforce(t, generation(number))
			flow.goesOn(t)
			if err := podWith("reloaded", false); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("generation %d.", number)) {
				t.Errorf("generation %d is not in force: %v", number, err)
			}
		}
	})
	good, err := own.PolicySet()
	must(t, err)
	t.Run("one that does not compile changes nothing: ready, and /readyz says where the mistake is", func(t *testing.T) {
		bad := generation(generations + 1)
		bad["policy.yaml"] = strings.Replace(bad["policy.yaml"], "limits: [memory]", "limit: [memory]", 1)
		must(t, own.folder.Replace(bad))
		eventually(t, func() error {
			status, text, err := own.Readyz()
			if err != nil {
				return err
			}
			if status != http.StatusOK {
				return lab.Permanent(fmt.Errorf("not ready: %d\n%s", status, text))
			}
			for _, wanted := range []string{good, "[+]policy-folder last good set kept: ", "policy.yaml:11:17: "} {
				if !strings.Contains(text, wanted) {
					return fmt.Errorf("no %q in\n%s", wanted, text)
				}
			}
			return nil
		})
		flow.goesOn(t)
		if err := podWith("reloaded", false); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("generation %d.", generations)) {
			t.Errorf("the last good set is not in force: %v", err)
		}
	})
	t.Run("the next good one, in files of other names, is in force", func(t *testing.T) {
		renamed := generation(generations + 2)
		set := map[string]string{"another.yaml": renamed["policy.yaml"], "more.yml": strings.Replace(onePolicy("nowhere", limitsRule)["policy.yaml"], "name: nowhere", "name: more", 1)}
		own.enforce(t, set)
		flow.goesOn(t)
	})
	flow.stop(t)
	t.Run("the server counted and recorded what happened to its folder", func(t *testing.T) {
		for series, wanted := range map[string]float64{
			`fluxgate_policy_reloads_total{result="loaded"}`:  generations,
			`fluxgate_policy_reloads_total{result="refused"}`: 1,
		} {
			found, err := own.Metric(series)
			must(t, err)
			if found != wanted {
				t.Errorf("%s is %v, not %v", series, found, wanted)
			}
		}
		eventually(t, func() error {
			records, err := own.Records()
			if err != nil {
				return err
			}
			events := map[string]int{}
			for _, record := range records {
				events[record.Text("event")]++
			}
			// The set of the start may be told as well.
			loaded := events["policy-set-loaded"]
			if loaded < generations || loaded > generations+1 || events["policy-set-refused"] != 1 {
				return fmt.Errorf("events by kind: %v", events)
			}
			return nil
		})
	})
}

func TestAnExceptionEndsByItself(t *testing.T) {
	own := startOwnGuard(t, "excused", onePolicy("excused", limitsRule))
	if err := podWith("excused", false); err == nil {
		t.Fatal("the policy is not in force")
	}
	ends := time.Now().Add(5 * time.Second).Truncate(time.Second)
	set := onePolicy("excused", limitsRule)
	set["exception.yaml"] = fmt.Sprintf(`apiVersion: fluxgate.dev/v1alpha1
kind: GuardException
metadata:
  name: for-now
spec:
  policies:
  - {name: excused, rules: [limits]}
  match: {namespaces: [excused], names: ["*"]}
  reason: a test
  ticket: OPS-1
  expiresAt: %s
`, ends.UTC().Format(time.RFC3339))
	own.enforce(t, set)
	digest, err := own.PolicySet()
	must(t, err)

	allowed(t, own.applies(alice, oldPod))
	if !time.Now().Before(ends) {
		t.Fatal("this machine is too slow: the exception has ended before it was used")
	}
	records, err := own.Records() // it is there before the answer
	must(t, err)
	if !slices.ContainsFunc(records, func(record lab.Object) bool { return fmt.Sprint(record["exceptions"]) == "[for-now]" }) {
		t.Errorf("no record names the exception: %v", records)
	}
	excused := 0
	eventually(t, func() error {
		began := time.Now()
		err := podWith("excused", false)
		answered := time.Now()
		switch {
		case err == nil && !began.Before(ends):
			return lab.Permanent(fmt.Errorf("excused %s after the end", began.Sub(ends)))
		case err != nil && !strings.Contains(err.Error(), "Fluxgate denied CREATE pods"):
			return lab.Permanent(err)
		case err != nil && answered.Before(ends):
			return lab.Permanent(fmt.Errorf("refused %s before the end: %w", ends.Sub(answered), err))
		case err == nil:
			excused++
			return errors.New("still excused")
		}
		return nil
	})
	if excused == 0 {
		t.Error("the exception had no effect")
	}
	if now, err := own.PolicySet(); err != nil || now != digest {
		t.Errorf("the set in force is another one: %s, was %s (%v)", now, digest, err)
	}
	found := refused(t, own.applies(alice, strings.Replace(oldPod, "name: old", "name: late", 1)))
	found.names(t, "- excused/limits ")
	// What it let through stays, and is kept like any old violation.
	allowed(t, own.as(alice, "label", "pod", "old", "touched=yes"))
}
