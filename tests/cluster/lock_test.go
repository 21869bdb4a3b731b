package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"fluxgate.dev/tests/cluster/lab"
)

// attempt is a command in a locked namespace, and what becomes of it.
type attempt struct {
	name      string
	as        *lab.Person // alice, if nobody is named
	arguments []string
	input     string   // of `-f -`
	editor    string   // for `edit`: a sed script
	refused   string   // "UPDATE deployments.apps locked/web"; allowed if empty
	unsaid    bool     // kubectl keeps our message to itself, so the API server's audit log must tell
	names     []string // how violations begin, after the rule
	hint      string   // what stands before the guidance: why a grant does not open it
}

func (locked *lockedNamespace) try(t *testing.T, attempt attempt) {
	t.Run(attempt.name, func(t *testing.T) {
		person := attempt.as
		if person == nil {
			person = alice
		}
		arguments := append([]string{"-n", locked.namespace}, attempt.arguments...)
		run := func() lab.Outcome {
			if attempt.editor != "" {
				return person.KubectlEdit(attempt.editor, arguments...)
			}
			return person.KubectlWith(attempt.input, arguments...)
		}
		if attempt.unsaid {
			refusedUnsaid(t, attempt.refused, run)
			return
		}
		outcome := run()
		if attempt.refused == "" {
			allowed(t, outcome)
			return
		}
		found := refused(t, outcome)
		found.startsWith(t, "Fluxgate denied "+attempt.refused)
		found.names(t, "- "+locked.namespace+"/only-git")
		for _, violation := range attempt.names {
			before := ": "
			if strings.HasPrefix(violation, ".") {
				before = " "
			}
			found.names(t, "- "+locked.namespace+"/only-git"+before+violation)
		}
		found.has(t, strings.TrimSpace(attempt.hint+" "+guidance))
		locked.recordOf(t, found)
	})
}

// refusedUnsaid is for commands that fail without saying why: the API server's audit log is the witness.
func refusedUnsaid(t *testing.T, request string, run func() lab.Outcome) {
	t.Helper()
	before, err := cluster.APIAudit()
	must(t, err)
	outcome := run()
	if !outcome.Failed {
		t.Fatalf("nobody refused this:\n%s", outcome)
	}
	eventually(t, func() error {
		events, err := cluster.APIAudit()
		if err != nil {
			return err
		}
		for _, event := range events[len(before):] {
			if strings.Contains(event.Text("responseStatus", "message"), "Fluxgate denied "+request) {
				return nil
			}
		}
		return fmt.Errorf("the API server's audit log holds no denial of %s; the command said\n%s", request, outcome)
	})
}

const (
	declaredInGit = " (declared in Git)"
	noAddition    = " (no undeclared addition)"
	neverAdded    = " (never an addition)"
)

func TestLockRefusesWhatPeopleDoWithKubectl(t *testing.T) {
	locked := startLock(t, "locked", lockOf("locked", ""))
	pod := locked.pod(t)
	must(t, cluster.RunPod("locked", pod))
	const (
		update     = "UPDATE deployments.apps locked/web by alice@example.com (record "
		imageIs    = `.spec.template.spec.containers[name="web"].image: have "nginx:evil", want "nginx:1.27.0"` + declaredInGit
		imageEvil  = "deployment/web"
		containerA = `.spec.template.spec.containers`
	)
	// A second revision in the history of the Deployment, for `rollout undo`.
	locked.delivers(t, "a colour", strings.Replace(locked.manifest, "value: blue", "value: green", 1))
	evil := strings.Replace(locked.manifest, "nginx:1.27.0", "nginx:evil", 1)
	deployment, _, _ := strings.Cut(evil, "\n---\n")
	for _, attempt := range []attempt{
		{name: "edit", arguments: []string{"deployment/web"}, editor: "s/nginx:1.27.0/nginx:evil/",
			refused: update, names: []string{imageIs}},
		{name: "set image", arguments: []string{"set", "image", imageEvil, "web=nginx:evil"}, refused: update, names: []string{imageIs}},
		{name: "set env", arguments: []string{"set", "env", "deployment/web", "COLOUR=red"}, refused: update,
			names: []string{`.spec.template.spec.containers[name="web"].env[name="COLOUR"].value: have (not shown), want (not shown)` + declaredInGit}},
		{name: "scale", arguments: []string{"scale", "deployment/web", "--replicas=0"},
			refused: "UPDATE deployments.apps/scale locked/web by alice@example.com"},
		{name: "scale, as a patch of the subresource",
			arguments: []string{"patch", "deployment", "web", "--subresource=scale", "--type=merge", "--patch", `{"spec":{"replicas":0}}`},
			refused:   "UPDATE deployments.apps/scale locked/web by alice@example.com"},
		{name: "autoscale", arguments: []string{"autoscale", "statefulset/store", "--max=3"},
			refused: "CREATE horizontalpodautoscalers.autoscaling locked/store", unsaid: true},
		{name: "rollout restart", arguments: []string{"rollout", "restart", "deployment/web"}, refused: update,
			names: []string{`.spec.template.metadata.annotations: have`}},
		{name: "rollout undo", arguments: []string{"rollout", "undo", "deployment/web"}, refused: update,
			names: []string{`.spec.template.spec.containers[name="web"].env[name="COLOUR"].value: have (not shown), want (not shown)` + declaredInGit}},
		{name: "rollout pause", arguments: []string{"rollout", "pause", "deployment/web"}, refused: update,
			names: []string{".spec.paused: have true, want (absent)" + noAddition}},
		{name: "label", arguments: []string{"label", "deployment", "web", "team=mine"}, refused: update,
			names: []string{".metadata.labels.team: have "}},
		{name: "annotate", arguments: []string{"annotate", "deployment", "web", "note=mine"}, refused: update,
			names: []string{".metadata.annotations.note: have "}},
		{name: "exec", arguments: []string{"exec", pod, "--", "id"}, refused: "CONNECT pods/exec locked/" + pod + " by alice@example.com"},
		{name: "attach", arguments: []string{"attach", pod}, refused: "CONNECT pods/attach locked/" + pod},
		{name: "port-forward", arguments: []string{"port-forward", pod, "0:8080"}, refused: "CONNECT pods/portforward locked/" + pod},
		{name: "debug", arguments: []string{"debug", pod, "--image=busybox:1.37", "--target=web"},
			refused: "UPDATE pods/ephemeralcontainers locked/" + pod},
		{name: "debug with a copy of the Pod", arguments: []string{"debug", pod, "--image=busybox:1.37", "--copy-to=mine"},
			refused: "CREATE pods locked/mine"},
		{name: "cp", arguments: []string{"cp", pod + ":/etc/passwd", "/dev/null"}, refused: "CONNECT pods/exec locked/" + pod},
		{name: "run", arguments: []string{"run", "mine", "--image=busybox:1.37"}, refused: "CREATE pods locked/mine"},
		{name: "expose", arguments: []string{"expose", "deployment", "web", "--name=mine", "--port=80"},
			refused: "CREATE services locked/mine"},
		{name: "create a Job from a CronJob", arguments: []string{"create", "job", "now", "--from=cronjob/report"},
			refused: "CREATE jobs.batch locked/now"},
		{name: "create token", arguments: []string{"create", "token", "robot"}, refused: "CREATE serviceaccounts/token locked/robot"},
		{name: "delete", arguments: []string{"delete", "deployment", "web", "--wait=false"},
			refused: "DELETE deployments.apps locked/web by alice@example.com"},
		{name: "delete --all", arguments: []string{"delete", "services", "--all", "--wait=false"}, refused: "DELETE services locked/"},
		{name: "delete, leaving orphans", arguments: []string{"delete", "deployment", "web", "--wait=false", "--cascade=orphan"},
			refused: "DELETE deployments.apps locked/web"},
		{name: "deleting an Ingress", arguments: []string{"delete", "ingress", "web", "--wait=false"},
			refused: "DELETE ingresses.networking.k8s.io locked/web"},
		{name: "replace", arguments: []string{"replace", "-f", "-"}, input: deployment, refused: update,
			names: []string{".metadata.managedFields: have the entry of kustomize-controller (Apply) changed"}},
		{name: "replace --force", arguments: []string{"replace", "--force", "-f", "-"}, input: deployment,
			refused: "DELETE deployments.apps locked/web"},
		{name: "apply", arguments: []string{"apply", "-f", "-"}, input: deployment, refused: update, names: []string{imageIs}},
		{name: "apply --server-side --force-conflicts", arguments: []string{"apply", "--server-side", "--force-conflicts", "-f", "-"},
			input: deployment, refused: update, names: []string{imageIs}},
		{name: "apply --server-side in the name of Flux's manager",
			arguments: []string{"apply", "--server-side", "--force-conflicts", "--field-manager=kustomize-controller", "-f", "-"},
			input:     deployment, refused: update, names: []string{`have field manager "kustomize-controller", want a field manager that is not Flux's`}},
		{name: "patch --subresource=status",
			arguments: []string{"patch", "deployment", "web", "--subresource=status", "--type=merge", "--patch",
				`{"status":{"observedGeneration":99}}`},
			refused: "UPDATE deployments.apps/status locked/web"},
		{name: "patch of a Service's selector",
			arguments: []string{"patch", "service", "web", "--type=merge", "--patch", `{"spec":{"selector":{"app":"mine"}}}`},
			refused:   "UPDATE services locked/web", names: []string{`.spec.selector`}},
		{name: "a canary's weight set to 0",
			arguments: []string{"annotate", "ingress", "web", "nginx.ingress.kubernetes.io/canary-weight=0", "--overwrite"},
			refused:   "UPDATE ingresses.networking.k8s.io locked/web",
			names:     []string{`.metadata.annotations["nginx.ingress.kubernetes.io/canary-weight"]: have "0", want "20"` + declaredInGit}},
		{name: "deleting a Pod", arguments: []string{"delete", "pod", pod, "--wait=false"}, refused: "DELETE pods locked/" + pod},
		{name: "drain", arguments: []string{"delete", "--raw", locked.path("pods")}, refused: "DELETE pods locked/"},
		{name: "a cluster-admin who impersonates Flux", arguments: []string{"set", "image", "deployment/web", "web=nginx:evil",
			"--as=" + fluxUser},
			refused: "UPDATE deployments.apps locked/web by " + fluxUser + " (record ", names: []string{imageIs}},
		{name: "a token of Flux that was minted before the lock", as: thief(t),
			arguments: []string{"set", "image", "deployment/web", "web=nginx:evil"},
			refused:   "UPDATE deployments.apps locked/web by " + fluxUser + " (record ", names: []string{imageIs}},
		{name: "a certificate in Flux's name", as: lookAlike(t), arguments: []string{"set", "image", "deployment/web", "web=nginx:evil"},
			refused: "UPDATE deployments.apps locked/web by " + fluxUser + " (record ", names: []string{imageIs}},
		{name: "source-controller, which writes other things", as: sourceController,
			arguments: []string{"set", "image", "deployment/web", "web=nginx:evil"},
			refused:   "UPDATE deployments.apps locked/web by system:serviceaccount:flux-system:source-controller (record ", names: []string{imageIs}},
	} {
		locked.try(t, attempt)
	}

	pipeline := somebodyWithCertificate(t, "1f0c2c0e-5a9c-4a51-9b53-3b2f5a3c9a11")
	locked.try(t, attempt{name: "a CI service principal, in production", as: pipeline,
		arguments: []string{"set", "image", "deployment/web", "web=nginx:evil"},
		refused:   "UPDATE deployments.apps locked/web by 1f0c2c0e-5a9c-4a51-9b53-3b2f5a3c9a11 (record ", names: []string{imageIs}})
	t.Run("a CI service principal, in staging", func(t *testing.T) {
		staging := strings.ReplaceAll(deployment, "namespace: locked", "namespace: "+locked.staging)
		allowed(t, pipeline.KubectlWith(staging, "apply", "-f", "-"))
		allowed(t, pipeline.Kubectl("-n", locked.staging, "set", "image", "deployment/web", "web=nginx:evil"))
		allowed(t, pipeline.Kubectl("-n", locked.staging, "delete", "deployment", "web"))
	})
	t.Run("a dry run is allowed, with a warning", func(t *testing.T) {
		outcome := locked.as(alice, "set", "image", "deployment/web", "web=nginx:evil", "--dry-run=server")
		allowed(t, outcome)
		if !strings.Contains(outcome.Errors, "would deny") {
			t.Errorf("kubectl shows no warning:\n%s", outcome)
		}
	})
	t.Run("after all that the namespace is as Git wants it", func(t *testing.T) {
		must(t, cluster.Flux.Reconcile())
		fluxApplies(t, locked.revision)
		locked.runs(t, "nginx:1.27.0")
	})
}

// runs checks the image of the Deployment web.
func (locked *lockedNamespace) runs(t *testing.T, image string) {
	t.Helper()
	web, err := cluster.Admin.Get(locked.path("apps/deployments/web"))
	must(t, err)
	containers, _ := web.At("spec", "template", "spec", "containers").([]any)
	if len(containers) != 1 || lab.Object(containers[0].(map[string]any)).Text("image") != image {
		t.Errorf("web runs %v", containers)
	}
}

func TestLockOfFields(t *testing.T) {
	locked := startLock(t, "locked-fields", lockOf("locked-fields", ""))
	const update = "UPDATE deployments.apps locked-fields/web by alice@example.com (record "
	patch := func(kind, text string, more ...string) []string {
		return append([]string{"patch", "deployment", "web", "--type=" + kind, "--patch", text}, more...)
	}
	for _, attempt := range []attempt{
		{name: "a second container",
			arguments: patch("strategic", `{"spec":{"template":{"spec":{"containers":[{"name":"evil","image":"evil:1"}]}}}}`),
			refused:   update, names: []string{`.spec.template.spec.containers[name="evil"]: have `}},
		{name: "the host's network", arguments: patch("merge", `{"spec":{"template":{"spec":{"hostNetwork":true}}}}`), refused: update,
			names: []string{".spec.template.spec.hostNetwork: have true, want (absent)" + noAddition}},
		{name: "a variable that Git does not declare", arguments: []string{"set", "env", "deployment/web", "EVIL=yes"}, refused: update,
			names: []string{`.spec.template.spec.containers[name="web"].env[name="EVIL"]: have `}},
		{name: "the same under another field manager",
			arguments: []string{"set", "env", "deployment/web", "EVIL=yes", "--field-manager=k9s"}, refused: update,
			names: []string{`.spec.template.spec.containers[name="web"].env[name="EVIL"]: have `}},
		{name: "an annotation that the policy allows", arguments: []string{"annotate", "deployment", "web", "team.example.com/note=hello"}},
		{name: "the replicas that Git leaves open, on the object itself", arguments: patch("merge", `{"spec":{"replicas":1}}`)},
		{name: "a label in a domain of Flux", arguments: []string{"label", "deployment", "web",
			"kustomize.toolkit.fluxcd.io/reconcile=disabled"},
			refused: update, names: []string{`.metadata.labels["kustomize.toolkit.fluxcd.io/reconcile"]: have "disabled", want (absent)` + neverAdded}},
		{name: "wiped managedFields", arguments: patch("json", `[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]`),
			refused: update,
			names:   []string{".metadata.managedFields"}},
		{name: "server-side apply of a fragment as kustomize-controller",
			arguments: []string{"apply", "--server-side", "--force-conflicts", "--field-manager=kustomize-controller", "-f", "-"},
			input: `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"locked-fields"},"spec":{"selector":{"matchLabels":{"app":"web"}},
				"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"nginx:1.27.0"}]}}}}`,
			refused: update, names: []string{".metadata.managedFields"}},
		{name: "a second value under the same key of a list",
			arguments: patch("json",
				`[{"op":"add","path":"/spec/template/spec/containers/0/env/-","value":{"name":"COLOUR","value":"evil"}}]`),
			refused: update, names: []string{`.spec.template.spec.containers[name="web"].env`}},
		{name: "an owner that does not exist, so that the garbage collector deletes it",
			arguments: patch("merge",
				`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"none","uid":"00000000-0000-0000-0000-000000000000"}]}}`),
			refused: update, names: []string{".metadata.ownerReferences"}},
		{name: "a finalizer", arguments: patch("merge", `{"metadata":{"finalizers":["example.com/mine"]}}`), refused: update,
			names: []string{".metadata.finalizers"}},
		{name: "an autoscaler in its older version, without any change of it",
			arguments: []string{"patch", "horizontalpodautoscalers.v1.autoscaling", "web", "--type=merge", "--patch",
				`{"metadata":{"annotations":{"team.example.com/a":"b"}}}`},
			refused: "UPDATE horizontalpodautoscalers.autoscaling locked-fields/web by alice@example.com (record "},
	} {
		locked.try(t, attempt)
	}
	t.Run("a PUT that renames Flux's entry and dates it back", func(t *testing.T) {
		web, err := cluster.Admin.Get(locked.path("apps/deployments/web"))
		must(t, err)
		entries := web.At("metadata", "managedFields").([]any)
		for _, entry := range entries {
			if fields := entry.(map[string]any); fields["manager"] == "kustomize-controller" {
				fields["manager"], fields["time"] = "x", "2020-01-01T00:00:00Z"
			}
		}
		err = alice.Client.Do("PUT", locked.path("apps/deployments/web"), lab.JSON, web, nil)
		if err == nil {
			t.Fatal("nobody refused this")
		}
		denialIn(t, err.Error()).names(t, "- locked-fields/only-git .metadata.managedFields")
	})
	t.Run("the autoscaler writes the replicas, by its controller", func(t *testing.T) {
		locked.delivers(t, "two at least", strings.Replace(locked.manifest, "minReplicas: 1", "minReplicas: 2", 1))
		eventually(t, func() error {
			web, err := cluster.Admin.Get(locked.path("apps/deployments/web"))
			if err == nil && web.Number("status", "replicas") != 2 {
				err = fmt.Errorf("web has %d Pods", web.Number("status", "replicas"))
			}
			return err
		})
	})
	t.Run("a new image comes by Git, and a revert in Git takes it back", func(t *testing.T) {
		locked.delivers(t, "newer", strings.Replace(locked.manifest, "nginx:1.27.0", "nginx:1.28.0", 1))
		locked.runs(t, "nginx:1.28.0")
		locked.delivers(t, "revert: newer", locked.manifest)
		locked.runs(t, "nginx:1.27.0")
	})
	t.Run("what Git no longer declares is pruned", func(t *testing.T) {
		without := strings.Split(locked.manifest, "\n---\n")
		kept := without[:0]
		for _, document := range without {
			if !strings.Contains(document, "kind: PodDisruptionBudget") {
				kept = append(kept, document)
			}
		}
		locked.delivers(t, "no budget", strings.Join(kept, "\n---\n"))
		gone(t, "/apis/policy/v1/namespaces/locked-fields/poddisruptionbudgets/web")
	})
}

func TestLockAndHelm(t *testing.T) {
	locked := startLock(t, "locked-helm", lockOf("locked-helm", ""))
	const chart = "charts/motd"
	helm := func(person *lab.Person, arguments ...string) lab.Outcome {
		return person.Helm(append(arguments, "--namespace", locked.namespace)...)
	}
	message := func() string {
		object, err := cluster.Admin.Get(locked.path("configmaps/motd"))
		must(t, err)
		return object.Text("data", "message")
	}
	t.Run("a person may not install a release: its Secret is refused first", func(t *testing.T) {
		outcome := helm(alice, "install", "mine", chart)
		found := refused(t, outcome)
		found.startsWith(t, "Fluxgate denied CREATE secrets locked-helm/sh.helm.release.v1.mine.v1 by alice@example.com")
	})
	t.Run("helm-controller installs and upgrades", func(t *testing.T) {
		allowed(t, helm(helmController, "install", "motd", chart))
		allowed(t, helm(helmController, "upgrade", "motd", chart, "--set", "message=changed"))
		if found := message(); found != "changed" {
			t.Errorf("the message is %q", found)
		}
	})
	for _, attempt := range []struct {
		command []string
		refused string
	}{
		{[]string{"upgrade", "motd", chart, "--set", "message=evil"}, "CREATE secrets locked-helm/sh.helm.release.v1.motd.v3"},
		{[]string{"rollback", "motd", "1"}, "CREATE secrets locked-helm/sh.helm.release.v1.motd.v3"},
		{[]string{"uninstall", "motd"}, "UPDATE secrets locked-helm/sh.helm.release.v1.motd.v2"},
	} {
		t.Run("a person may not "+attempt.command[0], func(t *testing.T) {
			refusedUnsaid(t, attempt.refused, func() lab.Outcome { return helm(alice, attempt.command...) })
			if found := message(); found != "changed" {
				t.Errorf("the message is %q all the same", found)
			}
		})
	}
	t.Run("what the command wrote under its own field manager is locked as a whole", func(t *testing.T) {
		found := refused(t, locked.as(alice, "set", "image", "deployment/motd", "main=shop/evil:1"))
		found.names(t,
			"- locked-helm/only-git: have UPDATE by alice@example.com (no writer; locked as a whole: no field of it is declared by Flux)")
		found.names(t, `- locked-helm/only-git .spec.template.spec.containers[name="main"].image: have "shop/evil:1", want "shop/motd:1"`)
		refused(t, locked.as(alice, "annotate", "deployment", "motd", "team.example.com/note=hello"))
	})
	t.Run("what helm-controller declares under its name is locked field by field", func(t *testing.T) {
		cache := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cache"},"data":{"size":"small"}}`
		allowed(t, helmController.KubectlWith(cache, "-n", locked.namespace, "apply", "--server-side", "--field-manager=helm-controller",
			"-f", "-"))
		found := refused(t, locked.as(alice, "patch", "configmap", "cache", "--type=merge", "--patch", `{"data":{"size":"large"}}`))
		found.names(t, "- locked-helm/only-git .data.size: have (not shown), want (not shown)"+declaredInGit)
		allowed(t, locked.as(alice, "annotate", "configmap", "cache", "team.example.com/note=hello"))
	})
	t.Run("the Secret that holds the release", func(t *testing.T) {
		refused(t, locked.as(alice, "patch", "secret", "sh.helm.release.v1.motd.v2", "--type=merge", "--patch",
			`{"data":{"release":"AAAA"}}`))
		refused(t, locked.as(alice, "delete", "secret", "sh.helm.release.v1.motd.v2"))
	})
	t.Run("helm-controller rolls back and uninstalls", func(t *testing.T) {
		allowed(t, helm(helmController, "rollback", "motd", "1"))
		if found := message(); found != "hello" {
			t.Errorf("the message is %q", found)
		}
		allowed(t, helm(helmController, "uninstall", "motd"))
		gone(t, locked.path("configmaps/motd"))
		eventually(t, func() error {
			left, err := cluster.Admin.List(locked.path("secrets?labelSelector=owner%3Dhelm"))
			if err == nil && len(left) > 0 {
				err = errors.New("Secrets of the release are left")
			}
			return err
		})
	})
}
