package cluster

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"fluxgate.dev/tests/cluster/lab"
)

// What a lock lets people do all the same: day-2 work by group, break-glass grants, and a while of learning.

func TestLockAllowsDayTwoWork(t *testing.T) {
	const namespace = "locked-daytwo"
	locked := startLock(t, namespace, lockOf(namespace, `      allowances:
      - {subjects: [{kind: Group, name: sre}], actions: [restart, delete-pod, evict, run-cronjob, port-forward]}
`))
	sam := somebodyWithCertificate(t, "sam@example.com", "sre")
	const update = "UPDATE deployments.apps locked-daytwo/web by "
	restart := []string{"rollout", "restart", "deployment/web"}
	safely := append(restart, "--field-manager=flux-client-side-apply")

	t.Run("a restart that Flux would take back is refused, with the command that it would not", func(t *testing.T) {
		found := refused(t, locked.as(sam, restart...))
		found.startsWith(t, "Fluxgate denied "+update+"sam@example.com")
		if command := "kubectl rollout restart deployment/web -n locked-daytwo --field-manager=flux-client-side-apply"; !strings.Contains(found.text, command) {
			t.Errorf("the denial does not say %q:\n%s", command, found.text)
		}
	})
	for _, attempt := range []attempt{
		{name: "a restart by somebody else", arguments: safely, refused: update + "alice@example.com"},
		{name: "another image, by who may restart", as: sam, arguments: []string{"set", "image", "deployment/web", "web=nginx:evil",
			"--field-manager=flux-client-side-apply"},
			refused: update + "sam@example.com"},
		{name: "a shell, by who may not have one", as: sam, arguments: []string{"exec", locked.pod(t), "--", "id"},
			refused: "CONNECT pods/exec locked-daytwo/"},
		{name: "a Pod deleted", as: sam, arguments: []string{"delete", "pod", locked.pod(t), "--wait=false"}},
		{name: "a Deployment deleted", as: sam, arguments: []string{"delete", "deployment", "web", "--wait=false"},
			refused: "DELETE deployments.apps locked-daytwo/web"},
		{name: "a Job of one's own", as: sam, arguments: []string{"create", "job", "mine", "--image=evil:1"},
			refused: "CREATE jobs.batch locked-daytwo/mine"},
	} {
		locked.try(t, attempt)
	}
	t.Run("a restart that Flux does not take back", func(t *testing.T) {
		allowed(t, locked.as(sam, safely...))
		eventually(t, func() error {
			records, err := locked.Records()
			if err != nil {
				return err
			}
			for _, record := range records {
				if record.Text("allowance") == "restart" && record.Text("user", "username") == "sam@example.com" {
					return nil
				}
			}
			return fmt.Errorf("none of %d records is of the restart", len(records))
		})
		locked.delivers(t, "a colour", strings.Replace(locked.manifest, "value: blue", "value: green", 1))
		web, err := cluster.Admin.Get(locked.path("apps/deployments/web"))
		must(t, err)
		if web.Text("spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt") == "" {
			t.Error("Flux has taken it back")
		}
	})
	t.Run("a forwarded port gets past admission", func(t *testing.T) {
		err := sam.Client.Do(http.MethodGet, locked.path("pods/"+locked.pod(t)+"/portforward?ports=8080"), "", nil, nil)
		if err == nil || strings.Contains(err.Error(), "Fluxgate denied") { // no kubelet answers
			t.Errorf("the API server says: %v", err)
		}
	})
	t.Run("an eviction", func(t *testing.T) {
		pod := locked.pod(t)
		_, err := sam.Client.Create(locked.path("pods/"+pod+"/eviction"), lab.Object{
			"apiVersion": "policy/v1", "kind": "Eviction", "metadata": lab.Object{"name": pod, "namespace": namespace}})
		// Its disruption budget may say no, and not we.
		if err != nil && strings.Contains(err.Error(), "Fluxgate denied") {
			t.Error(err)
		}
	})
}

func TestLockLearnsForAWhile(t *testing.T) {
	const namespace = "locked-learning"
	operator, err := cluster.AccountInPod("default", "some-operator")
	must(t, err)
	locked := startLock(t, namespace, lockOf(namespace, ""))
	ends := time.Now().Add(6 * time.Second).Truncate(time.Second)
	locked.enforce(t, lockOf(namespace, "      learnUntil: "+ends.UTC().Format(time.RFC3339)+"\n"))
	create := []string{"create", "configmap", "state", "--from-literal=a=b"}

	t.Run("a service account that nobody knows yet passes, with a warning and a record", func(t *testing.T) {
		outcome := locked.as(operator, create...)
		if !time.Now().Before(ends) {
			t.Fatal("this machine is too slow: learning has ended before it was used")
		}
		allowed(t, outcome)
		if !strings.Contains(outcome.Errors, "is in no writer profile") {
			t.Errorf("kubectl shows no warning:\n%s", outcome)
		}
		records, err := locked.Records() // it is there before the answer
		must(t, err)
		for _, record := range records {
			if record.At("learned") == true && record.Text("user", "username") == "system:serviceaccount:default:some-operator" {
				return
			}
		}
		t.Errorf("none of %d records is of what was learned", len(records))
	})
	locked.try(t, attempt{name: "a person is refused all the same", arguments: []string{"create", "configmap", "mine",
		"--from-literal=a=b"},
		refused: "CREATE configmaps locked-learning/mine"})
	locked.try(t, attempt{name: "and so is a person who impersonates it",
		arguments: append([]string{"--as=system:serviceaccount:default:some-operator"}, "create", "configmap", "mine"),
		refused:   "CREATE configmaps locked-learning/mine"})
	must(t, lab.Eventually(time.Until(ends)+5*time.Second, func() error {
		if time.Now().Before(ends) {
			return errors.New("learning has not ended")
		}
		return nil
	}))
	locked.try(t, attempt{name: "after the end the account is refused", as: operator, arguments: []string{"delete", "configmap", "state"},
		refused: "DELETE configmaps locked-learning/state"})
}

func TestLockOpensByAGrantFromGit(t *testing.T) {
	const namespace = "locked-grant"
	policies := func(ends time.Time) map[string]string {
		files := lockOf(namespace, "      breakGlass: {maxDuration: 1h}\n")
		if !ends.IsZero() {
			files["grant.yaml"] = fmt.Sprintf(`apiVersion: fluxgate.dev/v1alpha1
kind: BreakGlass
metadata: {name: inc-4711}
spec:
  subjects: [{kind: User, name: carol@example.com}]
  match:
    namespaces: [locked-grant]
    names: ["web*"]
    resourceRules: [{apiGroups: [apps], apiVersions: ["*"], resources: ["deployments", "deployments/scale"], operations: [UPDATE]}]
  ticket: INC-4711
  reason: Payments time out.
  requestedBy: carol@example.com
  approvedBy: bob@example.com
  notBefore: %s
  expiresAt: %s
`, time.Now().Add(-time.Minute).UTC().Format(time.RFC3339), ends.UTC().Format(time.RFC3339))
		}
		return files
	}
	locked := startLock(t, namespace, policies(time.Time{}))
	carol := somebodyWithCertificate(t, "carol@example.com")
	scale := func(replicas int) []string {
		return []string{"scale", "deployment/web", fmt.Sprint("--replicas=", replicas)}
	}
	locked.try(t, attempt{name: "before the grant", as: carol, arguments: scale(3),
		refused: "UPDATE deployments.apps/scale locked-grant/web by carol@example.com"})

	ends := time.Now().Add(6 * time.Second).Truncate(time.Second)
	locked.enforce(t, policies(ends))
	t.Run("within the grant: allowed, with a warning and a record", func(t *testing.T) {
		outcome := locked.as(carol, scale(3)...)
		if !time.Now().Before(ends) {
			t.Fatal("this machine is too slow: the grant has ended before it was used")
		}
		allowed(t, outcome)
		if !strings.Contains(outcome.Errors, "inc-4711") {
			t.Errorf("kubectl shows no warning:\n%s", outcome)
		}
		records, err := locked.Records() // it is there before the answer
		must(t, err)
		for _, record := range records {
			if grants, _ := record.At("grants").([]any); len(grants) == 1 && lab.Object(grants[0].(map[string]any)).Text("name") == "inc-4711" {
				return
			}
		}
		t.Errorf("none of %d records names the grant", len(records))
	})
	locked.try(t,
		attempt{name: "somebody else", arguments: scale(4), refused: "UPDATE deployments.apps/scale locked-grant/web by alice@example.com"})
	locked.try(t, attempt{name: "another object", as: carol, arguments: []string{"delete", "configmap", "settings"},
		refused: "DELETE configmaps locked-grant/settings", hint: "Break-glass inc-4711 does not cover DELETE configmaps settings."})
	must(t, lab.Eventually(10*time.Second, func() error {
		if time.Now().Before(ends) {
			return errors.New("the grant has not ended")
		}
		return nil
	}))
	locked.try(t, attempt{name: "after its end", as: carol, arguments: scale(5),
		refused: "UPDATE deployments.apps/scale locked-grant/web by carol@example.com",
		hint:    "Break-glass inc-4711 ended at " + ends.UTC().Format(time.RFC3339) + "."})
}
