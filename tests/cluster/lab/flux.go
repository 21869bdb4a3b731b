package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	kustomization = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/apps"
	fluxNamespace = "flux-system"
)

// Flux is the real kustomize-controller with the identity that it has in a cluster: a token bound to its Pod.
type Flux struct {
	Controller *Person // kubectl with the controller's own token

	admin   *Client
	process *Process
}

// startFlux installs Flux's types and accounts, then runs the controller. It takes the controller's token, so it comes
// before the webhook is registered: a guard rightly refuses a token to anybody but the Pod's own kubelet.
func startFlux(plane *ControlPlane, operator *Person, crds, manifests, folder string) (*Flux, error) {
	if outcome := operator.Kubectl("apply", "--server-side", "-f", crds); outcome.Failed {
		return nil, fmt.Errorf("Flux's CRDs: %s", outcome)
	}
	if outcome := operator.Kubectl("wait", "--for=condition=Established", "--timeout=20s", "-f", crds); outcome.Failed {
		return nil, fmt.Errorf("Flux's CRDs: %s", outcome)
	}
	for _, manifest := range []string{"flux.yaml", "controller-pod.yaml", "apps.yaml"} {
		if outcome := operator.Kubectl("apply", "-f", filepath.Join(manifests, manifest)); outcome.Failed {
			return nil, fmt.Errorf("%s: %s", manifest, outcome)
		}
	}
	token, err := podBoundToken(plane.Admin, fluxNamespace, "kustomize-controller")
	if err != nil {
		return nil, err
	}
	controller, err := plane.WithToken("kustomize-controller", token)
	if err != nil {
		return nil, err
	}
	var metrics, health int
	if err := freePorts(&metrics, &health); err != nil {
		return nil, err
	}
	home := filepath.Join(folder, "kustomize-controller")
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	process, err := startProcess(folder, "kustomize-controller", plane.Program("kustomize-controller"),
		[]string{"RUNTIME_NAMESPACE=flux-system", "KUBECONFIG=" + controller.Kubeconfig, "GNUPGHOME=" + home},
		"--enable-leader-election=false", "--metrics-addr="+loopback(metrics), "--health-addr="+loopback(health))
	if err != nil {
		return nil, err
	}
	flux := &Flux{Controller: controller, admin: plane.Admin, process: process}
	return flux, process.untilReady(30*time.Second, func() error { return answersOK("http://" + loopback(health) + "/readyz") })
}

// Reconcile asks for a reconciliation now, as `flux reconcile` does.
func (flux *Flux) Reconcile() error {
	return flux.admin.Patch(kustomization, Object{"metadata": Object{"annotations": Object{
		"reconcile.fluxcd.io/requestedAt": time.Now().Format(time.RFC3339Nano)}}})
}

// Applied waits until Flux reports that `revision` is in the cluster.
func (flux *Flux) Applied(revision string) error {
	return Eventually(30*time.Second, func() error {
		object, err := flux.admin.Get(kustomization)
		if err != nil {
			return err
		}
		status, message := object.Condition("Ready")
		if applied := object.Text("status", "lastAppliedRevision"); applied != revision || status != "True" {
			return fmt.Errorf("the Kustomization has applied %q, not %q; Ready is %q: %s", applied, revision, status, message)
		}
		return nil
	})
}

// Refused waits until Flux reports that it could not apply `revision`, with every given text in the message.
func (flux *Flux) Refused(revision string, texts ...string) (message string, err error) {
	err = Eventually(30*time.Second, func() error {
		object, err := flux.admin.Get(kustomization)
		if err != nil {
			return err
		}
		var status string
		status, message = object.Condition("Ready")
		if attempted := object.Text("status", "lastAttemptedRevision"); status != "False" || attempted != revision {
			return fmt.Errorf("Ready is %q at %q: %s", status, attempted, message)
		}
		for _, text := range texts {
			if !strings.Contains(message, text) {
				return fmt.Errorf("the Kustomization's message does not say %q:\n%s", text, message)
			}
		}
		return nil
	})
	return message, err
}

func (flux *Flux) stop() {
	if flux != nil {
		_ = flux.process.Stop(5 * time.Second)
	}
}

func (flux *Flux) alive() error {
	if !flux.process.Running() {
		return errors.New("kustomize-controller has exited\n" + flux.process.Tail(20))
	}
	return nil
}
