package cluster

import (
	"fmt"
	"strings"
	"testing"

	"fluxgate.dev/tests/cluster/lab"
)

const defaultsRules = `  - name: fill
    defaults:
      podSecurity: restricted
      automountServiceAccountToken: false
      resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {memory: 64Mi}}
  - name: restricted
    podSecurity: {level: restricted}
  - name: limits
    resources: {requests: [cpu, memory], limits: [memory]}
`

// barePod states nothing that a default is for.
const barePod = `apiVersion: v1
kind: Pod
metadata:
  name: bare
spec:
  initContainers:
  - {name: first, image: "shop/first:1"}
  - {name: beside, image: "shop/beside:1", restartPolicy: Always}
  containers:
  - {name: main, image: "shop/main:1"}
`

// modestPod states everything that a default is for, each time something else.
const modestPod = `apiVersion: v1
kind: Pod
metadata:
  name: modest
spec:
  automountServiceAccountToken: true
  securityContext:
    runAsNonRoot: true
    seccompProfile: {type: Localhost, localhostProfile: mine.json}
  containers:
  - name: main
    image: shop/main:1
    securityContext:
      allowPrivilegeEscalation: false
      capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}
    resources:
      requests: {cpu: 20m, memory: 48Mi}
      limits: {cpu: 500m, memory: 96Mi}
`

const bareDeployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: bare
spec:
  replicas: 2
  selector:
    matchLabels: {app: bare}
  template:
    metadata:
      labels: {app: bare}
    spec:
      containers:
      - {name: main, image: "shop/main:1"}
`

func TestDefaultsFillNewPods(t *testing.T) {
	own := startOwnGuard(t, "filled", onePolicy("filled", defaultsRules))
	must(t, cluster.Register("mutating-webhook.yaml", own.Address, own.CA, func() error {
		filled, err := dryRunPod("filled")
		if err == nil && filled.At("spec", "securityContext", "runAsNonRoot") != true {
			err = fmt.Errorf("the API server does not call the webhook yet")
		}
		return err
	}, "${NAME}", "m-fluxgate", "${NAMESPACE}", "filled"))
	t.Cleanup(func() { unregister(t, "mutatingwebhookconfiguration", "m-fluxgate") })
	// A second witness: Kubernetes' own Pod Security.
	allowed(t, cluster.Operator.Kubectl("label", "namespace", "filled", "pod-security.kubernetes.io/enforce=restricted"))

	t.Run("a Pod that states nothing", func(t *testing.T) {
		before := own.mutations(t)
		allowed(t, own.applies(alice, barePod))
		pod, err := cluster.Admin.Get(own.path("pods/bare"))
		must(t, err)
		isFilled(t, pod)
		if mounts := tokenMounts(pod); len(mounts) > 0 {
			t.Errorf("the token is mounted all the same: %v", mounts)
		}
		own.wasAsked(t, before, 1)
	})
	t.Run("what a Pod states is left as it is, the token that it asks for too", func(t *testing.T) {
		allowed(t, own.applies(alice, modestPod))
		pod, err := cluster.Admin.Get(own.path("pods/modest"))
		must(t, err)
		container := containersOf(pod, "containers")[0]
		for _, field := range []struct{ have, want any }{
			{pod.At("spec", "securityContext", "seccompProfile", "type"), "Localhost"},
			{pod.At("spec", "automountServiceAccountToken"), true},
			{fmt.Sprint(container.At("securityContext", "capabilities")), "map[add:[NET_BIND_SERVICE] drop:[ALL]]"},
			{fmt.Sprint(container.At("resources")), "map[limits:map[cpu:500m memory:96Mi] requests:map[cpu:20m memory:48Mi]]"},
		} {
			if field.have != field.want {
				t.Errorf("have %v, want %v", field.have, field.want)
			}
		}
		if mounts := tokenMounts(pod); len(mounts) != 2 {
			t.Errorf("the token that was asked for is not mounted: %v", mounts)
		}
	})
	t.Run("a Pod that no default can mend is refused, not repaired", func(t *testing.T) {
		greedy := strings.NewReplacer("name: bare", "name: greedy", `image: "shop/main:1"`, `image: "shop/main:1", resources: {requests: {memory: 1Gi}}`).Replace(barePod)
		found := refused(t, own.applies(alice, greedy))
		found.names(t, `- filled/limits .spec.containers[name="main"].resources.limits.memory: `)
		if len(found.violations) != 1 {
			t.Errorf("one thing is wrong, not %d:\n%s", len(found.violations), found.text)
		}
	})
	t.Run("a Deployment may rely on the defaults, stays as it was written, and its Pods are filled", func(t *testing.T) {
		allowed(t, own.applies(alice, bareDeployment))
		deployment, err := cluster.Admin.Get(own.path("apps/deployments/bare"))
		must(t, err)
		template := lab.Object(deployment.At("spec", "template").(map[string]any))
		if context, resources := template.At("spec", "securityContext"), containersOf(template, "containers")[0].At("resources"); fmt.Sprint(context, resources) != "map[] map[]" {
			t.Errorf("the template was changed: %v %v", context, resources)
		}
		exist(t, 2, own.path("pods?labelSelector=app%3Dbare"))
		pods, err := cluster.Admin.List(own.path("pods?labelSelector=app%3Dbare"))
		must(t, err)
		if len(pods) != 2 {
			t.Errorf("%d Pods, not two: the controller does not recognise its own", len(pods))
		}
		for _, pod := range pods {
			isFilled(t, pod)
			if mounts := tokenMounts(pod); len(mounts) > 0 {
				t.Errorf("the token is mounted all the same: %v", mounts)
			}
		}
	})
	t.Run("Flux applies a Pod and a Deployment that rely on the defaults, and finds nothing to correct afterwards", func(t *testing.T) {
		notLeftInGit(t, "filled-pod.yaml", "filled-deployment.yaml")
		inNamespace := strings.NewReplacer("name: bare\n", "name: from-git\n  namespace: filled\n", "app: bare", "app: from-git").Replace
		fluxApplies(t, inGit(t, "relying on defaults", cluster.Git.Write("filled-pod.yaml", inNamespace(barePod)),
			cluster.Git.Write("filled-deployment.yaml", inNamespace(bareDeployment))))
		exist(t, 2, own.path("pods?labelSelector=app%3Dfrom-git"))
		pod, err := cluster.Admin.Get(own.path("pods/from-git"))
		must(t, err)
		isFilled(t, pod)
		fluxApplies(t, inGit(t, "nothing new"))
		again, err := cluster.Admin.Get(own.path("pods/from-git"))
		must(t, err)
		if was, is := pod.Text("metadata", "resourceVersion"), again.Text("metadata", "resourceVersion"); was != is {
			t.Errorf("the Pod was written again: version %s, was %s", is, was)
		}
		deployment, err := cluster.Admin.Get(own.path("apps/deployments/from-git"))
		must(t, err)
		if generation := deployment.Number("metadata", "generation"); generation != 1 {
			t.Errorf("the Deployment was written again: generation %d", generation)
		}
		fluxApplies(t, inGit(t, "no more of that", removed("filled-pod.yaml", "filled-deployment.yaml")))
		gone(t, own.path("pods/from-git"))
	})
	t.Run("what another webhook adds later is filled too, and asking again comes to an end", func(t *testing.T) {
		injector := startInjector(t, "z-injector", "filled", func(request *lab.ReviewRequest) []lab.Object {
			if len(containersOf(request.Object, "containers")) != 1 {
				return nil
			}
			return []lab.Object{{"op": "add", "path": "/spec/containers/-", "value": lab.Object{"name": "injected", "image": "mesh/proxy:1"}}}
		}, "injected")
		before := own.mutations(t)
		allowed(t, own.applies(alice, strings.Replace(barePod, "name: bare", "name: meshed", 1)))
		pod, err := cluster.Admin.Get(own.path("pods/meshed"))
		must(t, err)
		if found := containersOf(pod, "containers"); len(found) != 2 {
			t.Fatalf("%d containers, not two", len(found))
		}
		isFilled(t, pod)
		if mounts := tokenMounts(pod); len(mounts) > 0 {
			t.Errorf("the token is mounted all the same: %v", mounts)
		}
		own.wasAsked(t, before, 2)
		if asked := len(injector.Seen(podNamed("meshed"))); asked != 2 {
			t.Errorf("the other webhook was asked %d times, not twice", asked)
		}
	})
}

// The reason why a default for automountServiceAccountToken has to take a volume out. If Kubernetes changes this, policy/rules/defaults
// should know.
func TestTheTokenIsMountedBeforeWebhooksAreAsked(t *testing.T) {
	makeNamespace(t, "unfilled")
	recorder := startInjector(t, "only-the-field", "unfilled", func(*lab.ReviewRequest) []lab.Object {
		return []lab.Object{{"op": "add", "path": "/spec/automountServiceAccountToken", "value": false}}
	}, "")
	allowed(t, alice.KubectlWith(barePod, "-n", "unfilled", "create", "-f", "-"))

	seen := recorder.Seen(podNamed("bare"))
	if len(seen) != 1 {
		t.Fatalf("the webhook was asked %d times, not once", len(seen))
	}
	if mounts := tokenMounts(seen[0].Object); len(mounts) != 4 {
		t.Errorf("the review has the token in %v, not in a volume and three containers", mounts)
	}
	pod, err := cluster.Admin.Get("/api/v1/namespaces/unfilled/pods/bare")
	must(t, err)
	if pod.At("spec", "automountServiceAccountToken") != false {
		t.Error("the field was not set")
	}
	if mounts := tokenMounts(pod); len(mounts) != 4 {
		t.Errorf("with the field alone the token is mounted in %v, not in a volume and three containers", mounts)
	}
}

// startInjector registers a mutating webhook that is not ours. With `container`, it is one that adds a container of that name;
// without, one that turns the token off.
func startInjector(t *testing.T, name, namespace string, patch func(*lab.ReviewRequest) []lab.Object, container string) *lab.Recorder {
	t.Helper()
	recorder, err := lab.StartRecorder()
	must(t, err)
	recorder.Patch = patch
	t.Cleanup(recorder.Stop)
	must(t, cluster.Register("mutating-webhook.yaml", recorder.Address, recorder.CA, func() error {
		pod, err := dryRunPod(namespace)
		if err != nil {
			return err
		}
		containers := containersOf(pod, "containers")
		if container != "" && containers[len(containers)-1].Text("name") == container {
			return nil
		}
		if container == "" && pod.At("spec", "automountServiceAccountToken") == false {
			return nil
		}
		return fmt.Errorf("the API server does not call the webhook yet")
	}, "${NAME}", name, "${NAMESPACE}", namespace))
	t.Cleanup(func() { unregister(t, "mutatingwebhookconfiguration", name) })
	return recorder
}

func dryRunPod(namespace string) (lab.Object, error) {
	return cluster.Admin.Create("/api/v1/namespaces/"+namespace+"/pods?dryRun=All", lab.Object{
		"apiVersion": "v1", "kind": "Pod", "metadata": lab.Object{"name": "is-anybody-there"},
		"spec": lab.Object{"containers": []lab.Object{{"name": "main", "image": "shop/main:1"}}}})
}

// mutations is how often we were asked so far: with something to fill, and without.
func (own *ownGuard) mutations(t *testing.T) [2]float64 {
	t.Helper()
	patched, err := own.Metric(`fluxgate_admission_mutations_total{result="patched"}`)
	must(t, err)
	unchanged, err := own.Metric(`fluxgate_admission_mutations_total{result="unchanged"}`)
	must(t, err)
	return [2]float64{patched, unchanged}
}

// wasAsked checks that there was something to fill each time, so often since `before`.
func (own *ownGuard) wasAsked(t *testing.T, before [2]float64, times float64) {
	t.Helper()
	now := own.mutations(t)
	if patched, unchanged := now[0]-before[0], now[1]-before[1]; patched != times || unchanged != 0 {
		t.Errorf("we were asked %v times with and %v times without something to fill, not %v and 0", patched, unchanged, times)
	}
}

func podNamed(name string) func(*lab.ReviewRequest) bool {
	return func(request *lab.ReviewRequest) bool {
		return !request.DryRun && request.Object.Text("metadata", "name") == name
	}
}

// isFilled checks a Pod whose author stated nothing.
func isFilled(t *testing.T, pod lab.Object) {
	t.Helper()
	is := func(what string, have, want any) {
		t.Helper()
		if fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("%s: have %v, want %v", what, have, want)
		}
	}
	is("runAsNonRoot", pod.At("spec", "securityContext", "runAsNonRoot"), true)
	is("seccompProfile", pod.At("spec", "securityContext", "seccompProfile"), "map[type:RuntimeDefault]")
	is("automountServiceAccountToken", pod.At("spec", "automountServiceAccountToken"), false)
	for _, list := range []string{"initContainers", "containers"} {
		for _, container := range containersOf(pod, list) {
			name := container.Text("name")
			is(name+" securityContext", container.At("securityContext"), "map[allowPrivilegeEscalation:false capabilities:map[drop:[ALL]]]")
			is(name+" resources", container.At("resources"), "map[limits:map[memory:64Mi] requests:map[cpu:10m memory:32Mi]]")
		}
	}
}

// containersOf a Pod or a template.
func containersOf(pod lab.Object, list string) (containers []lab.Object) {
	items, _ := pod.At("spec", list).([]any)
	for _, item := range items {
		containers = append(containers, lab.Object(item.(map[string]any)))
	}
	return containers
}

// tokenMounts are the volume of the service account's token and where it is mounted.
func tokenMounts(pod lab.Object) (places []string) {
	volumes, _ := pod.At("spec", "volumes").([]any)
	for _, volume := range volumes {
		if name := lab.Object(volume.(map[string]any)).Text("name"); strings.HasPrefix(name, "kube-api-access-") {
			places = append(places, "volume "+name)
		}
	}
	for _, list := range []string{"initContainers", "containers"} {
		for _, container := range containersOf(pod, list) {
			mounts, _ := container.At("volumeMounts").([]any)
			for _, mount := range mounts {
				if strings.HasPrefix(lab.Object(mount.(map[string]any)).Text("mountPath"), "/var/run/secrets/kubernetes.io/") {
					places = append(places, "container "+container.Text("name"))
				}
			}
		}
	}
	return places
}
