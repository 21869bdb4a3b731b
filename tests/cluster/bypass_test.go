package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fluxgate.dev/tests/cluster/lab"
)

// The bypass suite: attack × kind × identity × path, as raw requests, so that hundreds of them take seconds. Each row names the way
// around "only Flux may write" that it tries, by its number in docs/reference/rules/escape.md.

// bypasses are the ways around; 0 is none: somebody simply writes.
var bypasses = map[int]string{
	0:  "a plain write",
	1:  "a token of Flux",
	2:  "a Secret that is a token of Flux",
	3:  "a Pod under Flux's account",
	4:  "impersonation, and RBAC that grants it",
	5:  "a certificate in Flux's name",
	6:  "the Namespace",
	8:  "Flux's own objects",
	9:  "switches, owners, managedFields, list keys",
	10: "subresources",
	11: "requests without a name",
	12: "cascades",
	13: "older versions of an object",
	17: "APIServices and CRDs",
	20: "accounts with broad rights",
}

// target is an object to attack.
type target struct {
	kind, apiVersion string
	list, name       string // list: its path
	field            string // a JSON pointer to something that Git declares
	evil             any    // a value that the API server would accept there
	status           lab.Object
	custom           bool // of a CRD: knows no strategic merge patch
	child            bool // made by a controller, so that Flux declares nothing of it
}

func targetsIn(namespace, pod string) []target {
	at := func(group, plural string) string {
		if !strings.Contains(group, "/") {
			return "/api/" + group + "/namespaces/" + namespace + "/" + plural
		}
		return "/apis/" + group + "/namespaces/" + namespace + "/" + plural
	}
	const image = "/spec/template/spec/containers/0/image"
	generation := lab.Object{"observedGeneration": 99}
	list := []target{
		{kind: "Deployment", apiVersion: "apps/v1", list: "deployments", name: "web", field: image, evil: "evil:1", status: generation},
		{kind: "StatefulSet", apiVersion: "apps/v1", list: "statefulsets", name: "store", field: image, evil: "evil:1", status: generation},
		{kind: "DaemonSet", apiVersion: "apps/v1", list: "daemonsets", name: "agent", field: image, evil: "evil:1", status: generation},
		{kind: "Service", apiVersion: "v1", list: "services", name: "web", field: "/spec/selector/app", evil: "evil",
			status: lab.Object{"conditions": []lab.Object{{"type": "Evil", "status": "True", "reason": "Evil", "message": "",
				"lastTransitionTime": "2026-01-01T00:00:00Z"}}}},
		{kind: "ConfigMap", apiVersion: "v1", list: "configmaps", name: "settings", field: "/data/colour", evil: "evil"},
		{kind: "Secret", apiVersion: "v1", list: "secrets", name: "password", field: "/data/password", evil: "ZXZpbA=="},
		{kind: "Ingress", apiVersion: "networking.k8s.io/v1", list: "ingresses", name: "web", field: "/spec/rules/0/host",
			evil:   "evil.example.com",
			status: lab.Object{"loadBalancer": lab.Object{"ingress": []lab.Object{{"ip": "10.9.9.9"}}}}},
		{kind: "CronJob", apiVersion: "batch/v1", list: "cronjobs", name: "report", field: "/spec/schedule", evil: "* * * * *",
			status: lab.Object{"lastScheduleTime": "2026-01-01T00:00:00Z"}},
		{kind: "HorizontalPodAutoscaler", apiVersion: "autoscaling/v2", list: "horizontalpodautoscalers", name: "web",
			field: "/spec/maxReplicas", evil: 9,
			status: lab.Object{"desiredReplicas": 9}},
		{kind: "PodDisruptionBudget", apiVersion: "policy/v1", list: "poddisruptionbudgets", name: "web", field: "/spec/maxUnavailable",
			evil:   9,
			status: lab.Object{"disruptionsAllowed": 9}},
		{kind: "NetworkPolicy", apiVersion: "networking.k8s.io/v1", list: "networkpolicies", name: "web",
			field: "/spec/podSelector/matchLabels/app", evil: "evil"},
		{kind: "ServiceAccount", apiVersion: "v1", list: "serviceaccounts", name: "robot", field: "/automountServiceAccountToken",
			evil: true},
		{kind: "Role", apiVersion: "rbac.authorization.k8s.io/v1", list: "roles", name: "reader", field: "/rules/0/verbs/0", evil: "list"},
		{kind: "RoleBinding", apiVersion: "rbac.authorization.k8s.io/v1", list: "rolebindings", name: "reader", field: "/subjects/0/name",
			evil: "evil"},
		{kind: "Pod", apiVersion: "v1", list: "pods", name: pod, field: "/spec/containers/0/image", evil: "evil:1", child: true,
			status: lab.Object{"phase": "Failed"}},
		{kind: "Kustomization", apiVersion: "kustomize.toolkit.fluxcd.io/v1", list: "kustomizations", name: "inner", field: "/spec/path",
			evil: "./evil", custom: true,
			status: lab.Object{"inventory": lab.Object{"entries": []lab.Object{}}}},
		{kind: "GitRepository", apiVersion: "source.toolkit.fluxcd.io/v1", list: "gitrepositories", name: "inner", field: "/spec/url",
			evil: "https://git.example.com/evil", custom: true,
			status: lab.Object{"artifact": artifactOf("http://evil.example.com/a.tar.gz")}},
		{kind: "HelmRepository", apiVersion: "source.toolkit.fluxcd.io/v1", list: "helmrepositories", name: "charts", field: "/spec/url",
			evil: "https://charts.example.com/evil", custom: true,
			status: lab.Object{"url": "http://evil.example.com"}},
		{kind: "HelmRelease", apiVersion: "helm.toolkit.fluxcd.io/v2", list: "helmreleases", name: "cache",
			field: "/spec/driftDetection/mode", evil: "disabled", custom: true,
			status: lab.Object{"lastAttemptedRevision": "9.9.9"}},
	}
	for i := range list {
		list[i].list = at(list[i].apiVersion, list[i].list)
	}
	return list
}

func artifactOf(address string) lab.Object {
	return lab.Object{"url": address, "path": "evil.tar.gz", "revision": "main@sha1:0000000000000000000000000000000000000000", "size": 1,
		"digest": "sha256:" + strings.Repeat("0", 64), "lastUpdateTime": "2026-01-01T00:00:00Z"}
}

func (target *target) path() string { return target.list + "/" + target.name }

// live is the object as it is now.
func (target *target) live() (lab.Object, error) { return cluster.Admin.Get(target.path()) }

// changed is the object with the evil value.
func (target *target) changed() (lab.Object, error) {
	object, err := target.live()
	if err == nil {
		err = set(object, target.field, target.evil)
	}
	return object, err
}

// part is the member of the changed object that holds the evil value: all that a patch needs to say.
func (target *target) part() (lab.Object, error) {
	object, err := target.changed()
	first, _, _ := strings.Cut(target.field[1:], "/")
	return lab.Object{first: object[first]}, err
}

// named is an object of this kind and name with nothing in it.
func (target *target) named() lab.Object {
	return lab.Object{"apiVersion": target.apiVersion, "kind": target.kind, "metadata": lab.Object{"name": target.name}}
}

// copyOf is a new object like it, under a name that the API server makes up.
func (target *target) copyOf() (lab.Object, error) {
	object, err := target.live()
	if err != nil {
		return nil, err
	}
	object["metadata"] = map[string]any{"generateName": "evil-"}
	delete(object, "status")
	if spec, ok := object["spec"].(map[string]any); ok {
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
		delete(spec, "nodeName")
	}
	return object, nil
}

// set writes a value at a JSON pointer.
func set(object lab.Object, pointer string, value any) error {
	var here any = map[string]any(object)
	steps := strings.Split(pointer[1:], "/")
	for i, step := range steps {
		last := i == len(steps)-1
		switch at := here.(type) {
		case map[string]any:
			if last {
				at[step] = value
			}
			here = at[step]
		case []any:
			index, err := strconv.Atoi(step)
			if err != nil || index >= len(at) {
				return fmt.Errorf("%s: no item %s", pointer, step)
			}
			if last {
				at[index] = value
			}
			here = at[index]
		default:
			return fmt.Errorf("%s leads nowhere at %s", pointer, step)
		}
	}
	return nil
}

// request is what is sent.
type request struct {
	method, path, contentType string
	body                      any
}

// caller is somebody with an identity, and the way around that the identity itself is.
type caller struct {
	name   string
	closes int
	client *lab.Client
	// What the API server may say instead of us, because RBAC gives the caller less than everything.
	lessThanAll string
}

// row is one attempt.
type row struct {
	closes   int
	what     string
	on       string
	by       caller
	make     func() (request, error)
	answered string // what the API server itself must say, of what it refuses before anybody is asked
}

func (row row) String() string {
	return fmt.Sprintf("#%d %s: %s, on %s, by %s", row.closes, bypasses[row.closes], row.what, row.on, row.by.name)
}

type suite struct {
	rules []string // that refuse, as denials write them
	rows  []row
	// by number: refused by us, by the API server
	ours, theirs map[int]int
}

func (suite *suite) add(closes int, what, on string, by caller, make func() (request, error)) {
	suite.rows = append(suite.rows, row{closes: closes, what: what, on: on, by: by, make: make})
}

// send makes one row happen, again if somebody else wrote in between, and says what is wrong with the outcome.
func (suite *suite) send(row row) error {
	var err error
	for range 5 {
		var asked request
		if asked, err = row.make(); err != nil {
			return fmt.Errorf("%s: cannot be tried: %w", row, err)
		}
		err = row.by.client.Do(asked.method, asked.path, asked.contentType, asked.body, nil)
		var refused *lab.RefusedError
		if !errors.As(err, &refused) || refused.Code != http.StatusConflict {
			break
		}
	}
	var refused *lab.RefusedError
	switch {
	case err == nil:
		return fmt.Errorf("%s: PASSES", row)
	case row.answered != "" && strings.Contains(err.Error(), row.answered):
		suite.theirs[row.closes]++
		return nil
	case !errors.As(err, &refused):
		return fmt.Errorf("%s: %w", row, err)
	case refused.Code == http.StatusForbidden && strings.Contains(refused.Message, `.fluxgate.dev" denied the request: Fluxgate denied `) &&
		slices.ContainsFunc(suite.rules, func(rule string) bool { return strings.Contains(refused.Message, "\n- "+rule) }):
		suite.ours[row.closes]++
		return nil
	case row.by.lessThanAll != "" && refused.Code == http.StatusForbidden && strings.Contains(refused.Message, row.by.lessThanAll):
		suite.theirs[row.closes]++
		return nil
	}
	return fmt.Errorf("%s: refused for another reason: %w", row, err)
}

// run tries every row and prints how many of each kind were refused.
func (suite *suite) run(t *testing.T, least int) {
	t.Helper()
	suite.ours, suite.theirs = map[int]int{}, map[int]int{}
	families := map[string][]row{}
	for _, row := range suite.rows {
		families[row.what] = append(families[row.what], row)
	}
	for _, what := range slices.Sorted(maps.Keys(families)) {
		t.Run(what, func(t *testing.T) {
			for _, row := range families[what] {
				if err := suite.send(row); err != nil {
					t.Error(err)
				}
			}
		})
	}
	total, byRBAC := 0, 0
	fmt.Printf("%5s %10s %10s  %s\n", "by", "Fluxgate", "API server", "refused")
	for _, number := range slices.Sorted(maps.Keys(bypasses)) {
		if suite.ours[number]+suite.theirs[number] > 0 {
			fmt.Printf("%5s %10d %10d  %s\n", "#"+strconv.Itoa(number), suite.ours[number], suite.theirs[number], bypasses[number])
		}
		total, byRBAC = total+suite.ours[number], byRBAC+suite.theirs[number]
	}
	fmt.Printf("%5s %10d %10d  of %d rows\n", "all", total, byRBAC, len(suite.rows))
	if total < least {
		t.Errorf("only %d rows were refused by Fluxgate, not %d or more", total, least)
	}
}

// callers are those whom RBAC allows everything, first the three whom most attacks are tried by, and an editor of the namespace.
func callersIn(t *testing.T, namespace string) []caller {
	t.Helper()
	deployer, err := cluster.AccountInPod("default", "deployer")
	must(t, err)
	erin, err := cluster.Person("erin@example.com", "editors-of-"+namespace)
	must(t, err)
	return []caller{
		{name: "a cluster-admin", client: alice.Client},
		{name: "whoever minted a token of Flux", closes: 1, client: thief(t).Client},
		{name: "a service account that may do everything", closes: 20, client: deployer.Client},
		{name: "a cluster-admin who impersonates Flux", closes: 4, client: alice.Client.As(fluxUser)},
		{name: "a certificate in Flux's name", closes: 5, client: lookAlike(t).Client},
		{name: "source-controller", closes: 20, client: sourceController.Client},
		{name: "an editor of the namespace", client: erin.Client, lessThanAll: `User "erin@example.com" cannot `},
	}
}

// closing is the number of the attack, or if it is a plain write, that of the identity.
func closing(attack int, by caller) int {
	if attack == 0 {
		return by.closes
	}
	return attack
}

func (suite *suite) changesOfDeclaredFields(targets []target, callers []caller) {
	for _, target := range targets {
		patch := func(contentType, query string) func() (request, error) {
			return func() (request, error) {
				if contentType == lab.ApplyPatch {
					// All of it: what Flux declares and this manager leaves out would be taken away, and an object must keep its shape.
					object, err := target.changed()
					delete(object, "status")
					maps.Copy(object, target.named())
					return request{http.MethodPatch, target.path() + query, contentType, object}, err
				}
				part, err := target.part()
				return request{http.MethodPatch, target.path() + query, contentType, part}, err
			}
		}
		for _, by := range callers {
			// source-controller is a writer of the objects it works for.
			if by.name == "source-controller" && strings.HasPrefix(target.apiVersion, "source.toolkit.fluxcd.io/") {
				continue
			}
			suite.add(closing(0, by), "a PUT of another value", target.kind, by, func() (request, error) {
				object, err := target.changed()
				return request{http.MethodPut, target.path(), lab.JSON, object}, err
			})
			suite.add(closing(0, by), "a JSON patch of another value", target.kind, by, func() (request, error) {
				return request{http.MethodPatch, target.path(), lab.JSONPatch,
					[]lab.Object{{"op": "replace", "path": target.field, "value": target.evil}}}, nil
			})
			suite.add(closing(0, by), "a merge patch of another value", target.kind, by, patch(lab.MergePatch, ""))
			if !target.custom {
				suite.add(closing(0, by), "a strategic merge patch of another value", target.kind, by, patch(lab.StrategicPatch, ""))
			}
			suite.add(closing(0, by), "a server-side apply of another value", target.kind, by,
				patch(lab.ApplyPatch, "?fieldManager=evil&force=true"))
			suite.add(9, "a server-side apply of another value, as manager kustomize-controller", target.kind, by,
				patch(lab.ApplyPatch, "?fieldManager=kustomize-controller&force=true"))
		}
	}
}

func (suite *suite) switches(targets []target, callers []caller) {
	const flux, helm = "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/"
	for _, metadata := range []struct {
		what string
		add  lab.Object
	}{
		{"the label that turns Flux off", lab.Object{"labels": lab.Object{flux + "reconcile": "disabled"}}},
		{"the annotation that turns Flux off, in capitals",
			lab.Object{"annotations": lab.Object{"Kustomize.Toolkit.FluxCD.io/Reconcile": "DISABLED"}}},
		{"the annotation that makes Flux ignore it", lab.Object{"annotations": lab.Object{flux + "ssa": "Ignore"}}},
		{"the label that keeps it from being pruned", lab.Object{"labels": lab.Object{flux + "prune": "Disabled"}}},
		{"the annotation that lets Flux recreate it", lab.Object{"annotations": lab.Object{flux + "force": "enabled"}}},
		{"the annotation that turns drift detection off", lab.Object{"annotations": lab.Object{helm + "driftDetection": "disabled"}}},
		{"another owner", lab.Object{"labels": lab.Object{flux + "name": "evil"}}},
		{"no owner", lab.Object{"labels": lab.Object{flux + "name": nil, flux + "namespace": nil}}},
		{"an owner that does not exist", lab.Object{"ownerReferences": []lab.Object{{"apiVersion": "v1", "kind": "ConfigMap",
			"name": "none",
			"uid":  "00000000-0000-0000-0000-000000000000"}}}},
		{"a finalizer", lab.Object{"finalizers": []string{"example.com/evil"}}},
		{"wiped managedFields", lab.Object{"managedFields": []lab.Object{{}}}},
	} {
		for _, target := range targets {
			if target.child && metadata.what == "no owner" {
				continue // it has none
			}
			for _, by := range callers {
				suite.add(9, metadata.what, target.kind, by, func() (request, error) {
					return request{http.MethodPatch, target.path(), lab.MergePatch, lab.Object{"metadata": metadata.add}}, nil
				})
			}
		}
	}
}

// fluxEntry is the place of kustomize-controller's entry in managedFields.
func fluxEntry(object lab.Object) (index int, entry map[string]any, err error) {
	entries, _ := object.At("metadata", "managedFields").([]any)
	for i, item := range entries {
		if fields, ok := item.(map[string]any); ok && fields["manager"] == "kustomize-controller" && fields["subresource"] == nil {
			return i, fields, nil
		}
	}
	return 0, nil, errors.New("no entry of kustomize-controller")
}

func (suite *suite) entriesOfFlux(t *testing.T, targets []target, callers []caller) {
	for _, target := range targets {
		if target.child {
			continue
		}
		object, err := target.live()
		must(t, err)
		entries, _ := object.At("metadata", "managedFields").([]any)
		alone := len(entries) == 1 // without it the list is empty, which the API server takes for "leave them as they are"
		edited := func(edit func(map[string]any)) func() (request, error) {
			return func() (request, error) {
				object, err := target.live()
				if err != nil {
					return request{}, err
				}
				_, entry, err := fluxEntry(object)
				if err == nil {
					edit(entry)
				}
				return request{http.MethodPut, target.path(), lab.JSON, object}, err
			}
		}
		for _, by := range callers {
			suite.add(9, "Flux's entry renamed and dated back", target.kind, by, edited(func(entry map[string]any) {
				entry["manager"], entry["time"] = "x", "2020-01-01T00:00:00Z"
			}))
			suite.add(9, "Flux's entry renamed in capitals", target.kind, by, edited(func(entry map[string]any) {
				entry["manager"] = "Kustomize-Controller"
			}))
			suite.add(9, "Flux's entry emptied", target.kind, by, edited(func(entry map[string]any) {
				entry["fieldsV1"] = map[string]any{"f:metadata": map[string]any{"f:labels": map[string]any{"f:x": map[string]any{}}}}
			}))
			if alone {
				continue
			}
			suite.add(9, "Flux's entry removed", target.kind, by, func() (request, error) {
				object, err := target.live()
				if err != nil {
					return request{}, err
				}
				index, _, err := fluxEntry(object)
				return request{http.MethodPatch, target.path(), lab.JSONPatch,
					[]lab.Object{{"op": "remove", "path": fmt.Sprint("/metadata/managedFields/", index)}}}, err
			})
		}
	}
}

func (suite *suite) listKeys(namespace string, callers []caller) {
	path := "/apis/apps/v1/namespaces/" + namespace + "/deployments/web"
	for what, change := range map[string]lab.Object{
		"a second value under the key of a declared one": {"op": "add", "path": "/spec/template/spec/containers/0/env/-",
			"value": lab.Object{"name": "COLOUR", "value": "evil"}},
		"a second container before the declared one": {"op": "add", "path": "/spec/template/spec/containers/0",
			"value": lab.Object{"name": "evil", "image": "evil:1"}},
	} {
		for _, by := range callers {
			suite.add(9, what, "Deployment", by, func() (request, error) {
				return request{http.MethodPatch, path, lab.JSONPatch, []lab.Object{change}}, nil
			})
		}
	}
}

func (suite *suite) subresources(namespace, pod string, targets []target, callers []caller) {
	for _, target := range targets {
		for _, by := range callers {
			if target.status == nil {
				continue
			}
			number := 10
			if target.custom {
				number = 8
			}
			suite.add(number, "a status, by merge patch", target.kind, by, func() (request, error) {
				return request{http.MethodPatch, target.path() + "/status", lab.MergePatch, lab.Object{"status": target.status}}, nil
			})
			suite.add(number, "a status, by server-side apply", target.kind, by, func() (request, error) {
				object := target.named()
				object["status"] = target.status
				return request{http.MethodPatch, target.path() + "/status?fieldManager=gotk-source-controller&force=true", lab.ApplyPatch,
					object}, nil
			})
		}
	}
	const replicas = `{"spec":{"replicas":0}}`
	pods, apps := "/api/v1/namespaces/"+namespace+"/pods/", "/apis/apps/v1/namespaces/"+namespace+"/"
	ephemeral := []lab.Object{{"name": "evil", "image": "evil:1", "imagePullPolicy": "Always", "terminationMessagePolicy": "File"}}
	for _, sub := range []struct {
		what, on string
		request  request
	}{
		{"the scale, by merge patch", "Deployment", request{http.MethodPatch, apps + "deployments/web/scale", lab.MergePatch,
			json.RawMessage(replicas)}},
		{"the scale, by merge patch", "StatefulSet", request{http.MethodPatch, apps + "statefulsets/store/scale", lab.MergePatch,
			json.RawMessage(replicas)}},
		{"the scale, by JSON patch", "Deployment", request{http.MethodPatch, apps + "deployments/web/scale", lab.JSONPatch,
			[]lab.Object{{"op": "replace", "path": "/spec/replicas", "value": 0}}}},
		{"the scale, by server-side apply", "Deployment", request{http.MethodPatch,
			apps + "deployments/web/scale?fieldManager=kustomize-controller&force=true", lab.ApplyPatch,
			lab.Object{"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": lab.Object{"name": "web"},
				"spec": lab.Object{"replicas": 0}}}},
		{"the scale, by PUT", "Deployment", request{http.MethodPut, apps + "deployments/web/scale", lab.JSON,
			lab.Object{"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": lab.Object{"name": "web", "namespace": namespace},
				"spec": lab.Object{"replicas": 0}}}},
		{"an ephemeral container", "Pod", request{http.MethodPatch, pods + pod + "/ephemeralcontainers", lab.StrategicPatch,
			lab.Object{"spec": lab.Object{"ephemeralContainers": ephemeral}}}},
		{"a resize", "Pod", request{http.MethodPatch, pods + pod + "/resize", lab.StrategicPatch,
			lab.Object{"spec": lab.Object{"containers": []lab.Object{
				{"name": "web", "resources": lab.Object{"requests": lab.Object{"cpu": "60m"}}}}}}}},
		{"an eviction", "Pod", request{http.MethodPost, pods + pod + "/eviction", lab.JSON,
			lab.Object{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": lab.Object{"name": pod, "namespace": namespace}}}},
		{"a binding", "Pod", request{http.MethodPost, pods + pod + "/binding", lab.JSON, bindingOf(pod)}},
		{"a binding, by its other way", "Pod", request{http.MethodPost, "/api/v1/namespaces/" + namespace + "/bindings", lab.JSON,
			bindingOf(pod)}},
		{"a shell", "Pod", request{http.MethodGet, pods + pod + "/exec?command=id&stdout=true", "", nil}},
		{"a shell, by POST", "Pod", request{http.MethodPost, pods + pod + "/exec?command=id&stdout=true", "", nil}},
		{"an attachment", "Pod", request{http.MethodGet, pods + pod + "/attach?stdout=true", "", nil}},
		{"a forwarded port", "Pod", request{http.MethodGet, pods + pod + "/portforward?ports=8080", "", nil}},
		{"a proxy to a Pod", "Pod", request{http.MethodGet, pods + pod + "/proxy/", "", nil}},
		{"a proxy to a Pod, by DELETE", "Pod", request{http.MethodDelete, pods + pod + "/proxy/", "", nil}},
		{"a proxy to a Service", "Service", request{http.MethodPost, "/api/v1/namespaces/" + namespace + "/services/web/proxy/", "", nil}},
		{"a token", "ServiceAccount", request{http.MethodPost, "/api/v1/namespaces/" + namespace + "/serviceaccounts/robot/token",
			lab.JSON, tokenRequest()}},
		{"a token, in a dry run", "ServiceAccount", request{http.MethodPost,
			"/api/v1/namespaces/" + namespace + "/serviceaccounts/robot/token?dryRun=All", lab.JSON, tokenRequest()}},
	} {
		for _, by := range callers {
			suite.add(10, sub.what, sub.on, by, func() (request, error) { return sub.request, nil })
		}
	}
}

func bindingOf(pod string) lab.Object {
	return lab.Object{"apiVersion": "v1", "kind": "Binding", "metadata": lab.Object{"name": pod},
		"target": lab.Object{"apiVersion": "v1", "kind": "Node", "name": "node-1"}}
}

func tokenRequest() lab.Object {
	return lab.Object{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": lab.Object{}}
}

func (suite *suite) deletesAndCreates(targets []target, callers []caller) {
	deletion := func(more lab.Object) lab.Object {
		options := lab.Object{"apiVersion": "v1", "kind": "DeleteOptions"}
		maps.Copy(options, more)
		return options
	}
	for _, target := range targets {
		for _, by := range callers {
			remove := func(closes int, what, path string, options lab.Object) {
				suite.add(closes, what, target.kind, by, func() (request, error) {
					return request{http.MethodDelete, path, lab.JSON, deletion(options)}, nil
				})
			}
			remove(closing(0, by), "a delete", target.path(), nil)
			remove(12, "a delete that leaves orphans", target.path(), lab.Object{"propagationPolicy": "Orphan"})
			remove(12, "a delete in the foreground", target.path(), lab.Object{"propagationPolicy": "Foreground"})
			remove(12, "a delete without grace", target.path(), lab.Object{"gracePeriodSeconds": 0})
			remove(11, "a delete of all", target.list, nil)
			remove(11, "a delete of all of that name", target.list+"?fieldSelector="+url.QueryEscape("metadata.name="+target.name), nil)

			suite.add(11, "a create under a made-up name", target.kind, by, func() (request, error) {
				object, err := target.copyOf()
				return request{http.MethodPost, target.list, lab.JSON, object}, err
			})
			suite.add(9, "a create with the labels of an owner", target.kind, by, func() (request, error) {
				object, err := target.copyOf()
				if err == nil {
					object["metadata"].(map[string]any)["labels"] = lab.Object{
						"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
				}
				return request{http.MethodPost, target.list + "?fieldManager=kustomize-controller", lab.JSON, object}, err
			})
			suite.add(9, "a create by server-side apply", target.kind, by, func() (request, error) {
				object, err := target.copyOf()
				if err == nil {
					object["metadata"] = lab.Object{"name": "evil"}
				}
				return request{http.MethodPatch, target.list + "/evil?fieldManager=kustomize-controller&force=true", lab.ApplyPatch,
					object}, err
			})
		}
	}
}

func (suite *suite) olderVersions(namespace string, callers []caller) {
	path := "/apis/autoscaling/v1/namespaces/" + namespace + "/horizontalpodautoscalers/web"
	for _, by := range callers {
		suite.add(13, "another value in an older version, by PUT", "HorizontalPodAutoscaler", by, func() (request, error) {
			object, err := cluster.Admin.Get(path)
			if err == nil {
				err = set(object, "/spec/maxReplicas", 9)
			}
			return request{http.MethodPut, path, lab.JSON, object}, err
		})
		for what, body := range map[string]request{
			"another value in an older version, by merge patch": {http.MethodPatch, path, lab.MergePatch,
				json.RawMessage(`{"spec":{"maxReplicas":9}}`)},
			"another value in an older version, by server-side apply": {http.MethodPatch, path + "?fieldManager=evil&force=true",
				lab.ApplyPatch,
				json.RawMessage(`{"apiVersion":"autoscaling/v1","kind":"HorizontalPodAutoscaler","metadata":{"name":"web"},"spec":{"maxReplicas":9}}`)},
			"an allowed annotation in an older version": {http.MethodPatch, path, lab.MergePatch,
				json.RawMessage(`{"metadata":{"annotations":{"team.example.com/a":"b"}}}`)},
			"a delete in an older version": {http.MethodDelete, path, "", nil},
		} {
			suite.add(13, what, "HorizontalPodAutoscaler", by, func() (request, error) { return body, nil })
		}
	}
}

// withoutServersPart is what people and Flux decide about an object, and what Flux declares of it.
func withoutServersPart(object lab.Object) lab.Object {
	delete(object, "status")
	if _, entry, err := fluxEntry(object); err == nil {
		object["declared"] = entry
	}
	metadata := object["metadata"].(map[string]any)
	for _, key := range []string{"managedFields", "resourceVersion", "generation"} {
		delete(metadata, key)
	}
	return object
}

func TestBypassesAreClosed(t *testing.T) {
	const namespace = "locked-bypass"
	locked := startLock(t, namespace, lockOf(namespace, ""))
	pod := locked.pod(t)
	targets := targetsIn(namespace, pod)
	before := map[string]string{}
	picture := func(target target) string {
		object, err := target.live()
		must(t, err)
		text, err := json.Marshal(withoutServersPart(object))
		must(t, err)
		return string(text)
	}
	for _, target := range targets {
		before[target.path()] = picture(target)
	}

	// The first guard is asked too, and knows Flux's own objects anywhere.
	suite := &suite{rules: []string{namespace + "/only-git", "fluxgate/escape"}}
	callers := callersIn(t, namespace)
	three := callers[:3]
	suite.changesOfDeclaredFields(targets, callers)
	suite.switches(targets, three)
	suite.entriesOfFlux(t, targets, three)
	suite.listKeys(namespace, callers)
	suite.subresources(namespace, pod, targets, three)
	suite.deletesAndCreates(targets, three)
	suite.olderVersions(namespace, callers)
	suite.run(t, 150)

	t.Run("an emptied list of field owners passes, because the API server takes it for no list at all", func(t *testing.T) {
		path := "/apis/source.toolkit.fluxcd.io/v1/namespaces/" + namespace + "/helmrepositories/charts"
		must(t, alice.Client.Patch(path, lab.Object{"metadata": lab.Object{"managedFields": []lab.Object{}}}))
	})
	t.Run("after all that every object is what it was", func(t *testing.T) {
		for _, target := range targets {
			if now := picture(target); now != before[target.path()] {
				t.Errorf("%s was\n%s\nand is\n%s", target.path(), before[target.path()], now)
			}
		}
	})
}
