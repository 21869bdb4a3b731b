package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"fluxgate.dev/tests/cluster/lab"
)

// The rule `escape`: what leads around a lock without touching what it locks. Where Flux lives, everything here has the namespace
// of the test in its name, see manifests/lock-webhook.yaml.

const (
	fluxSystem     = "/api/v1/namespaces/flux-system/"
	kustomizations = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations"
	gitSources     = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories"
	rbac           = "/apis/rbac.authorization.k8s.io/v1/"
	csrs           = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
)

// fluxOf are a Kustomization and its source in flux-system, as `flux create` would make them. There is no such repository.
const fluxOf = `apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: NAME, namespace: flux-system}
spec: {interval: 1h, url: "https://git.example.com/shop/other", ref: {branch: main}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: NAME, namespace: flux-system}
spec: {interval: 1h, retryInterval: 1h, prune: true, path: ./shop, sourceRef: {kind: GitRepository, name: NAME}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: NAME, namespace: flux-system}
data: {colour: blue}
`

func TestEscapesFromTheLock(t *testing.T) {
	const namespace = "locked-escape"
	must(t, guard.Alive())
	theirs := strings.ReplaceAll(fluxOf, "NAME", namespace)
	allowed(t, cluster.Operator.KubectlWith(theirs, "apply", "-f", "-"))
	t.Cleanup(func() { cluster.Operator.KubectlWith(theirs, "delete", "--wait=false", "-f", "-") })
	_, err := cluster.Admin.Create(csrs, certificateRequest(t, namespace+"-stolen", pkix.Name{CommonName: fluxUser}))
	must(t, err)
	t.Cleanup(func() { _ = cluster.Admin.Delete(csrs + "/" + namespace + "-stolen") })
	locked := startLock(t, namespace, lockOf(namespace, ""))

	locked.escapesByKubectl(t)
	t.Run("what must go on working", locked.noEscape)

	suite := &suite{rules: []string{"fluxgate/escape"}}
	everybody := callersIn(t, namespace)
	callers := everybody[:5]
	suite.fluxObjects(namespace, everybody[:6])
	suite.each([]caller{{name: "kustomize-controller itself", closes: 8, client: cluster.Flux.Controller.Client}}, 8,
		"another artifact in its status, by the wrong controller", "GitRepository", request{http.MethodPatch,
			gitSources + "/" + namespace + "/status", lab.MergePatch,
			lab.Object{"status": lab.Object{"artifact": artifactOf("http://evil.example.com/evil.tar.gz")}}})
	suite.fluxAccounts(namespace, everybody[:6])
	suite.roles(namespace, callers)
	suite.certificates(t, namespace, callers)
	suite.namespaces(namespace, callers)
	suite.definitions(namespace, callers)
	suite.run(t, 150)
}

// escapesByKubectl are those that people know by the name of a command.
func (locked *lockedNamespace) escapesByKubectl(t *testing.T) {
	const name = "locked-escape"
	flux := func(text string, more ...string) []string {
		return append([]string{"-n", "flux-system", "patch", "kustomization", name, "--type=merge", "--field-manager=flux", "--patch",
			text}, more...)
	}
	for _, escape := range []struct {
		name      string
		arguments []string
		refused   string // allowed if empty
		names     string
	}{
		{"flux suspend", flux(`{"spec":{"suspend":true}}`), "UPDATE kustomizations.kustomize.toolkit.fluxcd.io flux-system/" + name,
			" .spec.suspend: have true, want (absent)"},
		{"flux resume", []string{"-n", locked.namespace, "patch", "kustomization", "inner", "--type=merge", "--field-manager=flux",
			"--patch", `{"spec":{"suspend":null}}`},
			"UPDATE kustomizations.kustomize.toolkit.fluxcd.io " + locked.namespace + "/inner", " .spec.suspend: have (absent), want true"},
		{"flux reconcile", flux(`{"metadata":{"annotations":{"reconcile.fluxcd.io/requestedAt":"2026-11-21T16:00:00Z"}}}`), "", ""},
		{"flux reconcile --force, of a source", []string{"-n", "flux-system", "annotate", "gitrepository", name, "--overwrite",
			"--field-manager=flux",
			"reconcile.fluxcd.io/requestedAt=2026-11-21T16:00:00Z", "reconcile.fluxcd.io/forceAt=2026-11-21T16:00:00Z"}, "", ""},
		{"a Namespace that says it is none of ours", []string{"label", "namespace", locked.namespace, "control-plane=true"},
			"UPDATE namespaces " + locked.namespace, " .metadata.labels.control-plane: have \"true\", want (absent)"},
		{"a Namespace that says it is of AKS", []string{"label", "namespace", locked.namespace, "kubernetes.azure.com/managedby=aks"},
			"UPDATE namespaces " + locked.namespace, ` .metadata.labels["kubernetes.azure.com/managedby"]: have "aks", want (absent)`},
		{"delete namespace", []string{"delete", "namespace", locked.namespace, "--wait=false"}, "DELETE namespaces " + locked.namespace,
			""},
		{"create token", []string{"-n", "flux-system", "create", "token", "kustomize-controller"},
			"CREATE serviceaccounts/token flux-system/kustomize-controller", ""},
		{"create clusterrolebinding", []string{"create", "clusterrolebinding", name, "--clusterrole=cluster-admin",
			"--user=eve@example.com"},
			"CREATE clusterrolebindings.rbac.authorization.k8s.io " + name, ""},
		{"certificate approve", []string{"certificate", "approve", name + "-stolen"},
			"UPDATE certificatesigningrequests.certificates.k8s.io/approval " + name + "-stolen", ""},
	} {
		t.Run(escape.name, func(t *testing.T) {
			outcome := alice.Kubectl(escape.arguments...)
			if escape.refused == "" {
				allowed(t, outcome)
				return
			}
			found := refused(t, outcome)
			found.startsWith(t, "Fluxgate denied "+escape.refused)
			found.names(t, "- fluxgate/escape"+escape.names)
		})
	}
}

// noEscape is what the rule must let pass.
func (locked *lockedNamespace) noEscape(t *testing.T) {
	name, flux := locked.namespace, cluster.Flux.Controller
	t.Run("Flux itself does all of it", func(t *testing.T) {
		allowed(t, flux.Kubectl("-n", "flux-system", "patch", "kustomization", name, "--type=merge", "--patch",
			`{"spec":{"path":"./shop/overlay"}}`))
		allowed(t, flux.Kubectl("label", "namespace", locked.namespace, "team=shop"))
		allowed(t, flux.Kubectl("create", "clusterrole", name, "--verb=impersonate", "--resource=serviceaccounts"))
		allowed(t, flux.Kubectl("delete", "clusterrole", name))
	})
	t.Run("source-controller reports what it fetched", func(t *testing.T) {
		must(t, sourceController.Client.Patch(gitSources+"/"+name+"/status", lab.Object{"status": lab.Object{"observedGeneration": 1}}))
		must(t,
			sourceController.Client.Patch(gitSources+"/"+name,
				lab.Object{"metadata": lab.Object{"finalizers": []string{"finalizers.fluxcd.io"}}}))
		must(t, sourceController.Client.Patch(gitSources+"/"+name, lab.Object{"metadata": lab.Object{"finalizers": nil}}))
	})
	t.Run("a kubelet gets the token of its Pod", func(t *testing.T) {
		must(t, cluster.RunPod(locked.namespace, locked.pod(t)))
	})
	t.Run("a person makes roles that open nothing", func(t *testing.T) {
		allowed(t, alice.Kubectl("create", "clusterrole", name+"-reader", "--verb=get,list", "--resource=pods"))
		allowed(t, alice.Kubectl("create", "clusterrolebinding", name+"-reader", "--clusterrole="+name+"-reader", "--user=bob@example.com"))
		allowed(t, alice.Kubectl("delete", "clusterrolebinding,clusterrole", name+"-reader"))
	})
	t.Run("a person makes a role that impersonates somebody whom no profile names", func(t *testing.T) {
		allowed(t, alice.Kubectl("create", "clusterrole", name+"-reader", "--verb=impersonate", "--resource=serviceaccounts",
			"--resource-name=some-robot"))
		allowed(t, alice.Kubectl("delete", "clusterrole", name+"-reader"))
	})
	t.Run("a person works in the namespace beside", func(t *testing.T) {
		allowed(t, alice.Kubectl("label", "namespace", locked.staging, "team=shop"))
		allowed(t, alice.Kubectl("-n", locked.staging, "create", "deployment", "web", "--image=nginx:1"))
		allowed(t, alice.Kubectl("-n", locked.staging, "create", "serviceaccount", "robot"))
		allowed(t, alice.Kubectl("-n", locked.staging, "create", "token", "robot"))
		allowed(t, alice.Kubectl("-n", locked.staging, "create", "role", "reader", "--verb=get", "--resource=pods"))
		allowed(t, alice.Kubectl("-n", locked.staging, "create", "secret", "generic", "mine", "--from-literal=a=b"))
	})
	t.Run("a person asks for a certificate of his own", func(t *testing.T) {
		_, err := alice.Client.Create(csrs, certificateRequest(t, name+"-own", pkix.Name{CommonName: "bob@example.com"}))
		must(t, err)
		must(t, cluster.Admin.Delete(csrs+"/"+name+"-own"))
	})
}

// certificateRequest is a CertificateSigningRequest for a client certificate.
func certificateRequest(t *testing.T, name string, subject pkix.Name) lab.Object {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key)
	must(t, err)
	return lab.Object{"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": lab.Object{"name": name},
		"spec": lab.Object{"signerName": "kubernetes.io/kube-apiserver-client", "usages": []string{"client auth"},
			"request": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})}}
}

// each adds a row for each caller.
func (suite *suite) each(callers []caller, closes int, what, on string, asked request) {
	for _, by := range callers {
		suite.add(closes, what, on, by, func() (request, error) { return asked, nil })
	}
}

func (suite *suite) fluxObjects(name string, callers []caller) {
	kustomization, source := kustomizations+"/"+name, gitSources+"/"+name
	merge := func(text string) json.RawMessage { return json.RawMessage(text) }
	notTheirs := callers[:len(callers)-1] // source-controller comes last: a writer of sources
	for what, text := range map[string]string{
		"suspended":                         `{"spec":{"suspend":true}}`,
		"another path":                      `{"spec":{"path":"./evil"}}`,
		"another source":                    `{"spec":{"sourceRef":{"name":"evil"}}}`,
		"patches":                           `{"spec":{"patches":[{"patch":"[]","target":{"kind":"Deployment"}}]}}`,
		"substitutions":                     `{"spec":{"postBuild":{"substitute":{"colour":"evil"}}}}`,
		"another cluster":                   `{"spec":{"kubeConfig":{"secretRef":{"name":"evil"}}}}`,
		"another account":                   `{"spec":{"serviceAccountName":"default"}}`,
		"no pruning":                        `{"spec":{"prune":false}}`,
		"recreating by force":               `{"spec":{"force":true}}`,
		"ignored fields":                    `{"spec":{"ignoreMissingComponents":true}}`,
		"a dependency on nothing":           `{"spec":{"dependsOn":[{"name":"none"}]}}`,
		"a finalizer":                       `{"metadata":{"finalizers":["example.com/evil"]}}`,
		"the label that turns it off":       `{"metadata":{"labels":{"kustomize.toolkit.fluxcd.io/reconcile":"disabled"}}}`,
		"a request, and a change beside it": `{"metadata":{"annotations":{"reconcile.fluxcd.io/requestedAt":"now"}},"spec":{"path":"./evil"}}`,
	} {
		suite.each(callers, 8, what, "Kustomization", request{http.MethodPatch, kustomization + "?fieldManager=flux", lab.MergePatch,
			merge(text)})
	}
	for what, text := range map[string]string{
		"another address":      `{"spec":{"url":"https://git.example.com/evil"}}`,
		"another branch":       `{"spec":{"ref":{"branch":"evil"}}}`,
		"no verification":      `{"spec":{"verify":null,"secretRef":{"name":"evil"}}}`,
		"files that it leaves": `{"spec":{"ignore":"/*"}}`,
		"suspended":            `{"spec":{"suspend":true}}`,
	} {
		suite.each(notTheirs, 8, what, "GitRepository", request{http.MethodPatch, source + "?fieldManager=flux", lab.MergePatch,
			merge(text)})
	}
	artifact := lab.Object{"status": lab.Object{"artifact": artifactOf("http://evil.example.com/evil.tar.gz")}}
	suite.each(notTheirs, 8, "another artifact in its status", "GitRepository",
		request{http.MethodPatch, source + "/status", lab.MergePatch, artifact})
	suite.each(callers, 8, "another inventory in its status", "Kustomization",
		request{http.MethodPatch, kustomization + "/status", lab.MergePatch,
			lab.Object{"status": lab.Object{"inventory": lab.Object{"entries": []lab.Object{{"id": "locked-escape_web_apps_Deployment",
				"v": "v1"}}}}}})
	suite.each(callers, 8, "deleted", "Kustomization", request{http.MethodDelete, kustomization, "", nil})
	suite.each(callers, 8, "deleted", "GitRepository", request{http.MethodDelete, source, "", nil})
	suite.each(callers, 11, "deleted as a collection", "Kustomization",
		request{http.MethodDelete, kustomizations + "?fieldSelector=" + url.QueryEscape("metadata.name="+name), "", nil})
	suite.each(callers, 8, "another value of what it substitutes", "ConfigMap",
		request{http.MethodPatch, fluxSystem + "configmaps/" + name, lab.MergePatch, merge(`{"data":{"colour":"evil"}}`)})
	for _, namespace := range []string{"flux-system", name + "-staging"} {
		suite.each(callers, 8, "one of one's own", "Kustomization in "+namespace, request{http.MethodPost,
			strings.Replace(kustomizations, "flux-system", namespace, 1), lab.JSON, lab.Object{
				"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": lab.Object{"name": name + "-mine"},
				"spec": lab.Object{"interval": "1h", "path": "./", "prune": true, "suspend": true,
					"sourceRef": lab.Object{"kind": "GitRepository", "name": "evil"}}}})
	}
}

func (suite *suite) fluxAccounts(name string, callers []caller) {
	for _, account := range []string{"kustomize-controller", "helm-controller", "source-controller"} {
		path := fluxSystem + "serviceaccounts/" + account
		pod := lab.Object{"spec": lab.Object{"boundObjectRef": lab.Object{"apiVersion": "v1", "kind": "Pod",
			"name": "kustomize-controller-7c9f5d6b8-x2k4p"}}}
		suite.each(callers, 1, "a token", account, request{http.MethodPost, path + "/token", lab.JSON, tokenRequest()})
		suite.each(callers, 1, "a token, in a dry run", account, request{http.MethodPost, path + "/token?dryRun=All", lab.JSON,
			tokenRequest()})
		suite.each(callers, 1, "a token bound to a Pod", account, request{http.MethodPost, path + "/token", lab.JSON,
			lab.Object{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": pod["spec"]}})
		suite.each(callers, 3, "an account that mounts another Secret", account, request{http.MethodPatch, path, lab.MergePatch,
			json.RawMessage(`{"imagePullSecrets":[{"name":"evil"}]}`)})
		suite.each(callers, 2, "a Secret of its token", account, request{http.MethodPost, fluxSystem + "secrets", lab.JSON, lab.Object{
			"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
			"metadata": lab.Object{"name": name + "-" + account,
				"annotations": lab.Object{"kubernetes.io/service-account.name": account}}}})
		for _, workload := range workloadsUnder(name, account) {
			suite.each(callers, 3, "a workload under it", workload.kind+" under "+account,
				request{http.MethodPost, workload.list, lab.JSON, workload.object})
		}
	}
	const pod = fluxSystem + "pods/kustomize-controller-7c9f5d6b8-x2k4p"
	suite.each(callers, 3, "a shell", "Flux's Pod", request{http.MethodGet, pod + "/exec?command=id&stdout=true", "", nil})
	suite.each(callers, 3, "an attachment", "Flux's Pod", request{http.MethodGet, pod + "/attach?stdout=true", "", nil})
	suite.each(callers, 3, "a forwarded port", "Flux's Pod", request{http.MethodGet, pod + "/portforward?ports=8080", "", nil})
	suite.each(callers, 3, "a proxy", "Flux's Pod", request{http.MethodGet, pod + "/proxy/", "", nil})
	suite.each(callers, 3, "an ephemeral container", "Flux's Pod", request{http.MethodPatch, pod + "/ephemeralcontainers",
		lab.StrategicPatch,
		lab.Object{"spec": lab.Object{"ephemeralContainers": []lab.Object{{"name": "evil", "image": "evil:1"}}}}})
	suite.each(callers, 3, "a proxy to its kubelet", "Node", request{http.MethodGet, "/api/v1/nodes/node-1/proxy/pods", "", nil})
}

// workload is one that would run under an account.
type workload struct {
	kind, list string
	object     lab.Object
}

func workloadsUnder(name, account string) []workload {
	spec := func(member string) lab.Object {
		return lab.Object{member: account, "restartPolicy": "Always", "containers": []lab.Object{{"name": "main", "image": "evil:1"}}}
	}
	metadata := lab.Object{"name": name + "-evil"}
	template := lab.Object{"metadata": lab.Object{"labels": lab.Object{"app": "evil"}}, "spec": spec("serviceAccountName")}
	once := lab.Object{"spec": lab.Object{"serviceAccountName": account, "restartPolicy": "Never",
		"containers": []lab.Object{{"name": "main", "image": "evil:1"}}}}
	selector := lab.Object{"matchLabels": lab.Object{"app": "evil"}}
	of := func(apiVersion, kind string, spec lab.Object) lab.Object {
		return lab.Object{"apiVersion": apiVersion, "kind": kind, "metadata": metadata, "spec": spec}
	}
	const apps, batch = "/apis/apps/v1/namespaces/flux-system/", "/apis/batch/v1/namespaces/flux-system/"
	return []workload{
		{"Pod", fluxSystem + "pods", of("v1", "Pod", spec("serviceAccountName"))},
		{"Pod by the older field", fluxSystem + "pods", of("v1", "Pod", spec("serviceAccount"))},
		{"Deployment", apps + "deployments", of("apps/v1", "Deployment", lab.Object{"selector": selector, "template": template})},
		{"ReplicaSet", apps + "replicasets", of("apps/v1", "ReplicaSet", lab.Object{"selector": selector, "template": template})},
		{"StatefulSet", apps + "statefulsets", of("apps/v1", "StatefulSet",
			lab.Object{"selector": selector, "serviceName": "evil", "template": template})},
		{"DaemonSet", apps + "daemonsets", of("apps/v1", "DaemonSet", lab.Object{"selector": selector, "template": template})},
		{"ReplicationController", fluxSystem + "replicationcontrollers", of("v1", "ReplicationController",
			lab.Object{"selector": lab.Object{"app": "evil"}, "template": template})},
		{"Job", batch + "jobs", of("batch/v1", "Job", lab.Object{"template": once})},
		{"CronJob", batch + "cronjobs", of("batch/v1", "CronJob", lab.Object{"schedule": "* * * * *",
			"jobTemplate": lab.Object{"spec": lab.Object{"template": once}}})},
	}
}

func (suite *suite) roles(name string, callers []caller) {
	for what, rule := range map[string]lab.Object{
		"impersonates users": {"apiGroups": []string{""}, "resources": []string{"users"}, "verbs": []string{"impersonate"}},
		"impersonates accounts": {"apiGroups": []string{""}, "resources": []string{"serviceaccounts"},
			"verbs": []string{"impersonate"}},
		"impersonates groups": {"apiGroups": []string{""}, "resources": []string{"groups"}, "verbs": []string{"impersonate"}},
		"impersonates uids and extras": {"apiGroups": []string{"authentication.k8s.io"},
			"resources": []string{"uids", "userextras/scopes"}, "verbs": []string{"impersonate"}},
		"impersonates in the newer way": {"apiGroups": []string{"authentication.k8s.io"}, "resources": []string{"serviceaccounts"},
			"verbs": []string{"impersonate:serviceaccount"}},
		"escalates": {"apiGroups": []string{"rbac.authorization.k8s.io"}, "resources": []string{"clusterroles"},
			"verbs": []string{"escalate"}},
		"binds": {"apiGroups": []string{"rbac.authorization.k8s.io"}, "resources": []string{"clusterroles"},
			"verbs": []string{"bind"}},
		"makes tokens": {"apiGroups": []string{""}, "resources": []string{"serviceaccounts/token"},
			"verbs": []string{"create"}},
		"may everything": {"apiGroups": []string{"*"}, "resources": []string{"*"}, "verbs": []string{"*"}},
		"reaches kubelets": {"apiGroups": []string{""}, "resources": []string{"nodes/proxy"},
			"verbs": []string{"get", "create"}},
		"changes webhooks": {"apiGroups": []string{"admissionregistration.k8s.io"},
			"resources": []string{"validatingwebhookconfigurations"}, "verbs": []string{"patch"}},
	} {
		rules := []lab.Object{rule}
		suite.each(callers, 4, "a role that "+what, "ClusterRole", request{http.MethodPost, rbac + "clusterroles", lab.JSON,
			lab.Object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
				"metadata": lab.Object{"name": name + "-evil"}, "rules": rules}})
	}
	suite.each(callers, 4, "a role that gathers others", "ClusterRole", request{http.MethodPost, rbac + "clusterroles", lab.JSON,
		lab.Object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": lab.Object{"name": name + "-evil"},
			"aggregationRule": lab.Object{"clusterRoleSelectors": []lab.Object{{"matchLabels": lab.Object{"rbac.authorization.k8s.io/aggregate-to-admin": "true"}}}}}})
	for _, role := range []string{"cluster-admin", "admin", "edit", "system:controller:generic-garbage-collector", "system:node",
		"system:kube-controller-manager"} {
		suite.each(callers, 4, "a binding to "+role, "ClusterRoleBinding", request{http.MethodPost, rbac + "clusterrolebindings", lab.JSON,
			lab.Object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
				"metadata": lab.Object{"name": name + "-evil"},
				"roleRef":  lab.Object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
				"subjects": []lab.Object{{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "eve@example.com"}}}})
		suite.each(callers, 4, "a binding to "+role+" where Flux lives", "RoleBinding",
			request{http.MethodPost, rbac + "namespaces/flux-system/rolebindings", lab.JSON,
				lab.Object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
					"metadata": lab.Object{"name": name + "-evil"},
					"roleRef":  lab.Object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
					"subjects": []lab.Object{{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "eve@example.com"}}}})
	}
	suite.each(callers, 4, "a role that makes tokens, where Flux lives", "Role",
		request{http.MethodPost, rbac + "namespaces/flux-system/roles", lab.JSON,
			lab.Object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": lab.Object{"name": name + "-evil"},
				"rules": []lab.Object{{"apiGroups": []string{""}, "resources": []string{"serviceaccounts/token"},
					"verbs": []string{"create"}}}}})
}

func (suite *suite) certificates(t *testing.T, name string, callers []caller) {
	for what, subject := range map[string]pkix.Name{
		"in the name of kustomize-controller":  {CommonName: fluxUser},
		"in the name of a built-in controller": {CommonName: controllers + "replicaset-controller"},
		"in the name of a node":                {CommonName: "system:node:node-2", Organization: []string{"system:nodes"}},
		"in the name of the scheduler":         {CommonName: "system:kube-scheduler"},
	} {
		suite.each(callers, 5, "a certificate "+what, "CertificateSigningRequest",
			request{http.MethodPost, csrs, lab.JSON, certificateRequest(t, name+"-evil", subject)})
	}
	masters := certificateRequest(t, name+"-evil", pkix.Name{CommonName: "eve", Organization: []string{"system:masters"}})
	for _, by := range callers {
		suite.rows = append(suite.rows, row{closes: 5, what: "a certificate of the masters", on: "CertificateSigningRequest", by: by,
			make:     func() (request, error) { return request{http.MethodPost, csrs, lab.JSON, masters}, nil },
			answered: "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"})
	}
	path := csrs + "/" + name + "-stolen"
	condition := lab.Object{"status": lab.Object{"conditions": []lab.Object{{"type": "Approved", "status": "True", "reason": "Evil",
		"message": "evil"}}}}
	suite.each(callers, 5, "an approval", "CertificateSigningRequest", request{http.MethodPatch, path + "/approval", lab.MergePatch,
		condition})
	suite.each(callers, 5, "a signature", "CertificateSigningRequest", request{http.MethodPatch, path + "/status", lab.MergePatch,
		lab.Object{"status": lab.Object{"certificate": selfSigned(t)}}})
}

// selfSigned is a certificate in PEM, such as a status of a CertificateSigningRequest may hold.
func selfSigned(t *testing.T) []byte {
	t.Helper()
	authority, err := lab.NewAuthority("evil")
	must(t, err)
	return authority.PEM
}

func (suite *suite) namespaces(name string, callers []caller) {
	path := "/api/v1/namespaces/" + name
	for _, label := range []string{"control-plane", "kubernetes.azure.com~1managedby", "admission.gatekeeper.sh~1ignore",
		"pod-security.kubernetes.io~1enforce",
		"kubernetes.io~1metadata.evil"} {
		key, value := strings.ReplaceAll(label, "~1", "/"), "true"
		if strings.HasPrefix(key, "pod-security") {
			value = "privileged"
		}
		suite.each(callers, 6, "the label "+key+", by merge patch", "Namespace", request{http.MethodPatch, path, lab.MergePatch,
			lab.Object{"metadata": lab.Object{"labels": lab.Object{key: value}}}})
		suite.each(callers, 6, "the label "+key+", by JSON patch", "Namespace", request{http.MethodPatch, path, lab.JSONPatch,
			[]lab.Object{{"op": "add", "path": "/metadata/labels/" + label, "value": value}}})
		suite.each(callers, 6, "the label "+key+", by server-side apply", "Namespace",
			request{http.MethodPatch, path + "?fieldManager=evil&force=true", lab.ApplyPatch,
				lab.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": lab.Object{"name": name,
					"labels": lab.Object{key: value}}}})
	}
	for what, text := range map[string]string{
		"a finalizer":                     `{"metadata":{"finalizers":["example.com/evil"]}}`,
		"an owner that does not exist":    `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"none","uid":"00000000-0000-0000-0000-000000000000"}]}}`,
		"a label, by way of the status":   `{"metadata":{"labels":{"control-plane":"true"}},"status":{"phase":"Active"}}`,
		"no label that its selectors use": `{"metadata":{"labels":{"kubernetes.io/metadata.name":null,"team":"evil"}}}`,
	} {
		to := path
		if strings.Contains(what, "status") {
			to += "/status"
		}
		suite.each(callers, 6, what, "Namespace", request{http.MethodPatch, to, lab.MergePatch, json.RawMessage(text)})
	}
	suite.each(callers, 12, "deleted", "Namespace", request{http.MethodDelete, path, "", nil})
	suite.each(callers, 12, "finalised", "Namespace", request{http.MethodPut, path + "/finalize", lab.JSON,
		lab.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": lab.Object{"name": name}, "spec": lab.Object{}}})
}

func (suite *suite) definitions(name string, callers []caller) {
	for _, version := range []string{"v99.kustomize.toolkit.fluxcd.io", "v99.apps", "v99.rbac.authorization.k8s.io"} {
		number, group, _ := strings.Cut(version, ".")
		suite.each(callers, 17, "a service behind a group that is locked", "APIService "+version, request{http.MethodPost,
			"/apis/apiregistration.k8s.io/v1/apiservices", lab.JSON, lab.Object{
				"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": lab.Object{"name": version},
				"spec": lab.Object{"group": group, "version": number, "groupPriorityMinimum": 1, "versionPriority": 1,
					"insecureSkipTLSVerify": true,
					"service":               lab.Object{"name": name, "namespace": "default"}}}})
	}
	suite.each(callers, 17, "the removal of a group's service", "APIService v1.batch",
		request{http.MethodDelete, "/apis/apiregistration.k8s.io/v1/apiservices/v1.batch", "", nil})
	const definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/buckets.source.toolkit.fluxcd.io"
	suite.each(callers, 17, "a definition of Flux changed", "CustomResourceDefinition",
		request{http.MethodPatch, definition, lab.MergePatch,
			json.RawMessage(`{"metadata":{"annotations":{"evil":"yes"}},"spec":{"names":{"shortNames":["evil"]}}}`)})
	suite.each(callers, 17, "a conversion by a webhook", "CustomResourceDefinition", request{http.MethodPatch, definition, lab.MergePatch,
		lab.Object{"spec": lab.Object{"conversion": lab.Object{"strategy": "Webhook", "webhook": lab.Object{
			"conversionReviewVersions": []string{"v1"}, "clientConfig": lab.Object{"url": "https://127.0.0.1:1/evil"}}}}}})
	suite.each(callers, 17, "a definition of Flux deleted", "CustomResourceDefinition", request{http.MethodDelete, definition, "", nil})
	suite.each(callers, 17, "another definition in a group of Flux", "CustomResourceDefinition", request{http.MethodPost,
		"/apis/apiextensions.k8s.io/v1/customresourcedefinitions", lab.JSON, lab.Object{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": lab.Object{"name": "evils.kustomize.toolkit.fluxcd.io"},
			"spec": lab.Object{"group": "kustomize.toolkit.fluxcd.io", "scope": "Namespaced",
				"names": lab.Object{"kind": "Evil", "plural": "evils"},
				"versions": []lab.Object{{"name": "v1", "served": true, "storage": true,
					"schema": lab.Object{"openAPIV3Schema": lab.Object{"type": "object"}}}}}}})
}
