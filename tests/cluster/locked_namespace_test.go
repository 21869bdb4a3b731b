package cluster

import (
	"strings"
	"testing"

	"fluxgate.dev/tests/cluster/lab"
)

// lockedNamespace is a namespace under Flux whose declared fields are locked by a Fluxgate of its own, and one beside it that the
// same Fluxgate is asked about and no policy matches.
type lockedNamespace struct {
	*ownGuard
	staging  string
	manifest string // in Git
	revision string
}

// lockOf is the lock of these tests; `more` are further lines of it, and further documents.
func lockOf(namespace, more string) map[string]string {
	rules := `  - name: only-git
    lock:
      writers: [flux, kubernetes, aks]
      scope: fields
      additions: {allow: ['.metadata.annotations["team.example.com/*"]', ".spec.replicas"]}
` + more
	files := onePolicy(namespace, rules)
	files["policy.yaml"] = strings.Replace(files["policy.yaml"], "spec:\n", "spec:\n  guidance: \""+guidance+"\"\n", 1)
	return files
}

// startLock makes both namespaces, registers and starts the guard (`flags` are further ones of `serve`), and lets Flux fill the locked
// one from Git.
func startLock(t *testing.T, namespace string, policies map[string]string, flags ...string) *lockedNamespace {
	t.Helper()
	must(t, guard.Alive()) // the first guard is asked too
	makeNamespace(t, namespace)
	makeNamespace(t, namespace+"-staging")
	own := prepareOwnGuard(t, namespace, namespace, policies)
	own.Flags = flags
	must(t, cluster.RegisterLockFor(own.Guard, namespace))
	t.Cleanup(func() { unregister(t, "validatingwebhookconfiguration", own.Name) })
	must(t, own.Start())

	manifest, err := cluster.App("locked.yaml")
	must(t, err)
	locked := &lockedNamespace{
		ownGuard: own, staging: namespace + "-staging", manifest: strings.ReplaceAll(manifest, "NAMESPACE", namespace)}
	notLeftInGit(t, locked.file())
	locked.delivers(t, "the locked shop", locked.manifest)
	return locked
}

func (locked *lockedNamespace) file() string { return locked.namespace + ".yaml" }

// delivers waits until Flux has applied what Git says now.
func (locked *lockedNamespace) delivers(t *testing.T, message, manifest string) {
	t.Helper()
	locked.revision = inGit(t, message, cluster.Git.Write(locked.file(), manifest))
	fluxApplies(t, locked.revision)
}

// pod of the Deployment web.
func (locked *lockedNamespace) pod(t *testing.T) string {
	t.Helper()
	exist(t, 1, locked.path("pods?labelSelector=app%3Dweb"))
	found, err := cluster.Admin.List(locked.path("pods?labelSelector=app%3Dweb"))
	must(t, err)
	return found[0].Text("metadata", "name")
}

// somebodyWithCertificate is a person whom RBAC allows everything.
func somebodyWithCertificate(t *testing.T, name string, groups ...string) *lab.Person {
	t.Helper()
	person, err := cluster.Person(name, append([]string{"devs"}, groups...)...)
	must(t, err)
	return person
}

// lookAlike carries the name of kustomize-controller in a certificate; RBAC takes it for the account.
func lookAlike(t *testing.T) *lab.Person {
	t.Helper()
	person, err := cluster.Person(fluxUser, "system:serviceaccounts", "system:serviceaccounts:flux-system")
	must(t, err)
	return person
}

func thief(t *testing.T) *lab.Person {
	t.Helper()
	person, err := cluster.WithToken("thief", minted)
	must(t, err)
	return person
}
