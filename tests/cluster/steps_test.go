package cluster

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fluxgate.dev/tests/cluster/lab"
)

const (
	deployments = "/apis/apps/v1/namespaces/production/deployments"
	pods        = "/api/v1/namespaces/production/pods"

	cronPatience = 75 * time.Second // a CronJob starts with a minute
)

// inGit publishes what `change` does to the repository and returns the revision.
func inGit(t *testing.T, message string, change ...error) string {
	t.Helper()
	for _, err := range change {
		must(t, err)
	}
	revision, err := cluster.Git.Push(message)
	must(t, err)
	return revision
}

// file puts a file of apps/ into the repository's working tree.
func file(name string) error {
	content, err := cluster.App(name)
	if err != nil {
		return err
	}
	return cluster.Git.Write(name, content)
}

func edited(name, old, new string) error { return cluster.Git.Replace(name, old, new) }
func removed(names ...string) error      { return cluster.Git.Remove(names...) }

// notLeftInGit takes files out of the repository when the test ends early, so that the next finds a Kustomization that works.
func notLeftInGit(t *testing.T, names ...string) {
	t.Cleanup(func() {
		left := false
		for _, name := range names {
			left = cluster.Git.Remove(name) == nil || left
		}
		if left {
			_ = cluster.Flux.Applied(inGit(t, "what a test left"))
		}
	})
}

func fluxApplies(t *testing.T, revision string) {
	t.Helper()
	must(t, cluster.Flux.Applied(revision))
}

// denial is our message, taken apart.
type denial struct {
	first      string // "Fluxgate denied ... (record ...)", also of one that repeats another
	record     string // of this denial, or of the one that it repeats; "" when a dry-run was denied: those leave no record
	violations []string
	more       int      // violations that did not fit into the message
	rest       []string // owner and guidance
	text       string
}

var (
	recordInMessage = regexp.MustCompile(`\(record ([0-9a-f-]{36})\)`)
	moreInMessage   = regexp.MustCompile(`^\+(\d+) more`)
)

// refused fails the test unless kubectl reports that Fluxgate denied it.
func refused(t *testing.T, outcome lab.Outcome) denial {
	t.Helper()
	if !outcome.Failed {
		t.Fatalf("nobody refused this:\n%s", outcome)
	}
	found := denialIn(t, outcome.Errors)
	if found.record == "" {
		t.Fatalf("the denial names no record:\n%s", found.text)
	}
	return found
}

func denialIn(t *testing.T, message string) denial {
	t.Helper()
	at := strings.Index(message, "Fluxgate denied ")
	if at < 0 {
		t.Fatalf("this is no denial by Fluxgate:\n%s", message)
	}
	found := denial{text: message[at:]}
	lines := strings.Split(strings.TrimSpace(found.text), "\n")
	found.first = strings.Replace(lines[0], "(repeated and counted, record ", "(record ", 1)
	if id := recordInMessage.FindStringSubmatch(found.first); id != nil {
		found.record = id[1]
	}
	for _, line := range lines[1:] {
		if strings.HasPrefix(line, "- ") {
			found.violations = append(found.violations, line)
		} else if more := moreInMessage.FindStringSubmatch(line); more != nil {
			found.more, _ = strconv.Atoi(more[1])
		} else {
			found.rest = append(found.rest, line)
		}
	}
	return found
}

func (found denial) startsWith(t *testing.T, want string) {
	t.Helper()
	if !strings.HasPrefix(found.first, want) {
		t.Errorf("the denial begins\n  %s\nnot\n  %s", found.first, want)
	}
}

// names checks that one violation begins so.
func (found denial) names(t *testing.T, violation string) {
	t.Helper()
	if !slices.ContainsFunc(found.violations, func(line string) bool { return strings.HasPrefix(line, violation) }) {
		t.Errorf("no violation begins %q in:\n%s", violation, found.text)
	}
}

func (found denial) saysNothingOf(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(found.text, text) {
		t.Errorf("the denial should not mention %q:\n%s", text, found.text)
	}
}

func (found denial) has(t *testing.T, line string) {
	t.Helper()
	if !slices.Contains(found.rest, line) {
		t.Errorf("the denial lacks the line %q:\n%s", line, found.text)
	}
}

// allowed fails the test unless kubectl succeeded.
func allowed(t *testing.T, outcome lab.Outcome) {
	t.Helper()
	if outcome.Failed {
		t.Fatalf("refused:\n%s", outcome)
	}
}

// unreachable fails the test unless the API server refused because it could not ask Fluxgate.
func unreachable(t *testing.T, outcome lab.Outcome) {
	t.Helper()
	if !outcome.Failed || !strings.Contains(outcome.Errors, "failed calling webhook") {
		t.Fatalf("the API server did not fail closed:\n%s", outcome)
	}
}

// recordOf returns the record that a denial names.
func recordOf(t *testing.T, found denial) lab.Object {
	t.Helper()
	records, err := guard.Records()
	must(t, err)
	for _, record := range records {
		if record.Text("id") == found.record {
			return record
		}
	}
	t.Fatalf("the log holds %d records and none with id %s", len(records), found.record)
	return nil
}

// image of Deployment production/web.
func image(t *testing.T) string {
	t.Helper()
	web, err := cluster.Admin.Get(deployments + "/web")
	must(t, err)
	containers, _ := web.At("spec", "template", "spec", "containers").([]any)
	if len(containers) != 1 {
		t.Fatalf("web has %d containers", len(containers))
	}
	return lab.Object(containers[0].(map[string]any)).Text("image")
}

// aPod of Deployment production/web.
func aPod(t *testing.T) string {
	t.Helper()
	return aPodWith(t, "app=web")
}

// aPodWith a label, in production.
func aPodWith(t *testing.T, label string) string {
	t.Helper()
	path := pods + "?labelSelector=" + url.QueryEscape(label)
	exist(t, 1, path)
	found, err := cluster.Admin.List(path)
	must(t, err)
	return found[0].Text("metadata", "name")
}

// eventually waits for the cluster to come to a state.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	must(t, lab.Eventually(30*time.Second, check))
}

// exists waits until a list holds as many objects as wanted, or more.
func exist(t *testing.T, least int, path string) {
	t.Helper()
	eventually(t, func() error {
		found, err := cluster.Admin.List(path)
		if err == nil && len(found) < least {
			err = fmt.Errorf("%d objects at %s, not %d", len(found), path, least)
		}
		return err
	})
}

// gone waits until there is no object at a path.
func gone(t *testing.T, path string) {
	t.Helper()
	eventually(t, func() error {
		_, err := cluster.Admin.Get(path)
		if err == nil {
			return fmt.Errorf("%s still exists", path)
		}
		if lab.NotFound(err) {
			return nil
		}
		return err
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
