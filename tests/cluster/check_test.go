package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The starter policies match prod-*, so that their tests need no change; a namespace of its own keeps out of the shop's way.
const beforeMerge = "prod-before-merge"

// predicted is what `fluxgate check -o json` says of one object.
type predicted struct {
	Object struct {
		Kind, Namespace, Name string
	}
	Allowed    bool
	Violations []struct{ Policy, Rule, Path, Level string }
	Message    string
}

// check runs the binary under test on one manifest, as Flux would write it in a dry run.
func check(t *testing.T, policies, manifest string) predicted {
	t.Helper()
	command := exec.Command(os.Getenv("FLUXGATE"), "check", "--policies", policies, "--dry-run", "--without-presence", "-o", "json", "-")
	command.Stdin = strings.NewReader(manifest)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	output, err := command.Output()
	var ended *exec.ExitError
	if err != nil && !(errors.As(err, &ended) && ended.ExitCode() == 1) {
		t.Fatalf("fluxgate check: %v\n%s%s", err, output, complaint.String())
	}
	var report struct{ Results []predicted }
	must(t, json.Unmarshal(output, &report))
	if len(report.Results) != 1 {
		t.Fatalf("one manifest, but %d results:\n%s", len(report.Results), output)
	}
	return report.Results[0]
}

// starterPolicies reads deploy/policies as a folder to mount.
func starterPolicies(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../../deploy/policies/*.yaml")
	must(t, err)
	files := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		must(t, err)
		files[filepath.Base(path)] = string(text)
	}
	return files
}

// What check says of a manifest before the merge is what the API server hears from the webhook when Flux applies it: after its
// defaulting, with its own idea of resources and namespaces, and in the same words.
func TestCheckSaysWhatTheClusterWillSay(t *testing.T) {
	own := startOwnGuard(t, beforeMerge, starterPolicies(t))
	flux := cluster.Flux.Controller
	denied, allowedCount := 0, 0
	for _, name := range []string{"broken.yaml", "apps/production.yaml", "../../../deploy/examples/flux-repository/rendered/session-cache.yaml"} {
		text, err := os.ReadFile(filepath.Join("../pipelines/rendered", name))
		must(t, err)
		for _, manifest := range strings.Split(string(text), "\n---\n") {
			manifest = strings.NewReplacer("namespace: production", "namespace: "+beforeMerge, `namespace: "production"`, "namespace: "+beforeMerge).Replace(manifest)
			if strings.Contains(manifest, "\nkind: Namespace\n") || !strings.Contains(manifest, "\nkind: ") {
				continue // the guard of one namespace is not asked about Namespaces
			}
			before := check(t, own.folder.Path, manifest)
			t.Run(before.Object.Kind+" "+before.Object.Name+" of "+filepath.Base(name), func(t *testing.T) {
				outcome := flux.KubectlWith(manifest, "create", "--dry-run=server", "--validate=false", "-f", "-")
				if before.Allowed {
					allowedCount++
					allowed(t, outcome)
					return
				}
				denied++
				found := denialIn(t, outcome.Errors)
				if !strings.Contains(found.text, before.Message) {
					t.Errorf("check said\n%s\n\nthe cluster says\n%s", before.Message, found.text)
				}
			})
		}
	}
	if denied < 5 || allowedCount < 20 {
		t.Errorf("%d denied and %d allowed: the manifests should have more of both", denied, allowedCount)
	}
}
