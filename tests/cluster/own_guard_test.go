package cluster

import (
	"errors"
	"fmt"
	"testing"

	"fluxgate.dev/tests/cluster/lab"
)

// ownGuard is a Fluxgate beside the one that guards the shop, for one namespace, with policies that a test may replace. A test
// that has one depends on no other test.
type ownGuard struct {
	*lab.Guard
	namespace string
	folder    *lab.PolicyFolder
}

// startOwnGuard makes the namespace, registers the guard for it (fail-closed) and starts it. Name and namespace are the same.
func startOwnGuard(t *testing.T, namespace string, policies map[string]string) *ownGuard {
	t.Helper()
	must(t, guard.Alive()) // the first guard is asked too
	makeNamespace(t, namespace)
	own := prepareOwnGuard(t, namespace, namespace, policies)
	must(t, cluster.RegisterGuardFor(own.Guard, namespace))
	t.Cleanup(func() { unregister(t, "validatingwebhookconfiguration", own.Name) })
	must(t, own.Start())
	return own
}

// prepareOwnGuard is for those who register it themselves. It is not running yet, and is stopped when the test ends.
func prepareOwnGuard(t *testing.T, name, namespace string, policies map[string]string) *ownGuard {
	t.Helper()
	folder, err := cluster.NewPolicyFolder(name, policies)
	must(t, err)
	made, err := cluster.NewGuardWith(name, folder.Path)
	must(t, err)
	t.Cleanup(func() {
		if err := made.Stop(); err != nil {
			t.Errorf("%s ended with: %v", name, err)
		}
	})
	return &ownGuard{Guard: made, namespace: namespace, folder: folder}
}

func makeNamespace(t *testing.T, name string, labels ...string) {
	t.Helper()
	allowed(t, cluster.Operator.Kubectl("create", "namespace", name))
	t.Cleanup(func() { cluster.Operator.Kubectl("delete", "namespace", name, "--wait=false") })
	if len(labels) > 0 {
		allowed(t, cluster.Operator.Kubectl(append([]string{"label", "namespace", name}, labels...)...))
	}
	eventually(t, func() error {
		_, err := cluster.Admin.Get("/api/v1/namespaces/" + name + "/serviceaccounts/default")
		return err
	})
}

func unregister(t *testing.T, kind, name string) {
	t.Helper()
	allowed(t, cluster.Operator.Kubectl("delete", kind, name))
}

// path of a list or an object in the guard's namespace.
func (own *ownGuard) path(rest string) string {
	if len(rest) >= 5 && rest[:5] == "apps/" {
		return "/apis/apps/v1/namespaces/" + own.namespace + "/" + rest[5:]
	}
	return "/api/v1/namespaces/" + own.namespace + "/" + rest
}

// as runs kubectl in the guard's namespace.
func (own *ownGuard) as(person *lab.Person, arguments ...string) lab.Outcome {
	return person.Kubectl(append([]string{"-n", own.namespace}, arguments...)...)
}

func (own *ownGuard) applies(person *lab.Person, manifest string, flags ...string) lab.Outcome {
	return person.KubectlWith(manifest, append([]string{"-n", own.namespace, "create", "-f", "-"}, flags...)...)
}

// enforce replaces the policies and waits until the running server says that others are in force.
func (own *ownGuard) enforce(t *testing.T, policies map[string]string) {
	t.Helper()
	before, err := own.PolicySet()
	if before == "" {
		t.Fatal(err)
	}
	must(t, own.folder.Replace(policies))
	eventually(t, func() error {
		now, err := own.PolicySet()
		if err == nil && now == before {
			err = errors.New("the policy set before is still in force: " + now)
		}
		return err
	})
}

// recordOf returns the record that a denial names.
func (own *ownGuard) recordOf(t *testing.T, found denial) lab.Object {
	t.Helper()
	records, err := own.Records()
	must(t, err)
	for _, record := range records {
		if record.Text("id") == found.record {
			return record
		}
	}
	t.Fatalf("the log of %s holds %d records and none with id %s", own.Name, len(records), found.record)
	return nil
}

// onePolicy is a folder with a single GuardPolicy for a namespace; `rules` are the items of its list, indented by two spaces.
func onePolicy(namespace, rules string) map[string]string {
	return map[string]string{"policy.yaml": fmt.Sprintf(`apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata:
  name: %[1]s
spec:
  match:
    namespaces: [%[1]s]
  rules:
%[2]s`, namespace, rules)}
}
