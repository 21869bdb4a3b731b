package cluster

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fluxgate.dev/tests/cluster/lab"
)

const (
	fluxUser    = "system:serviceaccount:flux-system:kustomize-controller"
	controllers = "system:serviceaccount:kube-system:"
	guidance    = "Change it in https://git.example.com/shop/apps, or ask #platform."
)

func TestFluxDeliversWhatGitSays(t *testing.T) {
	t.Run("kustomize-controller creates the namespaces and everything in them", func(t *testing.T) {
		fluxApplies(t, inGit(t, "the shop", file("namespaces.yaml"), file("web.yaml"), file("staging-web.yaml"),
			file("autoscaler.yaml"), file("quota.yaml"), file("children.yaml"), file("more-children.yaml"),
			file("movable.yaml"), file("motd.yaml")))
		if found := image(t); found != "nginx:1.26.3" {
			t.Errorf("web runs %s", found)
		}
	})
	t.Run("kustomize-controller brings a new image", func(t *testing.T) {
		fluxApplies(t, inGit(t, "newer nginx", edited("web.yaml", "nginx:1.26.3", "nginx:1.27.0")))
		if found := image(t); found != "nginx:1.27.0" {
			t.Errorf("web runs %s", found)
		}
	})
	t.Run("kustomize-controller prunes what leaves Git", func(t *testing.T) {
		fluxApplies(t, inGit(t, "no more motto", removed("motd.yaml")))
		gone(t, "/api/v1/namespaces/production/configmaps/motd")
	})
}

func TestAPersonIsRefused(t *testing.T) {
	inProduction := func(arguments ...string) lab.Outcome {
		return alice.Kubectl(append([]string{"-n", "production"}, arguments...)...)
	}
	exist(t, 1, pods+"?labelSelector=app%3Dweb")

	t.Run("an edit of the image: the message says what, where, who owns it and what to do", func(t *testing.T) {
		found := refused(t, inProduction("set", "image", "deployment/web", "web=nginx:evil"))
		found.startsWith(t, "Fluxgate denied UPDATE deployments.apps production/web by alice@example.com (record ")
		found.names(t, `- production/only-git .spec.template.spec.containers[name="web"].image: have "nginx:evil", want "nginx:1.27.0"`)
		found.has(t, "Owner: Kustomization flux-system/apps")
		found.has(t, guidance)
		found.saysNothingOf(t, "production/limits")
		if running := image(t); running != "nginx:1.27.0" {
			t.Errorf("web runs %s all the same", running)
		}
	})
	t.Run("the record that the message names is in the log, and the API server's own audit log names it too", func(t *testing.T) {
		found := refused(t, inProduction("annotate", "deployment", "web", "note=remember-me"))
		text := fmt.Sprint(recordOf(t, found))
		for _, wanted := range []string{"alice@example.com", "production", "web", "only-git", "remember-me"} {
			if !strings.Contains(text, wanted) {
				t.Errorf("the record does not hold %q:\n%s", wanted, text)
			}
		}
		eventually(t, func() error {
			events, err := cluster.APIAudit()
			if err != nil {
				return err
			}
			for _, event := range events {
				if event.Text("annotations", "lock.fluxgate.dev/record-id") == found.record {
					return nil
				}
			}
			return errors.New("no event of the API server's audit log carries the record's id")
		})
	})
	t.Run("a Pod that breaks every rule: all of it is said at once", func(t *testing.T) {
		manifest, err := cluster.App("toolbox.yaml")
		must(t, err)
		found := refused(t, alice.KubectlWith(manifest, "apply", "-f", "-"))
		found.startsWith(t, "Fluxgate denied CREATE pods production/toolbox by alice@example.com (record ")
		found.names(t, "- production/only-git")
		found.names(t, `- production/limits .spec.containers[name="toolbox"].resources.requests.cpu: `)
		found.names(t, `- production/limits .spec.containers[name="toolbox"].resources.requests.memory: `)
		found.names(t, `- production/limits .spec.containers[name="toolbox"].resources.limits.memory: `)
		found.names(t, "- production/non-root ")
	})
	for name, attempt := range map[string]struct {
		begins    string
		arguments func() []string
	}{
		"scaling": {"Fluxgate denied UPDATE deployments.apps/scale production/web by alice@example.com",
			func() []string { return []string{"scale", "deployment/web", "--replicas=4"} }},
		"deleting a Deployment": {"Fluxgate denied DELETE deployments.apps production/web by alice@example.com",
			func() []string { return []string{"delete", "deployment", "web", "--wait=false"} }},
		"deleting all Deployments at once": {"Fluxgate denied DELETE deployments.apps production/",
			func() []string { return []string{"delete", "--raw", deployments} }},
		"deleting a Pod": {"Fluxgate denied DELETE pods production/",
			func() []string { return []string{"delete", "pod", aPod(t), "--wait=false"} }},
		"a rollout restart": {"Fluxgate denied UPDATE deployments.apps production/web by alice@example.com",
			func() []string { return []string{"rollout", "restart", "deployment/web"} }},
		"a ConfigMap of one's own": {"Fluxgate denied CREATE configmaps production/mine by alice@example.com",
			func() []string { return []string{"create", "configmap", "mine", "--from-literal=a=b"} }},
		"an ephemeral container": {"Fluxgate denied UPDATE pods/ephemeralcontainers production/",
			func() []string { return []string{"debug", aPod(t), "--image=busybox:1.37", "--target=web"} }},
		"exec": {"Fluxgate denied CONNECT pods/exec production/",
			func() []string { return []string{"exec", aPod(t), "--", "id"} }},
		"attach": {"Fluxgate denied CONNECT pods/attach production/",
			func() []string { return []string{"attach", aPod(t)} }},
		"a proxy into a Pod": {"Fluxgate denied CONNECT pods/proxy production/",
			func() []string { return []string{"get", "--raw", pods + "/" + aPod(t) + "/proxy/"} }},
		"writing a status": {"Fluxgate denied UPDATE deployments.apps/status production/web by alice@example.com",
			func() []string {
				return []string{"patch", "deployment", "web", "--subresource=status", "--type=merge", "--patch", `{"status":{"observedGeneration":99}}`}
			}},
		"turning Flux off for an object": {"Fluxgate denied UPDATE deployments.apps production/web by alice@example.com",
			func() []string {
				return []string{"label", "deployment", "web", "kustomize.toolkit.fluxcd.io/reconcile=disabled"}
			}},
		"wiping the field owners": {"Fluxgate denied UPDATE deployments.apps production/web by alice@example.com",
			func() []string {
				return []string{"patch", "deployment", "web", "--type=json", "--patch", `[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]`}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			found := refused(t, inProduction(attempt.arguments()...))
			found.startsWith(t, attempt.begins)
			found.names(t, "- production/only-git")
			found.has(t, guidance)
			recordOf(t, found)
		})
	}
	t.Run("an eviction", func(t *testing.T) {
		pod := aPod(t)
		eviction := fmt.Sprintf(`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":%q,"namespace":"production"}}`, pod)
		found := refused(t, alice.KubectlWith(eviction, "create", "--raw", pods+"/"+pod+"/eviction", "-f", "-"))
		found.startsWith(t, "Fluxgate denied CREATE pods/eviction production/"+pod)
	})
	t.Run("a dry-run is allowed, with a warning that the write would not be", func(t *testing.T) {
		outcome := inProduction("set", "image", "deployment/web", "web=nginx:evil", "--dry-run=server")
		allowed(t, outcome)
		if !strings.Contains(outcome.Errors, "Warning: ") || !strings.Contains(outcome.Errors, "would deny") {
			t.Errorf("kubectl shows no warning:\n%s", outcome)
		}
		manifest, err := cluster.App("web.yaml")
		must(t, err)
		manifest = strings.Replace(manifest, "nginx:1.26.3", "nginx:evil", 1)
		if outcome := alice.KubectlWith(manifest, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-"); outcome.Failed {
			t.Errorf("refused:\n%s", outcome)
		}
	})
	t.Run("after all of that web is as Git wants it", func(t *testing.T) {
		if running := image(t); running != "nginx:1.27.0" {
			t.Errorf("web runs %s", running)
		}
	})
}

func TestLookAlikesOfFluxAreRefused(t *testing.T) {
	edit := func(image string) []string {
		return []string{"-n", "production", "set", "image", "deployment/web", "web=nginx:" + image}
	}
	t.Run("impersonation", func(t *testing.T) {
		found := refused(t, alice.Kubectl(append(edit("impersonated"), "--as="+fluxUser)...))
		found.startsWith(t, "Fluxgate denied UPDATE deployments.apps production/web by "+fluxUser+" (record ")
		found.names(t, "- production/only-git")
	})
	t.Run("impersonation with the group and uid of the service account", func(t *testing.T) {
		account, err := cluster.Admin.Get("/api/v1/namespaces/flux-system/serviceaccounts/kustomize-controller")
		must(t, err)
		found := refused(t, alice.Kubectl(append(edit("impersonated-better"), "--as="+fluxUser,
			"--as-group=system:serviceaccounts", "--as-group=system:serviceaccounts:flux-system",
			"--as-group=system:authenticated", "--as-uid="+account.Text("metadata", "uid"))...))
		found.names(t, "- production/only-git")
	})
	t.Run("a token minted by hand before Fluxgate came", func(t *testing.T) {
		found := refused(t, thief(t).Kubectl(edit("minted")...))
		found.startsWith(t, "Fluxgate denied UPDATE deployments.apps production/web by "+fluxUser+" (record ")
		found.names(t, "- production/only-git")
	})
	t.Run("a token minted by hand afterwards is refused itself", func(t *testing.T) {
		found := refused(t, alice.Kubectl("-n", "flux-system", "create", "token", "kustomize-controller"))
		found.startsWith(t, "Fluxgate denied CREATE serviceaccounts/token flux-system/kustomize-controller by alice@example.com (record ")
		found.names(t, "- fluxgate/escape")
	})
	t.Run("a client certificate with Flux's name", func(t *testing.T) {
		lookAlike, err := cluster.Person(fluxUser, "system:serviceaccounts", "system:serviceaccounts:flux-system")
		must(t, err)
		found := refused(t, lookAlike.Kubectl(edit("certificate")...))
		found.startsWith(t, "Fluxgate denied UPDATE deployments.apps production/web by "+fluxUser+" (record ")
		found.names(t, "- production/only-git")
	})
	t.Run("a built-in controller, impersonated", func(t *testing.T) {
		found := refused(t, alice.Kubectl("-n", "production", "delete", "deployment", "web", "--wait=false",
			"--as="+controllers+"generic-garbage-collector"))
		found.startsWith(t, "Fluxgate denied DELETE deployments.apps production/web by "+controllers+"generic-garbage-collector (record ")
		found.names(t, "- production/only-git")
	})
}

func TestFluxIsHeldToTheWorkloadRules(t *testing.T) {
	t.Run("a Deployment without limits and probes is refused, and the Kustomization says all of it", func(t *testing.T) {
		revision := inGit(t, "hasty", file("hasty.yaml"))
		message, err := cluster.Flux.Refused(revision, "Fluxgate denied")
		must(t, err)
		found := denialIn(t, message)
		found.startsWith(t, "Fluxgate denied CREATE deployments.apps production/hasty by "+fluxUser+" (")
		found.names(t, `- production/limits .spec.template.spec.containers[name="hasty"].resources.limits.memory: `)
		found.names(t, `- production/probes .spec.template.spec.containers[name="hasty"].readinessProbe: `)
		found.names(t, `- production/probes .spec.template.spec.containers[name="hasty"]: `)
		if len(found.violations) != 3 || found.more != 0 {
			t.Errorf("the message should name three violations and leave out none:\n%s", found.text)
		}
		found.has(t, "Owner: Kustomization flux-system/apps")
		found.has(t, guidance)
		if _, err := cluster.Admin.Get(deployments + "/hasty"); !lab.NotFound(err) {
			t.Errorf("hasty exists all the same (%v)", err)
		}
	})
	t.Run("a fix in Git is applied", func(t *testing.T) {
		good, err := cluster.App("web.yaml")
		must(t, err)
		good = strings.NewReplacer("name: web", "name: hasty", "app: web", "app: hasty").Replace(good)
		fluxApplies(t, inGit(t, "no longer hasty", cluster.Git.Write("hasty.yaml", good)))
	})
	t.Run("what was fixed is pruned again", func(t *testing.T) {
		fluxApplies(t, inGit(t, "no hasty", removed("hasty.yaml")))
		gone(t, deployments+"/hasty")
	})
	t.Run("written without a dry-run, four containers without anything leave a record of every violation", func(t *testing.T) {
		manifest, err := cluster.App("bad.yaml")
		must(t, err)
		found := refused(t, cluster.Flux.Controller.KubectlWith(manifest, "create", "-f", "-"))
		found.saysNothingOf(t, "production/only-git")
		violations, _ := recordOf(t, found).At("violations").([]any)
		recorded := ""
		for _, entry := range violations {
			violation := lab.Object(entry.(map[string]any))
			recorded += violation.Text("policy") + "/" + violation.Text("rule") + " " + violation.Text("path") + "\n"
		}
		for _, wanted := range violationsOfBad() {
			if !strings.Contains(recorded, wanted) {
				t.Errorf("no violation %s in the record:\n%s", wanted, recorded)
			}
		}
		if len(violations) != len(found.violations)+found.more {
			t.Errorf("the record has %d violations, the message tells of %d and %d more", len(violations), len(found.violations), found.more)
		}
	})
}

// violationsOfBad is what apps/bad.yaml does wrong: rule and the beginning of the path.
func violationsOfBad() (violations []string) {
	const spec = ".spec.template.spec"
	for _, container := range []string{`.initContainers[name="migrate"]`, `.initContainers[name="proxy"]`,
		`.containers[name="checkout"]`, `.containers[name="metrics"]`} {
		for _, resource := range []string{"requests.cpu", "requests.memory", "limits.memory"} {
			violations = append(violations, "production/limits "+spec+container+".resources."+resource)
		}
	}
	// A native sidecar runs as long as the others, so it needs probes too; an ordinary init container does not.
	for _, container := range []string{`.initContainers[name="proxy"]`, `.containers[name="checkout"]`, `.containers[name="metrics"]`} {
		violations = append(violations, "production/probes "+spec+container+".readinessProbe\n", "production/probes "+spec+container+"\n")
	}
	return append(violations, "production/non-root "+spec)
}

func TestControllersKeepWorking(t *testing.T) {
	t.Run("the namespace has its service account and the cluster's CA", func(t *testing.T) {
		for _, path := range []string{"serviceaccounts/default", "configmaps/kube-root-ca.crt"} {
			eventually(t, func() error { _, err := cluster.Admin.Get("/api/v1/namespaces/production/" + path); return err })
		}
	})
	t.Run("every kind of owner has its children", func(t *testing.T) {
		exist(t, 1, pods+"?labelSelector=app%3Dweb")
		exist(t, 1, pods+"?labelSelector=app%3Dstore")
		exist(t, 1, pods+"?labelSelector=app%3Dagent")
		exist(t, 1, pods+"?labelSelector=job-name%3Dmigrate")
		exist(t, 1, pods+"?labelSelector=app%3Dlegacy")
		exist(t, 1, pods+"?labelSelector=app%3Dtrainer")
		exist(t, 2, "/api/v1/namespaces/production/persistentvolumeclaims") // of the StatefulSet and of trainer's Pod
		exist(t, 1, "/apis/resource.k8s.io/v1/namespaces/production/resourceclaims")
		exist(t, 1, "/apis/discovery.k8s.io/v1/namespaces/production/endpointslices?labelSelector=kubernetes.io/service-name%3Dweb")
		exist(t, 1, "/apis/discovery.k8s.io/v1/namespaces/production/endpointslices?labelSelector=kubernetes.io/service-name%3Ddatabase")
		exist(t, 1, "/apis/apps/v1/namespaces/production/controllerrevisions")
	})
	t.Run("controllers write the status of what they own", func(t *testing.T) {
		eventually(t, func() error {
			budget, err := cluster.Admin.Get("/apis/policy/v1/namespaces/production/poddisruptionbudgets/web")
			if err == nil && budget.Number("status", "expectedPods") == 0 {
				err = errors.New("the disruption budget counts no Pods")
			}
			return err
		})
		eventually(t, func() error {
			quota, err := cluster.Admin.Get("/api/v1/namespaces/production/resourcequotas/roof")
			if err == nil && quota.Text("status", "used", "pods") == "" {
				err = errors.New("the quota counts no Pods")
			}
			return err
		})
	})
	t.Run("the autoscaler scales, and the ReplicaSet controller follows up and down", func(t *testing.T) {
		fluxApplies(t, inGit(t, "three at least", edited("autoscaler.yaml", "minReplicas: 1", "minReplicas: 3")))
		webHas(t, 3)
		fluxApplies(t, inGit(t, "two at most", edited("autoscaler.yaml", "minReplicas: 3", "minReplicas: 1"),
			edited("autoscaler.yaml", "maxReplicas: 5", "maxReplicas: 2")))
		webHas(t, 2)
	})
	t.Run("the garbage collector removes the children of what Flux prunes", func(t *testing.T) {
		fluxApplies(t, inGit(t, "a short-lived shop", file("shop.yaml")))
		exist(t, 3, pods+"?labelSelector=app%3Dshop")
		fluxApplies(t, inGit(t, "no shop", removed("shop.yaml")))
		eventually(t, func() error {
			for _, path := range []string{"/apis/apps/v1/namespaces/production/replicasets", pods} {
				left, err := cluster.Admin.List(path + "?labelSelector=app%3Dshop")
				if err != nil || len(left) > 0 {
					return errors.Join(err, fmt.Errorf("%d objects of shop are left at %s", len(left), path))
				}
			}
			return nil
		})
	})
	t.Run("the controller manager fills the Secret of a service account's token", func(t *testing.T) {
		eventually(t, func() error {
			secret, err := cluster.Admin.Get("/api/v1/namespaces/production/secrets/robot")
			if err == nil && secret.Text("data", "token") == "" {
				err = errors.New("the Secret has no token")
			}
			return err
		})
	})
	t.Run("a claim is bound to a volume", func(t *testing.T) {
		allowed(t, cluster.Operator.Kubectl("create", "-f", cluster.Manifest("volume.yaml")))
		eventually(t, func() error {
			claim, err := cluster.Admin.Get("/api/v1/namespaces/production/persistentvolumeclaims/data-store-0")
			if err == nil && claim.Text("status", "phase") != "Bound" {
				err = fmt.Errorf("the claim is %s", claim.Text("status", "phase"))
			}
			return err
		})
	})
	t.Run("a Job runs to its end and is tidied away", func(t *testing.T) {
		pod := aPodWith(t, "job-name=once")
		must(t, cluster.RunPod("production", pod))
		must(t, cluster.FinishPod("production", pod))
		gone(t, "/apis/batch/v1/namespaces/production/jobs/once")
	})
	t.Run("a Pod is evicted within its disruption budget", func(t *testing.T) {
		pod := aPodWith(t, "app=movable")
		must(t, cluster.RunPod("production", pod))
		eventually(t, func() error { return cluster.EvictPod("production", pod) })
		eventually(t, func() error { return cluster.EndPods("production") })
		gone(t, pods+"/"+pod)
	})
	t.Run("a tainted Node loses its Pods", func(t *testing.T) {
		pod := aPod(t)
		must(t, cluster.RunPod("production", pod))
		allowed(t, cluster.Operator.Kubectl("taint", "node", "node-1", "broken=yes:NoExecute"))
		eventually(t, func() error { return cluster.EndPods("production") })
		allowed(t, cluster.Operator.Kubectl("taint", "node", "node-1", "broken-"))
		gone(t, pods+"/"+pod)
	})
	noControllerWasDenied(t)
}

// webHas waits until the Deployment and its ReplicaSet ask for so many Pods and that many exist.
func webHas(t *testing.T, replicas int) {
	t.Helper()
	eventually(t, func() error {
		web, err := cluster.Admin.Get(deployments + "/web")
		if err != nil {
			return err
		}
		if wanted, there := web.Number("spec", "replicas"), web.Number("status", "replicas"); wanted != replicas || there < replicas {
			return fmt.Errorf("web wants %d Pods and has %d, not %d", wanted, there, replicas)
		}
		return nil
	})
}

func TestStagingIsUntouched(t *testing.T) {
	for name, arguments := range map[string][]string{
		"an edit":  {"set", "image", "deployment/web", "web=nginx:experiment"},
		"scaling":  {"scale", "deployment/web", "--replicas=2"},
		"a create": {"create", "configmap", "mine", "--from-literal=a=b"},
	} {
		t.Run(name, func(t *testing.T) {
			outcome := alice.Kubectl(append([]string{"-n", "staging"}, arguments...)...)
			allowed(t, outcome)
			if strings.Contains(outcome.Errors, "Warning") {
				t.Errorf("kubectl shows a warning:\n%s", outcome)
			}
		})
	}
	t.Run("a Pod that breaks every rule of production", func(t *testing.T) {
		manifest, err := cluster.App("toolbox.yaml")
		must(t, err)
		allowed(t, alice.KubectlWith(strings.Replace(manifest, "namespace: production", "namespace: staging", 1), "apply", "-f", "-"))
	})
	t.Run("a delete", func(t *testing.T) {
		allowed(t, alice.Kubectl("-n", "staging", "delete", "deployment", "web"))
	})
}

func TestWithoutFluxgateTheClusterFailsClosedAndLives(t *testing.T) {
	before, err := guard.Records()
	must(t, err)

	t.Run("SIGTERM ends the server in order", func(t *testing.T) {
		if err := guard.Stop(); err != nil {
			t.Errorf("fluxgate serve ended with: %v", err)
		}
	})
	t.Run("a person's writes to production are refused", func(t *testing.T) {
		unreachable(t, alice.Kubectl("-n", "production", "set", "image", "deployment/web", "web=nginx:evil"))
		unreachable(t, alice.Kubectl("-n", "production", "delete", "deployment", "web", "--wait=false"))
		unreachable(t, alice.Kubectl("-n", "production", "exec", aPod(t), "--", "id"))
	})
	revision := inGit(t, "a change nobody can judge", edited("web.yaml", "nginx:1.27.0", "nginx:1.27.1"))
	t.Run("Flux's writes to production are refused, and it can still say so", func(t *testing.T) {
		_, err := cluster.Flux.Refused(revision, "failed calling webhook")
		must(t, err)
		if running := image(t); running != "nginx:1.27.0" {
			t.Errorf("web runs %s", running)
		}
	})
	t.Run("the control plane lives", func(t *testing.T) {
		must(t, cluster.Alive())
		must(t, cluster.Admin.Do(http.MethodGet, "/readyz", "", nil, nil))
		must(t, cluster.Admin.Do(http.MethodGet, "/livez", "", nil, nil))
	})
	t.Run("nodes, leases, events and the system namespaces need no Fluxgate", func(t *testing.T) {
		must(t, cluster.Heartbeat())
		allowed(t, cluster.Operator.Kubectl("-n", "kube-system", "create", "configmap", "during-the-outage"))
		allowed(t, cluster.Operator.Kubectl("-n", "production", "create", "-f", cluster.Manifest("lease.yaml")))
		allowed(t, cluster.Operator.Kubectl("create", "namespace", "born-during-the-outage"))
		allowed(t, cluster.Operator.Kubectl("-n", "flux-system", "create", "configmap", "during-the-outage"))
	})
	t.Run("when it is back Flux delivers what waited", func(t *testing.T) {
		must(t, guard.Start())
		fluxApplies(t, revision)
		if running := image(t); running != "nginx:1.27.1" {
			t.Errorf("web runs %s", running)
		}
	})
	t.Run("controllers catch up with what they could not do", func(t *testing.T) {
		for _, path := range []string{"serviceaccounts/default", "configmaps/kube-root-ca.crt"} {
			eventually(t, func() error {
				_, err := cluster.Admin.Get("/api/v1/namespaces/born-during-the-outage/" + path)
				return err
			})
		}
	})
	t.Run("and people are refused by policy again", func(t *testing.T) {
		refused(t, alice.Kubectl("-n", "production", "set", "image", "deployment/web", "web=nginx:evil"))
	})
	t.Run("a killed server has kept the record that it named a moment before", func(t *testing.T) {
		found := refused(t, alice.Kubectl("-n", "production", "delete", "service", "web", "--wait=false"))
		guard.Kill()
		must(t, guard.Start())
		recordOf(t, found)
	})
	t.Run("no record was lost in all this", func(t *testing.T) {
		after, err := guard.Records()
		must(t, err)
		ids := map[string]bool{}
		for _, record := range after {
			ids[record.Text("id")] = true
		}
		for _, record := range before {
			if !ids[record.Text("id")] {
				t.Errorf("the log lost record %s", record.Text("id"))
			}
		}
		must(t, guard.Verify())
	})
}

func TestCronJobsRun(t *testing.T) {
	must(t, lab.Eventually(cronPatience, func() error {
		jobs, err := cluster.Admin.List("/apis/batch/v1/namespaces/production/jobs")
		if err != nil {
			return err
		}
		for _, job := range jobs {
			if strings.HasPrefix(job.Text("metadata", "name"), "report-") {
				return nil
			}
		}
		return errors.New("the CronJob has started no Job")
	}))
}

func TestFluxMayRemoveALockedNamespace(t *testing.T) {
	must(t, cluster.RunPod("production", aPod(t)))
	fluxApplies(t, inGit(t, "the end of the shop", removed("namespaces.yaml", "web.yaml",
		"staging-web.yaml", "autoscaler.yaml", "quota.yaml", "children.yaml", "more-children.yaml", "movable.yaml")))
	eventually(t, func() error { return cluster.EndPods("production") })
	gone(t, "/api/v1/namespaces/production")
	noControllerWasDenied(t)
}

// noControllerWasDenied asks both witnesses: our log, and the API server's, which knows nothing of ours.
func noControllerWasDenied(t *testing.T) {
	t.Helper()
	t.Run("no built-in controller was denied", func(t *testing.T) {
		must(t, guard.Alive())
		events, err := cluster.APIAudit()
		must(t, err)
		writes, denied := 0, map[string]string{}
		for _, event := range events {
			user := event.Text("user", "username")
			if !strings.HasPrefix(user, controllers) && !strings.HasPrefix(user, "system:node") &&
				user != "system:kube-scheduler" && user != "system:kube-controller-manager" && user != "system:apiserver" {
				continue
			}
			if event.Text("objectRef", "namespace") == "production" {
				writes++
			}
			if lab.DeniedByUs(event) {
				request := strings.Join([]string{user, event.Text("verb"), event.Text("objectRef", "resource"), event.Text("objectRef", "subresource")}, " ")
				denied[request] = event.Text("responseStatus", "message")
			}
		}
		for request, message := range denied {
			t.Errorf("%s: %s", request, message)
		}
		if writes == 0 {
			t.Error("the API server's audit log holds no write of a controller: this check checks nothing")
		}
		records, err := guard.Records()
		must(t, err)
		for _, record := range records {
			// Without a uid it was somebody who impersonated one.
			if strings.HasPrefix(record.Text("user", "username"), controllers) && record.Text("user", "uid") != "" &&
				record.Text("decision") == "denied" {
				t.Errorf("our log holds the denial of a controller: %v", record)
			}
		}
	})
}
