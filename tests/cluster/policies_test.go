package cluster

import (
	"fmt"
	"strings"
	"testing"
)

const storedPolicies = "/api/v1/namespaces/fluxgate-system/configmaps/policies"

// policiesInGit is the ConfigMap as it lies in Git. The file in it has the line that is given at line 8.
func policiesInGit(line string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: ConfigMap
metadata:
  name: policies
  namespace: fluxgate-system
  labels:
    fluxgate.dev/policies: "true"
data:
  limits.yaml: |
    apiVersion: fluxgate.dev/v1alpha1
    kind: GuardPolicy
    metadata:
      name: limits
    spec:
      rules:
      - name: limits
        %s
`, line)
}

func TestPoliciesComeFromGit(t *testing.T) {
	must(t, guard.Alive())
	makeNamespace(t, "fluxgate-system")
	own := prepareOwnGuard(t, "policies", "fluxgate-system", onePolicy("nowhere", "  - name: limits\n    resources: {limits: [memory]}\n"))
	must(t, own.Start())

	const good = "resources: {limits: [memory]}"
	const better = "resources: {limits: [memory], requests: [cpu]}"
	const bad = "resources: {limit: [memory]}"
	const where = "limits.yaml:8:17: " // the ConfigMap's file, not the manifest

	must(t, cluster.Register("policies-webhook.yaml", own.Address, own.CA, func() error {
		outcome := alice.KubectlWith(strings.Replace(policiesInGit(bad), "name: policies", "name: is-the-guard-there", 1), "create", "--dry-run=server", "-f", "-")
		if !outcome.Failed || !strings.Contains(outcome.Errors, "Fluxgate denied") {
			return fmt.Errorf("the API server does not call the webhook yet: %s", outcome)
		}
		return nil
	}, "${NAME}", own.Name))
	t.Cleanup(func() { unregister(t, "validatingwebhookconfiguration", own.Name) })

	notLeftInGit(t, "policies.yaml")

	stored := func(t *testing.T, line string) {
		t.Helper()
		found, err := cluster.Admin.Get(storedPolicies)
		must(t, err)
		if text := found.Text("data", "limits.yaml"); !strings.Contains(text, line) {
			t.Errorf("stored is not %q but\n%s", line, text)
		}
	}

	t.Run("a set that compiles is applied", func(t *testing.T) {
		fluxApplies(t, inGit(t, "policies", cluster.Git.Write("policies.yaml", policiesInGit(good))))
		stored(t, good)
	})
	t.Run("one that does not makes the Kustomization not ready: the message has file, line and column", func(t *testing.T) {
		revision := inGit(t, "a mistake", cluster.Git.Write("policies.yaml", policiesInGit(bad)))
		message, err := cluster.Flux.Refused(revision, "Fluxgate denied")
		must(t, err)
		found := denialIn(t, message)
		found.startsWith(t, "Fluxgate denied UPDATE configmaps fluxgate-system/policies by "+fluxUser)
		found.names(t, `- fluxgate/policies .data["limits.yaml"]: have `+where)
		found.has(t, "Correct the policy files in Git; the set in force stays as it is.")
		stored(t, good)
	})
	t.Run("a dry run by a person, as before a merge, is told the same", func(t *testing.T) {
		for _, arguments := range [][]string{
			{"apply", "--dry-run=server", "-f", "-"},
			{"apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-"},
			{"diff", "-f", "-"},
		} {
			outcome := alice.KubectlWith(policiesInGit(bad), arguments...)
			if !outcome.Failed {
				t.Errorf("nobody refused this:\n%s", outcome)
				continue
			}
			found := denialIn(t, outcome.Errors)
			found.startsWith(t, "Fluxgate denied UPDATE configmaps fluxgate-system/policies by alice@example.com")
			found.names(t, `- fluxgate/policies .data["limits.yaml"]: have `+where)
			if found.record != "" {
				t.Errorf("a dry run left a record:\n%s", found.text)
			}
		}
		allowed(t, alice.KubectlWith(policiesInGit(better), "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-"))
		stored(t, good)
	})
	t.Run("taking the label away with it is no way around", func(t *testing.T) {
		found := refused(t, alice.Kubectl("-n", "fluxgate-system", "patch", "configmap", "policies", "--type=merge",
			"--patch", `{"metadata":{"labels":{"fluxgate.dev/policies":null}},"data":{"limits.yaml":"no policy"}}`))
		own.recordOf(t, found)
		stored(t, good)
	})
	t.Run("other ConfigMaps of the namespace are nobody's business", func(t *testing.T) {
		allowed(t, alice.Kubectl("-n", "fluxgate-system", "create", "configmap", "limits", "--from-literal=limits.yaml=no policy"))
	})
	t.Run("the correction in Git is applied", func(t *testing.T) {
		fluxApplies(t, inGit(t, "corrected", cluster.Git.Write("policies.yaml", policiesInGit(better))))
		stored(t, better)
	})
	t.Run("without Fluxgate the namespace is open: Flux must be able to bring it back", func(t *testing.T) {
		must(t, own.Stop())
		fluxApplies(t, inGit(t, "a mistake while it is away", cluster.Git.Write("policies.yaml", policiesInGit(bad))))
		stored(t, bad)
		must(t, own.Start())
	})
	t.Run("a mistake that came in so is named with the next reconciliation, though nothing changes", func(t *testing.T) {
		revision := inGit(t, "nothing new")
		message, err := cluster.Flux.Refused(revision, "Fluxgate denied")
		must(t, err)
		denialIn(t, message).names(t, `- fluxgate/policies .data["limits.yaml"]: have `+where)
	})
	t.Run("and can be deleted through its finalizers: that is an update by the garbage collector", func(t *testing.T) {
		allowed(t, alice.Kubectl("-n", "fluxgate-system", "delete", "configmap", "policies", "--cascade=foreground", "--wait=false"))
		gone(t, storedPolicies)
	})
	t.Run("the correction is applied, and what Flux prunes goes", func(t *testing.T) {
		fluxApplies(t, inGit(t, "corrected again", cluster.Git.Write("policies.yaml", policiesInGit(good))))
		stored(t, good)
		fluxApplies(t, inGit(t, "no policies", removed("policies.yaml")))
		gone(t, storedPolicies)
	})
}
