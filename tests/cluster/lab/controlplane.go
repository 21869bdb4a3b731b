package lab

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// ControlPlane is etcd, kube-apiserver and kube-controller-manager on loopback, with the authentication and
// authorization of a real cluster: client certificates, service account tokens, RBAC.
type ControlPlane struct {
	Admin    *Client // system:masters, for what the harness itself needs; no test acts as it
	AuditLog string  // the API server's own audit log, JSON Lines

	programs string // folder with the built programs
	folder   string
	server   string
	servers  *Authority // signs serving certificates
	clients  *Authority // signs people and components

	etcd, apiserver, controllers *Process
}

// auditPolicy keeps one line per finished request, without bodies: enough to see admission's annotations.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- {level: None, verbs: [get, list, watch]}
- {level: None, resources: [{group: coordination.k8s.io}, {group: "", resources: [events]}, {group: events.k8s.io}]}
- {level: Metadata}
`

func startControlPlane(programs, folder string) (*ControlPlane, error) {
	plane := &ControlPlane{programs: programs, folder: folder, AuditLog: filepath.Join(folder, "api-audit.log")}
	if err := plane.start(); err != nil {
		plane.stop()
		return nil, err
	}
	return plane, nil
}

func (plane *ControlPlane) start() (err error) {
	if plane.servers, err = NewAuthority("lab servers"); err != nil {
		return err
	}
	if plane.clients, err = NewAuthority("lab clients"); err != nil {
		return err
	}
	etcdURL, err := plane.startEtcd()
	if err != nil {
		return err
	}
	if err := plane.startAPIServer(etcdURL); err != nil {
		return err
	}
	return plane.startControllers()
}

func (plane *ControlPlane) startEtcd() (string, error) {
	var clientPort, peerPort int
	if err := freePorts(&clientPort, &peerPort); err != nil {
		return "", err
	}
	clientURL, peerURL := "http://"+loopback(clientPort), "http://"+loopback(peerPort)
	var err error
	plane.etcd, err = startProcess(plane.folder, "etcd", plane.Program("etcd"), nil,
		"--name=lab", "--data-dir="+filepath.Join(plane.folder, "etcd"),
		"--unsafe-no-fsync", // the data need not outlive the run
		"--listen-client-urls="+clientURL, "--advertise-client-urls="+clientURL,
		"--listen-peer-urls="+peerURL, "--initial-advertise-peer-urls="+peerURL,
		"--initial-cluster=lab="+peerURL)
	if err != nil {
		return "", err
	}
	return clientURL, plane.etcd.untilReady(30*time.Second, func() error { return answersOK(clientURL + "/health") })
}

func (plane *ControlPlane) startAPIServer(etcdURL string) error {
	var port int
	if err := freePorts(&port); err != nil {
		return err
	}
	plane.server = "https://" + loopback(port)

	serving, err := plane.servers.Server("kube-apiserver", "kubernetes.default.svc")
	if err != nil {
		return err
	}
	certificate, key, err := serving.Write(plane.folder, "kube-apiserver")
	if err != nil {
		return err
	}
	private, public, err := serviceAccountKeys()
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"servers-ca.crt":       plane.servers.PEM,
		"clients-ca.crt":       plane.clients.PEM,
		"service-accounts.key": private,
		"service-accounts.pub": public,
		"audit-policy.yaml":    []byte(auditPolicy),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(plane.folder, name), content, 0o600); err != nil {
			return err
		}
	}
	file := func(name string) string { return filepath.Join(plane.folder, name) }

	plane.apiserver, err = startProcess(plane.folder, "kube-apiserver", plane.Program("kube-apiserver"), nil,
		"--etcd-servers="+etcdURL,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", // loopback is no valid endpoint address
		"--service-cluster-ip-range=10.0.0.0/24",
		"--tls-cert-file="+certificate, "--tls-private-key-file="+key,
		"--client-ca-file="+file("clients-ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+file("service-accounts.pub"),
		"--service-account-signing-key-file="+file("service-accounts.key"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--audit-policy-file="+file("audit-policy.yaml"), "--audit-log-path="+plane.AuditLog,
		"--profiling=false")
	if err != nil {
		return err
	}
	admin, err := plane.clients.Client("lab-admin", "system:masters")
	if err != nil {
		return err
	}
	if plane.Admin, err = newClient(plane.server, plane.servers.PEM, &admin, ""); err != nil {
		return err
	}
	return plane.untilAPIServerReady()
}

func (plane *ControlPlane) untilAPIServerReady() error {
	return plane.apiserver.untilReady(60*time.Second, func() error {
		return plane.Admin.Do(http.MethodGet, "/readyz", "", nil, nil)
	})
}

// RestartAPIServer kills the API server (asked to end, it waits for everybody who watches) and starts it again on the same data: it
// then writes what is missing of its own roles and APIServices, as it does on its first boot.
func (plane *ControlPlane) RestartAPIServer() (err error) {
	plane.apiserver.Kill()
	if plane.apiserver, err = plane.apiserver.again(); err != nil {
		return err
	}
	return plane.untilAPIServerReady()
}

func (plane *ControlPlane) startControllers() error {
	var port int
	if err := freePorts(&port); err != nil {
		return err
	}
	identity, err := plane.clients.Client("system:kube-controller-manager")
	if err != nil {
		return err
	}
	kubeconfig, err := plane.writeKubeconfig("kube-controller-manager", &identity, "")
	if err != nil {
		return err
	}
	signer, err := plane.clients.Pair()
	if err != nil {
		return err
	}
	signerCertificate, signerKey, err := signer.Write(plane.folder, "signer")
	if err != nil {
		return err
	}
	plane.controllers, err = startProcess(plane.folder, "kube-controller-manager",
		plane.Program("kube-controller-manager"), nil,
		"--kubeconfig="+kubeconfig, "--authentication-kubeconfig="+kubeconfig, "--authorization-kubeconfig="+kubeconfig,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--leader-elect=false",
		// Each controller under a name of its own, as on every real cluster: the writer profiles depend on it.
		"--use-service-account-credentials",
		"--controllers=*,-nodeipam,-cloud-node-lifecycle",
		"--service-account-private-key-file="+filepath.Join(plane.folder, "service-accounts.key"),
		"--root-ca-file="+filepath.Join(plane.folder, "servers-ca.crt"),
		"--cluster-signing-cert-file="+signerCertificate, "--cluster-signing-key-file="+signerKey,
		"--horizontal-pod-autoscaler-sync-period=1s",
		"--profiling=false")
	if err != nil {
		return err
	}
	// The service account of `default` shows that the controllers' own identities work.
	return plane.controllers.untilReady(60*time.Second, func() error {
		_, err := plane.Admin.Get("/api/v1/namespaces/default/serviceaccounts/default")
		return err
	})
}

// Program is the path of a program of the control plane.
func (plane *ControlPlane) Program(name string) string { return filepath.Join(plane.programs, name) }

func (plane *ControlPlane) stop() {
	// Clients before servers, or they fill the logs with complaints.
	_ = plane.controllers.Stop(5 * time.Second)
	_ = plane.apiserver.Stop(10 * time.Second)
	_ = plane.etcd.Stop(5 * time.Second)
}

// alive says which program of the control plane has gone, if any.
func (plane *ControlPlane) alive() error {
	for _, process := range []*Process{plane.etcd, plane.apiserver, plane.controllers} {
		if !process.Running() {
			return fmt.Errorf("%s has exited\n%s", process.Name, process.Tail(20))
		}
	}
	return nil
}

func answersOK(url string) error {
	status, _, err := fetch(url)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: %d", url, status)
	}
	return err
}

// fetch is a GET with a connection of its own.
func fetch(url string) (status int, text string, err error) {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}
