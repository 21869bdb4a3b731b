package lab

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// Register applies a webhook configuration of manifests/ with its address and CA filled in, and returns when the API
// server has begun to call it: it reads configurations through a cache, so the first moments are still unguarded.
// `guarded` asks for something that only the webhook's answer can decide.
func (lab *Lab) Register(manifest, address string, ca *Authority, guarded func() error) error {
	content, err := os.ReadFile(lab.Manifest(manifest))
	if err != nil {
		return err
	}
	text := strings.NewReplacer(
		"${ADDRESS}", address,
		"${CA_BUNDLE}", base64.StdEncoding.EncodeToString(ca.PEM),
	).Replace(string(content))
	if outcome := lab.Operator.KubectlWith(text, "apply", "-f", "-"); outcome.Failed {
		return fmt.Errorf("register the webhook: %s", outcome)
	}
	return Eventually(15*time.Second, guarded)
}

// DryRunConfigMap creates nothing: a dry-run that only serves to reach admission.
func (lab *Lab) DryRunConfigMap(namespace string) error {
	return lab.Admin.Do(http.MethodPost, "/api/v1/namespaces/"+namespace+"/configmaps?dryRun=All", plainJSON, Object{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": Object{"name": "is-the-guard-there"}}, nil)
}
