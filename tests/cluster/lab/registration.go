package lab

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// Register applies a webhook configuration of manifests/ with its address and CA filled in, and returns when the API
// server has begun to call it: it reads configurations through a cache, so the first moments are still unguarded.
// `guarded` asks for something that only the webhook's answer can decide.
// `more` are pairs of a placeholder and its value.
func (lab *Lab) Register(manifest, address string, ca *Authority, guarded func() error, more ...string) error {
	content, err := os.ReadFile(lab.Manifest(manifest))
	if err != nil {
		return err
	}
	text := strings.NewReplacer(append(more,
		"${ADDRESS}", address,
		"${CA_BUNDLE}", base64.StdEncoding.EncodeToString(ca.PEM),
	)...).Replace(string(content))
	if outcome := lab.Operator.KubectlWith(text, "apply", "-f", "-"); outcome.Failed {
		return fmt.Errorf("register the webhook: %s", outcome)
	}
	return Eventually(15*time.Second, guarded)
}

// DryRunConfigMap creates nothing: a dry-run that only serves to reach admission.
func (lab *Lab) DryRunConfigMap(namespace string) error {
	return lab.Admin.Do(http.MethodPost, "/api/v1/namespaces/"+namespace+"/configmaps?dryRun=All", JSON, Object{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": Object{"name": "is-the-guard-there"}}, nil)
}

// RegisterGuard registers Fluxgate, which must not be running yet: that the API server refuses a write because it cannot
// reach the webhook is the proof that it has begun to call it.
func (lab *Lab) RegisterGuard(guard *Guard) error {
	const namespace = "somewhere" // guarded by the registration, matched by no policy
	if outcome := lab.Operator.Kubectl("create", "namespace", namespace); outcome.Failed {
		return fmt.Errorf("%s", outcome)
	}
	return lab.Register("webhook.yaml", guard.Address, guard.CA, func() error {
		return lab.failsClosed(namespace, "failed calling webhook")
	})
}

// RegisterGuardFor registers a Fluxgate, which must not be running yet, for all objects of one namespace, as a configuration
// that has the guard's name.
func (lab *Lab) RegisterGuardFor(guard *Guard, namespace string) error {
	return lab.Register("namespace-webhook.yaml", guard.Address, guard.CA, func() error {
		return lab.failsClosed(namespace, `failed calling webhook "`+guard.Name+`.fluxgate.dev"`)
	}, "${NAME}", guard.Name, "${NAMESPACE}", namespace)
}

// RegisterLockFor does the same for a namespace, the one beside it that ends with "-staging", and what leads around a lock
// elsewhere, as far as the namespace stands in its name.
func (lab *Lab) RegisterLockFor(guard *Guard, namespace string) error {
	return lab.Register("lock-webhook.yaml", guard.Address, guard.CA, func() error {
		return lab.failsClosed(namespace, `failed calling webhook "`+guard.Name+`.fluxgate.dev"`)
	}, "${NAME}", guard.Name, "${NAMESPACE}", namespace)
}

func (lab *Lab) failsClosed(namespace, message string) error {
	err := lab.DryRunConfigMap(namespace)
	if err == nil {
		return errors.New("the API server does not call the webhook yet")
	}
	if !strings.Contains(err.Error(), message) {
		return fmt.Errorf("the API server does not fail closed: %w", err)
	}
	return nil
}
