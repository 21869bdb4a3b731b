package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fluxgate.dev/tests/cluster/lab"
)

// What Fluxgate can do when it may read the cluster, with exactly the rights of deploy/webhook/rbac.yaml.

// accessToTheCluster installs those rights in a namespace of the test's own and returns the flags of `serve` that use them.
func accessToTheCluster(t *testing.T, ownNamespace string) []string {
	t.Helper()
	makeNamespace(t, ownNamespace)
	rights, err := os.ReadFile("../../deploy/webhook/rbac.yaml")
	must(t, err)
	manifest := strings.ReplaceAll(string(rights), "namespace: fluxgate-system", "namespace: "+ownNamespace)
	allowed(t, cluster.Operator.KubectlWith(manifest, "apply", "-f", "-"))
	outcome := cluster.Operator.Kubectl("-n", ownNamespace, "create", "token", "fluxgate-webhook")
	allowed(t, outcome)
	webhook, err := cluster.WithToken("fluxgate-webhook", outcome.Token())
	must(t, err)
	return []string{"--kubeconfig", webhook.Kubeconfig, "--namespace", ownNamespace, "--cluster-name", "lab"}
}

func TestLockSaysWhereToChangeIt(t *testing.T) {
	const namespace = "locked-where"
	locked := startLock(t, namespace, lockOf(namespace, ""), accessToTheCluster(t, "fluxgate-where")...)
	t.Run("a denial says repository, path and revision of what is to be changed", func(t *testing.T) {
		commit := strings.TrimPrefix(locked.revision, "main@sha1:")
		eventually(t, func() error {
			found := refused(t, locked.as(alice, "set", "image", "deployment/web", "web=nginx:evil"))
			if where := "Owner: Kustomization flux-system/apps (https://git.example.com/shop/apps, ./ at main@sha1:" + commit[:12]; !strings.Contains(found.text, where) {
				return fmt.Errorf("the denial does not say %q:\n%s", where, found.text)
			}
			return nil
		})
	})
}

func TestLockLetsRunACronJobNow(t *testing.T) {
	const namespace = "locked-cronjob"
	locked := startLock(t, namespace, lockOf(namespace, `      allowances:
      - {subjects: [{kind: Group, name: sre}], actions: [run-cronjob]}
`), accessToTheCluster(t, "fluxgate-cronjob")...)
	sam := somebodyWithCertificate(t, "sam@example.com", "sre")

	t.Run("a CronJob is run now, by who may", func(t *testing.T) {
		allowed(t, locked.as(sam, "create", "job", "now", "--from=cronjob/report"))
	})
	for _, attempt := range []attempt{
		{name: "a CronJob is run now, by somebody else", arguments: []string{"create", "job", "mine", "--from=cronjob/report"},
			refused: "CREATE jobs.batch locked-cronjob/mine"},
		{name: "a Job that is like no CronJob", as: sam, arguments: []string{"create", "job", "mine", "--image=evil:1"},
			refused: "CREATE jobs.batch locked-cronjob/mine"},
	} {
		locked.try(t, attempt)
	}
	t.Run("a Job that only says that it is of the CronJob", func(t *testing.T) {
		report, err := cluster.Admin.Get("/apis/batch/v1/namespaces/" + namespace + "/cronjobs/report")
		must(t, err)
		job := lab.Object{"apiVersion": "batch/v1", "kind": "Job", "metadata": lab.Object{"name": "mine",
			"annotations": lab.Object{"cronjob.kubernetes.io/instantiate": "manual"},
			"ownerReferences": []lab.Object{{"apiVersion": "batch/v1", "kind": "CronJob", "name": "report", "controller": true,
				"uid": report.Text("metadata", "uid")}}},
			"spec": lab.Object{"template": lab.Object{"spec": lab.Object{"restartPolicy": "Never",
				"containers": []lab.Object{{"name": "main", "image": "evil:1"}}}}}}
		_, err = sam.Client.Create("/apis/batch/v1/namespaces/"+namespace+"/jobs", job)
		if err == nil {
			t.Fatal("nobody refused this")
		}
		denialIn(t, err.Error()).names(t, "- locked-cronjob/only-git")
	})
}

// grantCommand runs `fluxgate grant`.
func grantCommand(t *testing.T, arguments ...string) string {
	t.Helper()
	output, err := exec.Command(os.Getenv("FLUXGATE"), append([]string{"grant"}, arguments...)...).Output()
	if err != nil {
		t.Fatalf("fluxgate grant %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
	return string(output)
}

// judgesGrants registers the guard for the ConfigMaps of grants in its own namespace.
func (locked *lockedNamespace) judgesGrants(t *testing.T, ownNamespace string) {
	t.Helper()
	name := locked.Name + "-grants"
	must(t, cluster.Register("grants-webhook.yaml", locked.Address, locked.CA, func() error {
		outcome := cluster.Operator.KubectlWith(unsignedGrant(ownNamespace), "create", "--dry-run=server", "-f", "-")
		if !outcome.Failed || !strings.Contains(outcome.Errors, "Fluxgate denied") {
			return fmt.Errorf("the API server does not call the webhook yet: %s", outcome)
		}
		return nil
	}, "${NAME}", name, "${NAMESPACE}", ownNamespace))
	t.Cleanup(func() { unregister(t, "validatingwebhookconfiguration", name) })
}

func unsignedGrant(namespace string) string {
	return `apiVersion: v1
kind: ConfigMap
metadata: {name: unsigned, namespace: ` + namespace + `, labels: {fluxgate.dev/grant: "true"}}
data: {grant: "kind: BreakGlass"}
`
}

func TestLockOpensByASignedGrantWhenGitIsDown(t *testing.T) {
	const namespace, ownNamespace = "locked-signed", "fluxgate-signed"
	folder := t.TempDir()
	key, note := filepath.Join(folder, "bob.key"), filepath.Join(folder, "inc-4712.yaml")
	verifier := strings.TrimSpace(grantCommand(t, "keygen", "--name", "bob@example.com", "--out", key))
	locked := startLock(t, namespace, lockOf(namespace, `      breakGlass: {maxDuration: 4h, approverKeys: ["`+verifier+`"]}
`), accessToTheCluster(t, ownNamespace)...)
	locked.judgesGrants(t, ownNamespace)
	carol := somebodyWithCertificate(t, "carol@example.com")
	scale := []string{"scale", "deployment/web", "--replicas=3"}
	evil := strings.Replace("UPDATE deployments.apps/scale NAMESPACE/web", "NAMESPACE", namespace, 1)
	locked.try(t, attempt{name: "before the grant", as: carol, arguments: scale, refused: evil})

	grantCommand(t, "new", "inc-4712", "--user", "carol@example.com", "--namespace", namespace, "--name", "web",
		"--resource", "deployments.apps/scale", "--ticket", "INC-4712", "--reason", "Git is down", "--requested-by", "carol@example.com",
		"--approved-by", "bob@example.com", "--cluster", "lab", "--for", "2h", "--out", note)
	apply := func(configMap string) lab.Outcome {
		configMap = strings.ReplaceAll(configMap, "namespace: fluxgate-system", "namespace: "+ownNamespace)
		return cluster.Operator.KubectlWith(configMap, "apply", "-f", "-")
	}
	t.Run("a note without a signature is refused when it is written", func(t *testing.T) {
		found := refused(t, apply(unsignedGrant(ownNamespace)))
		found.startsWith(t, "Fluxgate denied CREATE configmaps "+ownNamespace+"/unsigned")
		found.names(t, "- fluxgate/grants .data.grant: have is no signed note")
	})
	signed := grantCommand(t, "sign", note, "--key", key)
	allowed(t, apply(signed))
	t.Run("once it is offered it opens what it names, with a warning", func(t *testing.T) {
		eventually(t, func() error {
			outcome := locked.as(carol, scale...)
			if outcome.Failed {
				return errors.New(outcome.String())
			}
			if !strings.Contains(outcome.Errors, "inc-4712") {
				t.Errorf("kubectl shows no warning:\n%s", outcome)
			}
			return nil
		})
	})
	locked.try(t, attempt{name: "somebody else", arguments: scale, refused: evil})
	locked.try(t, attempt{name: "another object", as: carol, arguments: []string{"delete", "configmap", "settings"},
		refused: "DELETE configmaps locked-signed/settings", hint: "Break-glass inc-4712 does not cover DELETE configmaps settings."})
	t.Run("a copy in another ConfigMap is refused", func(t *testing.T) {
		found := refused(t, apply(strings.Replace(signed, "name: grant-inc-4712", "name: copy", 1)))
		found.names(t, "- fluxgate/grants .data.grant: have ConfigMap grant-inc-4712 offers it already")
	})
	allowed(t, apply(grantCommand(t, "end", note, "--key", key)))
	t.Run("once it is ended it opens nothing", func(t *testing.T) {
		eventually(t, func() error {
			if outcome := locked.as(carol, "scale", "deployment/web", "--replicas=4"); !outcome.Failed {
				return errors.New(outcome.String())
			}
			return nil
		})
		refused(t, locked.as(carol, "scale", "deployment/web", "--replicas=5"))
	})
	t.Run("its end cannot be deleted, nor lose its label", func(t *testing.T) {
		inOwn := func(arguments ...string) lab.Outcome {
			return cluster.Operator.Kubectl(append([]string{"-n", ownNamespace}, arguments...)...)
		}
		found := refused(t, inOwn("delete", "configmap", "grant-inc-4712"))
		found.names(t, "- fluxgate/grants .data.revocation: have DELETE of the end of inc-4712")
		found = refused(t, inOwn("label", "configmap", "grant-inc-4712", "fluxgate.dev/grant-"))
		found.names(t, `- fluxgate/grants .metadata.labels["fluxgate.dev/grant"]: have taken away from the end of inc-4712`)
	})
	t.Run("once it is ended it is not taken again", func(t *testing.T) {
		found := refused(t, apply(strings.Replace(signed, "name: grant-inc-4712", "name: copy", 1)))
		found.names(t, "- fluxgate/grants .data.grant: have it was ended before its time")
	})
}
