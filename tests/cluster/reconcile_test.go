package cluster

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"fluxgate.dev/tests/cluster/lab"
)

// countedWrites makes writes in a namespace and remembers what must be said of each.
type countedWrites struct {
	own     *ownGuard
	number  int
	expects map[string]string // "create counted-17" → "bypassed"; absent: nothing
	denied  int
}

// make makes writes to ConfigMaps by Flux, and every tenth by a person: each is one of create, update, patch and delete in turn, on an
// object of its own for the first three. `expect` is the finding that each must lead to; "" where Fluxgate is asked.
func (writes *countedWrites) make(t *testing.T, count int, expect string) {
	t.Helper()
	const perObject = 4
	for ; count > 0; count-- {
		object, step := fmt.Sprintf("counted-%d", writes.number/perObject), writes.number%perObject
		writes.number++
		path := writes.own.path("configmaps")
		content := lab.Object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": lab.Object{"name": object},
			"data": lab.Object{"step": fmt.Sprint(writes.number)}}
		verb := []string{"create", "update", "patch", "delete"}[step]
		write := func(who *lab.Client) error {
			switch verb {
			case "create":
				_, err := who.Create(path, content)
				return err
			case "update":
				return who.Do(http.MethodPut, path+"/"+object, lab.JSON, content, nil)
			case "patch":
				return who.Patch(path+"/"+object, lab.Object{"data": lab.Object{"patched": "yes"}})
			default:
				return who.Delete(path + "/" + object)
			}
		}
		if expect != "" {
			writes.expects[verb+" "+object] = expect
		}
		// A person who is refused leaves the object as it is for what comes after.
		if person := writes.number%10 == 0; person && expect == "" {
			err := write(alice.Client)
			var refusal *lab.RefusedError
			if !errors.As(err, &refusal) || !strings.Contains(refusal.Message, "Fluxgate denied") {
				t.Fatalf("%s %s by a person is not refused by Fluxgate: %v", verb, object, err)
			}
			writes.denied++
			writes.number += (perObject - writes.number%perObject) % perObject // this object's story is over
			if verb != "create" {
				must(t, cluster.Admin.Do(http.MethodGet, path+"/"+object, "", nil, nil))
			}
		} else if person {
			must(t, write(alice.Client))
		} else {
			must(t, write(helmController.Client))
		}
	}
}

// asked waits until the API server asks Fluxgate, or does not: a dry run, which stores nothing, of a Pod that a rule denies in dry runs too.
func (writes *countedWrites) asked(t *testing.T, wanted bool) {
	t.Helper()
	eventually(t, func() error {
		err := podWith(writes.own.namespace, false)
		asked := err != nil && strings.Contains(err.Error(), "Fluxgate denied")
		if err != nil && !asked {
			return err
		}
		if asked != wanted {
			return fmt.Errorf("does the API server ask Fluxgate? %t, expected %t", asked, wanted)
		}
		return nil
	})
}

func TestReconcileNamesExactlyWhatFluxgateDidNotSee(t *testing.T) {
	const namespace = "counted"
	makeNamespace(t, namespace)
	own := prepareOwnGuard(t, namespace, namespace, onePolicy(namespace, limitsRule+`  - name: only-git
    lock:
      writers: [flux, kubernetes]
`))
	writes := &countedWrites{own: own, expects: map[string]string{}}
	register := func() {
		t.Helper()
		must(t, cluster.Register("ignore-webhook.yaml", own.Address, own.CA, func() error { return nil }, "${NAME}", own.Name, "${NAMESPACE}", namespace))
		writes.asked(t, true)
	}
	must(t, own.Start())
	register()
	registered := true
	t.Cleanup(func() {
		if registered {
			unregister(t, "validatingwebhookconfiguration", own.Name)
		}
	})
	begin := time.Now().UTC().Format(time.RFC3339Nano) // what made the namespace came before

	writes.make(t, 600, "")
	unregister(t, "validatingwebhookconfiguration", own.Name)
	registered = false
	writes.asked(t, false)
	writes.make(t, 40, "bypassed")
	register()
	registered = true
	writes.make(t, 250, "")
	must(t, own.Stop())
	writes.asked(t, false)
	writes.make(t, 10, "failed-open")
	must(t, own.Start())
	writes.asked(t, true)
	writes.make(t, 100, "")

	// The API server writes an event after it has answered.
	var result lab.Object
	eventually(t, func() (err error) {
		var code int
		result, code, err = own.Reconcile(cluster.AuditLog, "--webhook", own.Name+".fluxgate.dev", "--from", begin, "--clock-difference", "1s") // they have one clock
		if err != nil {
			return lab.Permanent(err)
		}
		if code != 1 {
			return fmt.Errorf("exit code %d: %v", code, result)
		}
		if found := result.Number("summary", "writes") - result.Number("summary", "dryRuns"); found < 1000 {
			return fmt.Errorf("%d writes, expected 1000", found)
		}
		return nil
	})
	found := map[string]string{}
	list, _ := result["findings"].([]any)
	for _, item := range list {
		finding := lab.Object(item.(map[string]any))
		for _, key := range []string{"time", "user", "auditID", "where"} {
			if finding.Text(key) == "" {
				t.Errorf("a finding without %s: %v", key, finding)
			}
		}
		found[finding.Text("verb")+" "+finding.Text("name")] = finding.Text("finding")
	}
	if len(list) != len(writes.expects) || !maps.Equal(found, writes.expects) {
		for _, write := range slices.Sorted(maps.Keys(writes.expects)) {
			if found[write] != writes.expects[write] {
				t.Errorf("%s: %q, expected %q", write, found[write], writes.expects[write])
			}
		}
		t.Errorf("%d findings, expected %d: %v", len(list), len(writes.expects), list)
	}
	for count, wanted := range map[string]int{"denied": writes.denied, "judged": 950 - writes.denied} {
		if got := result.Number("summary", count); got != wanted {
			t.Errorf("%s: %d, expected %d", count, got, wanted)
		}
	}
	if compared := result.Number("summary", "recordsCompared"); compared < writes.denied/2 {
		t.Errorf("only %d of at least %d records were asked for in the API server's log", compared, writes.denied)
	}
	t.Logf("%v", result["summary"])
}
