// The Pod Security webhook of Kubernetes, as it is: its own server, handler and checks out of the module, with one thing
// replaced. Instead of a cluster it asks a stub in this process, which knows one namespace that demands "restricted".
//
//	podsecurity CERT KEY PORT
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiserver "k8s.io/apiserver/pkg/server"
	restclient "k8s.io/client-go/rest"
	"k8s.io/pod-security-admission/admission/api/load"
	"k8s.io/pod-security-admission/cmd/webhook/server"
	"k8s.io/pod-security-admission/cmd/webhook/server/options"
)

var namespace = corev1.Namespace{
	TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
	ObjectMeta: metav1.ObjectMeta{Name: "production", ResourceVersion: "1", Labels: map[string]string{
		// "enforce" is for Pods; what a Deployment brings is judged by "warn" and "audit".
		"pod-security.kubernetes.io/enforce": "restricted",
		"pod-security.kubernetes.io/warn":    "restricted",
		"pod-security.kubernetes.io/audit":   "restricted",
	}},
}

// A cluster with that namespace in which nothing ever changes.
type stub struct{}

func (stub) RoundTrip(request *http.Request) (*http.Response, error) {
	answer := &http.Response{Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Request: request}
	if request.URL.Query().Get("watch") != "" {
		reader, writer := io.Pipe()
		context.AfterFunc(request.Context(), func() { writer.Close() })
		answer.Body = reader
		if request.URL.Query().Get("sendInitialEvents") == "true" {
			go sendInitialEvents(writer)
		}
		return answer, nil
	}
	body, err := json.Marshal(corev1.NamespaceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NamespaceList"},
		ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: []corev1.Namespace{namespace}})
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	answer.ContentLength = int64(len(body))
	return answer, nil
}

func sendInitialEvents(writer io.Writer) {
	bookmark := corev1.Namespace{TypeMeta: namespace.TypeMeta, ObjectMeta: metav1.ObjectMeta{ResourceVersion: "1",
		Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}}}
	events := json.NewEncoder(writer)
	_ = events.Encode(map[string]any{"type": "ADDED", "object": namespace})
	_ = events.Encode(map[string]any{"type": "BOOKMARK", "object": bookmark})
}

func run(certificate, key, port string) error {
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	opts := options.NewOptions()
	opts.SecureServing.BindAddress = net.ParseIP("127.0.0.1")
	opts.SecureServing.BindPort = number
	opts.SecureServing.ServerCert.CertKey.CertFile = certificate
	opts.SecureServing.ServerCert.CertKey.KeyFile = key

	config := server.Config{KubeConfig: &restclient.Config{Host: "http://stub", Transport: stub{},
		ContentConfig: restclient.ContentConfig{ContentType: "application/json", AcceptContentTypes: "application/json"}}}
	if err := opts.SecureServing.ApplyTo(&config.SecureServing); err != nil {
		return err
	}
	if config.PodSecurityConfig, err = load.LoadFromData(nil); err != nil {
		return err
	}
	webhook, err := server.Setup(&config)
	if err != nil {
		return err
	}
	return webhook.Start(apiserver.SetupSignalContext())
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: podsecurity CERT KEY PORT")
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}
