package lab

import (
	"fmt"
	"net/url"
	"os"
	"strings"
)

// AccountInPod is somebody with the identity of a program in a cluster: a service account whom RBAC allows everything, and the token
// that its Pod mounts. To be made before a guard is registered, which rightly refuses such a token to anybody but a kubelet.
func (lab *Lab) AccountInPod(namespace, account string) (*Person, error) {
	manifest, err := os.ReadFile(lab.Manifest("account-in-pod.yaml"))
	if err != nil {
		return nil, err
	}
	text := strings.NewReplacer("${NAMESPACE}", namespace, "${NAME}", account).Replace(string(manifest))
	if outcome := lab.Operator.KubectlWith(text, "apply", "-f", "-"); outcome.Failed {
		return nil, fmt.Errorf("%s", outcome)
	}
	token, err := podBoundToken(lab.Admin, namespace, account)
	if err != nil {
		return nil, err
	}
	return lab.WithToken(namespace+"-"+account, token)
}

// podBoundToken is the token that a kubelet would mount into the one Pod of an account.
func podBoundToken(admin *Client, namespace, account string) (string, error) {
	pods, err := admin.List("/api/v1/namespaces/" + namespace + "/pods?fieldSelector=" +
		url.QueryEscape("spec.serviceAccountName="+account))
	if err != nil {
		return "", err
	}
	if len(pods) != 1 {
		return "", fmt.Errorf("%s holds %d pods of %s, not one", namespace, len(pods), account)
	}
	granted, err := admin.Create("/api/v1/namespaces/"+namespace+"/serviceaccounts/"+account+"/token", Object{
		"apiVersion": "authentication.k8s.io/v1",
		"kind":       "TokenRequest",
		"spec": Object{
			"expirationSeconds": 24 * 60 * 60,
			"boundObjectRef": Object{"apiVersion": "v1", "kind": "Pod",
				"name": pods[0].Text("metadata", "name"), "uid": pods[0].Text("metadata", "uid")},
		},
	})
	return granted.Text("status", "token"), err
}
