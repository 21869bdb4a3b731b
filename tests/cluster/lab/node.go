package lab

import (
	"fmt"
	"time"
)

const (
	scheduler = "system:kube-scheduler"
	kubelet   = "system:node:node-1"
	nodes     = "system:nodes"
)

// There is no scheduler and no kubelet here, so the lab acts for them, with certificates like theirs.

// RunPod does what a scheduler and a kubelet do with a Pod: the binding, the token that the Pod mounts, a status that says
// that it runs and is ready.
func (plane *ControlPlane) RunPod(namespace, name string) error {
	path := "/api/v1/namespaces/" + namespace + "/pods/" + name
	pod, err := plane.Admin.Get(path)
	if err != nil {
		return err
	}
	asScheduler, err := plane.component(scheduler)
	if err != nil {
		return err
	}
	if _, err := asScheduler.Create(path+"/binding", Object{
		"apiVersion": "v1", "kind": "Binding", "metadata": Object{"name": name},
		"target": Object{"apiVersion": "v1", "kind": "Node", "name": "node-1"}}); err != nil {
		return err
	}
	asKubelet, err := plane.component(kubelet, nodes)
	if err != nil {
		return err
	}
	// The node authorizer learns of the binding through a watch of its own.
	err = Eventually(10*time.Second, func() error {
		_, err := asKubelet.Create("/api/v1/namespaces/"+namespace+"/serviceaccounts/default/token", Object{
			"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
			"spec": Object{"boundObjectRef": Object{"apiVersion": "v1", "kind": "Pod", "name": name, "uid": pod.Text("metadata", "uid")}}})
		return err
	})
	if err != nil {
		return err
	}
	return asKubelet.Patch(path+"/status", Object{"status": Object{
		"phase": "Running", "hostIP": "10.1.0.4", "podIP": "10.2.0.7", "podIPs": []Object{{"ip": "10.2.0.7"}}, "startTime": now(),
		"conditions": []Object{{"type": "Ready", "status": "True", "lastTransitionTime": now()}},
	}})
}

// FinishPod is a kubelet's report that all containers of a Pod have ended well.
func (plane *ControlPlane) FinishPod(namespace, name string) error {
	asKubelet, err := plane.component(kubelet, nodes)
	if err != nil {
		return err
	}
	return asKubelet.Patch("/api/v1/namespaces/"+namespace+"/pods/"+name+"/status", Object{"status": Object{"phase": "Succeeded"}})
}

// EvictPod is what a kubelet under pressure asks for, and a drain too: an eviction that respects disruption budgets.
func (plane *ControlPlane) EvictPod(namespace, name string) error {
	asKubelet, err := plane.component(kubelet, nodes)
	if err != nil {
		return err
	}
	_, err = asKubelet.Create("/api/v1/namespaces/"+namespace+"/pods/"+name+"/eviction", Object{
		"apiVersion": "policy/v1", "kind": "Eviction", "metadata": Object{"name": name, "namespace": namespace}})
	return err
}

// EndPods does what a kubelet does with Pods that are to be deleted, once their containers have stopped: it deletes them for
// good. It is an error if there was none to end.
func (plane *ControlPlane) EndPods(namespace string) error {
	path := "/api/v1/namespaces/" + namespace + "/pods"
	pods, err := plane.Admin.List(path)
	if err != nil {
		return err
	}
	asKubelet, err := plane.component(kubelet, nodes)
	if err != nil {
		return err
	}
	ended := 0
	for _, pod := range pods {
		if pod.Text("spec", "nodeName") != "node-1" || pod.Text("metadata", "deletionTimestamp") == "" {
			continue
		}
		if err := asKubelet.Delete(path + "/" + pod.Text("metadata", "name") + "?gracePeriodSeconds=0"); err != nil {
			return err
		}
		ended++
	}
	if ended == 0 {
		return fmt.Errorf("none of the %d Pods in %s is to be deleted and on node-1", len(pods), namespace)
	}
	return nil
}

// Heartbeat is the kubelet's sign of life: the Node's status and its Lease.
func (plane *ControlPlane) Heartbeat() error {
	asKubelet, err := plane.component(kubelet, nodes)
	if err != nil {
		return err
	}
	if err := asKubelet.Patch("/api/v1/nodes/node-1/status", Object{"status": Object{"conditions": []Object{{
		"type": "Ready", "status": "False", "reason": "NoKubelet", "message": "this Node is a name in a test",
		"lastHeartbeatTime": now(), "lastTransitionTime": now()}}}}); err != nil {
		return err
	}
	lease := Object{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
		"metadata": Object{"name": "node-1", "namespace": "kube-node-lease"},
		"spec":     Object{"holderIdentity": "node-1", "leaseDurationSeconds": 40}}
	_, err = asKubelet.Create("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", lease)
	return err
}

// AskForCertificate is a kubelet's request to renew its client certificate. Controllers approve and sign it, once RBAC says that nodes
// may have one.
func (plane *ControlPlane) AskForCertificate(name string) error {
	asKubelet, err := plane.component(kubelet, nodes)
	if err != nil {
		return err
	}
	asked, err := clientRequest(kubelet, nodes)
	if err != nil {
		return err
	}
	const path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
	if _, err := asKubelet.Create(path, Object{
		"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": Object{"name": name},
		"spec": Object{"signerName": "kubernetes.io/kube-apiserver-client-kubelet", "request": asked,
			"usages": []string{"digital signature", "client auth"}}}); err != nil {
		return err
	}
	return Eventually(20*time.Second, func() error {
		request, err := plane.Admin.Get(path + "/" + name)
		if err == nil && request.Text("status", "certificate") == "" {
			err = fmt.Errorf("%s is not signed", name)
		}
		return err
	})
}

// component is the plain HTTPS client of something that is no person.
func (plane *ControlPlane) component(user string, groups ...string) (*Client, error) {
	pair, err := plane.clients.Client(user, groups...)
	if err != nil {
		return nil, err
	}
	return newClient(plane.server, plane.servers.PEM, &pair, "")
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }
