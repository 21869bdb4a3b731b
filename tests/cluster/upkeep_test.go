package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"fluxgate.dev/tests/cluster/lab"
)

const upkeepRules = `  - name: only-git
    lock: {writers: [flux, kubernetes], scope: object}
  - name: limits
    resources: {limits: [memory]}
  - name: probes
    probes: {all: [readinessProbe], kinds: [Deployment, ReplicaSet]}
  - name: non-root
    podSecurity: {level: restricted, checks: [runAsNonRoot]}
`

// A Deployment that the rule `probes` refuses; its Pods are what every rule wants.
const probelessDeployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: probeless
spec:
  replicas: 2
  selector:
    matchLabels: {app: probeless}
  template:
    metadata:
      labels: {app: probeless}
    spec:
      securityContext: {runAsNonRoot: true}
      containers:
      - name: main
        image: shop/main:1
        resources: {limits: {memory: 64Mi}}
`

// A Pod without a limit, which may be root.
const oldPod = `apiVersion: v1
kind: Pod
metadata:
  name: old
spec:
  containers:
  - name: main
    image: shop/main:1
    resources: {requests: {cpu: 10m}}
`

// What was there before a policy, and violates it, can be kept, scaled, finalised and removed; and mended, but not made worse.
func TestOldViolationsAreNoTrap(t *testing.T) {
	own := startOwnGuard(t, "upkeep", onePolicy("nowhere", upkeepRules))
	flux := cluster.Flux.Controller
	for _, manifest := range []string{bareDeployment, probelessDeployment, oldPod} {
		allowed(t, own.applies(alice, manifest))
	}
	own.hasPods(t, "bare", 2)
	own.hasPods(t, "probeless", 2)
	own.enforce(t, onePolicy("upkeep", upkeepRules))

	t.Run("the policy is in force: none of them could be made now", func(t *testing.T) {
		for manifest, rules := range map[string][]string{
			bareDeployment:      {"limits", "probes", "non-root"},
			probelessDeployment: {"probes"},
			oldPod:              {"limits", "non-root"},
		} {
			found := refused(t, own.applies(flux, strings.Replace(manifest, "  name: ", "  name: another-", 1)))
			for _, rule := range rules {
				found.names(t, "- upkeep/"+rule+" ")
			}
			found.saysNothingOf(t, "only-git")
		}
	})
	for _, object := range []string{"deployment/bare", "deployment/probeless", "pod/old"} {
		t.Run(object+": labels, annotations, finalizers", func(t *testing.T) {
			allowed(t, own.as(flux, "label", object, "touched=yes"))
			allowed(t, own.as(flux, "annotate", object, "touched=yes"))
			allowed(t, own.as(flux, "patch", object, "--type=merge", "--patch", `{"metadata":{"finalizers":["example.com/hold"]}}`))
			allowed(t, own.as(flux, "patch", object, "--type=merge", "--patch", `{"metadata":{"finalizers":null}}`))
			found := refused(t, own.as(alice, "label", object, "touched=again", "--overwrite"))
			found.names(t, "- upkeep/only-git")
			found.saysNothingOf(t, "upkeep/limits")
		})
	}
	t.Run("a status", func(t *testing.T) {
		allowed(t, own.as(flux, "patch", "deployment", "bare", "--subresource=status", "--type=merge", "--patch", `{"status":{"observedGeneration":1}}`))
	})
	t.Run("what a rule reads is judged: a change that leaves it wrong is refused, by that rule only", func(t *testing.T) {
		// A template that changes makes new Pods, so all that is wrong with it is said where it is written.
		found := refused(t, own.as(flux, "set", "resources", "deployment/bare", "--requests=cpu=10m"))
		found.names(t, `- upkeep/limits .spec.template.spec.containers[name="main"].resources.limits.memory: `)
		found.names(t, "- upkeep/non-root ")
		own.recordOf(t, found)

		found = refused(t, own.as(flux, "patch", "pod", "old", "--subresource=resize", "--patch", `{"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"20m"}}}]}}`))
		found.startsWith(t, "Fluxgate denied UPDATE pods/resize upkeep/old by "+fluxUser)
		found.names(t, `- upkeep/limits .spec.containers[name="main"].resources.limits.memory: `)
		found.saysNothingOf(t, "upkeep/non-root")

		found = refused(t, own.as(flux, "debug", "old", "--image=busybox:1.37", "--target=main", "--container=debugger"))
		found.startsWith(t, "Fluxgate denied UPDATE pods/ephemeralcontainers upkeep/old by "+fluxUser)
		found.names(t, "- upkeep/non-root ")
		found.saysNothingOf(t, "upkeep/limits")

		// podSecurity reads images as Kubernetes' own does: another image is another Pod.
		found = refused(t, own.as(flux, "set", "image", "pod/old", "main=shop/main:2"))
		found.names(t, "- upkeep/non-root ")
		found.saysNothingOf(t, "upkeep/limits")
	})
	t.Run("an old Pod is bound, gets its token and its status, by a scheduler and a kubelet", func(t *testing.T) {
		must(t, cluster.RunPod("upkeep", "old"))
	})
	t.Run("an old ReplicaSet is scaled down and up by the Deployment controller", func(t *testing.T) {
		for _, replicas := range []int{1, 3} {
			allowed(t, own.as(flux, "scale", "deployment/probeless", fmt.Sprint("--replicas=", replicas)))
			own.hasPods(t, "probeless", replicas)
		}
	})
	t.Run("if its Pods are wrong too, it is scaled down; up only when that is mended, and the ReplicaSet says why", func(t *testing.T) {
		allowed(t, own.as(flux, "scale", "deployment/bare", "--replicas=1"))
		own.hasPods(t, "bare", 1)
		allowed(t, own.as(flux, "scale", "deployment/bare", "--replicas=2"))
		eventually(t, func() error {
			set, err := own.replicaSetOf("bare")
			if err != nil {
				return err
			}
			status, message := set.Condition("ReplicaFailure")
			if status != "True" || !strings.Contains(message, "Fluxgate denied CREATE pods upkeep/") || set.Number("spec", "replicas") != 2 {
				return fmt.Errorf("the ReplicaSet wants %d Pods; ReplicaFailure is %q: %s", set.Number("spec", "replicas"), status, message)
			}
			return nil
		})
		allowed(t, own.as(flux, "scale", "deployment/bare", "--replicas=1"))
		own.hasPods(t, "bare", 1)
	})
	t.Run("a rollout that leaves the violation is refused where it is asked for, and the Pods stay", func(t *testing.T) {
		found := refused(t, own.as(flux, "rollout", "restart", "deployment/bare"))
		found.startsWith(t, "Fluxgate denied UPDATE deployments.apps upkeep/bare by "+fluxUser)
		found.names(t, "- upkeep/limits ")
		own.hasPods(t, "bare", 1)
	})
	t.Run("a correction of everything is rolled out", func(t *testing.T) {
		allowed(t, own.as(flux, "patch", "deployment", "bare", "--patch", `{"spec":{"template":{"spec":{
			"securityContext":{"runAsNonRoot":true},
			"containers":[{"name":"main","resources":{"limits":{"memory":"64Mi"}},"readinessProbe":{"tcpSocket":{"port":8080}}}]}}}}`))
		eventually(t, func() error {
			pods, err := cluster.Admin.List(own.path("pods?labelSelector=app%3Dbare"))
			if err != nil {
				return err
			}
			for _, pod := range pods {
				if pod.At("spec", "securityContext", "runAsNonRoot") == true {
					return nil
				}
			}
			return fmt.Errorf("none of %d Pods is new", len(pods))
		})
	})
	t.Run("what is wrong can be removed, through its finalizers", func(t *testing.T) {
		allowed(t, own.as(flux, "patch", "deployment", "probeless", "--type=merge", "--patch", `{"metadata":{"finalizers":["example.com/hold"]}}`))
		allowed(t, own.as(flux, "delete", "deployment", "probeless", "--wait=false"))
		allowed(t, own.as(flux, "patch", "deployment", "probeless", "--type=merge", "--patch", `{"metadata":{"finalizers":null}}`))
		gone(t, own.path("apps/deployments/probeless"))
		eventually(t, func() error {
			left, err := cluster.Admin.List(own.path("pods?labelSelector=app%3Dprobeless"))
			if err == nil && len(left) > 0 {
				err = fmt.Errorf("%d Pods are left", len(left))
			}
			return err
		})
	})
}

// hasPods waits until so many Pods of a Deployment are there and not being deleted.
func (own *ownGuard) hasPods(t *testing.T, app string, wanted int) {
	t.Helper()
	eventually(t, func() error {
		pods, err := cluster.Admin.List(own.path("pods?labelSelector=app%3D" + app))
		if err != nil {
			return err
		}
		there := 0
		for _, pod := range pods {
			if pod.Text("metadata", "deletionTimestamp") == "" {
				there++
			}
		}
		if there != wanted {
			return fmt.Errorf("%s has %d Pods, not %d", app, there, wanted)
		}
		return nil
	})
}

// replicaSetOf a Deployment that has one.
func (own *ownGuard) replicaSetOf(app string) (lab.Object, error) {
	found, err := cluster.Admin.List(own.path("apps/replicasets?labelSelector=app%3D" + app))
	if err != nil || len(found) != 1 {
		return nil, errors.Join(err, fmt.Errorf("%s has %d ReplicaSets", app, len(found)))
	}
	return found[0], nil
}
