package lab

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Client talks to the API server as one identity: a client certificate or a bearer token.
type Client struct {
	server string
	token  string
	as     string // whom it impersonates, if anybody
	http   *http.Client
}

// Object is any Kubernetes object.
type Object map[string]any

// Content types of requests.
const (
	JSON           = "application/json"
	JSONPatch      = "application/json-patch+json"
	MergePatch     = "application/merge-patch+json"
	StrategicPatch = "application/strategic-merge-patch+json"
	ApplyPatch     = "application/apply-patch+yaml" // JSON is YAML
)

// RefusedError is an answer of the API server other than success.
type RefusedError struct {
	Code    int
	Reason  string
	Message string
}

func (refused *RefusedError) Error() string {
	return fmt.Sprintf("%d %s: %s", refused.Code, refused.Reason, refused.Message)
}

func newClient(server string, serverCA []byte, pair *KeyPair, token string) (*Client, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(serverCA)
	configuration := &tls.Config{RootCAs: roots}
	if pair != nil {
		certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
		if err != nil {
			return nil, err
		}
		configuration.Certificates = []tls.Certificate{certificate}
	}
	transport := &http.Transport{TLSClientConfig: configuration} // no proxy: everything is on loopback
	return &Client{server: server, token: token, http: &http.Client{Transport: transport, Timeout: 15 * time.Second}}, nil
}

// As is the same caller impersonating a user, as `kubectl --as` does.
func (client *Client) As(user string) *Client {
	impersonator := *client
	impersonator.as = user
	return &impersonator
}

// Do sends one request. `send` may be nil, `receive` may be nil.
func (client *Client) Do(method, path, contentType string, send, receive any) error {
	var body io.Reader
	if send != nil {
		text, err := json.Marshal(send)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(context.Background(), method, client.server+path, body)
	if err != nil {
		return err
	}
	if send != nil {
		request.Header.Set("Content-Type", contentType)
	}
	request.Header.Set("User-Agent", "fluxgate-lab")
	if client.token != "" {
		request.Header.Set("Authorization", "Bearer "+client.token)
	}
	if client.as != "" {
		request.Header.Set("Impersonate-User", client.as)
	}
	response, err := client.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		var status struct{ Reason, Message string }
		if json.Unmarshal(text, &status) != nil || status.Message == "" {
			status.Message = strings.TrimSpace(string(text))
		}
		return fmt.Errorf("%s %s: %w", method, path, &RefusedError{response.StatusCode, status.Reason, status.Message})
	}
	if receive == nil {
		return nil
	}
	return json.Unmarshal(text, receive)
}

func (client *Client) Get(path string) (Object, error) {
	var object Object
	err := client.Do(http.MethodGet, path, "", nil, &object)
	return object, err
}

func (client *Client) Create(path string, object any) (Object, error) {
	var created Object
	err := client.Do(http.MethodPost, path, JSON, object, &created)
	return created, err
}

func (client *Client) Patch(path string, patch any) error {
	return client.Do(http.MethodPatch, path, MergePatch, patch, nil)
}

func (client *Client) Delete(path string) error {
	return client.Do(http.MethodDelete, path, "", nil, nil)
}

// List returns the items under a path.
func (client *Client) List(path string) ([]Object, error) {
	var list struct{ Items []Object }
	err := client.Do(http.MethodGet, path, "", nil, &list)
	return list.Items, err
}

// At walks keys into the object and returns nil when one is missing.
func (object Object) At(keys ...string) any {
	var here any = map[string]any(object)
	for _, key := range keys {
		fields, ok := here.(map[string]any)
		if !ok {
			return nil
		}
		here = fields[key]
	}
	return here
}

// Text is At for strings; "" when missing.
func (object Object) Text(keys ...string) string {
	text, _ := object.At(keys...).(string)
	return text
}

// Number is At for numbers; 0 when missing.
func (object Object) Number(keys ...string) int {
	number, _ := object.At(keys...).(float64)
	return int(number)
}

// Condition returns status and message of a condition; "" when the object does not have it.
func (object Object) Condition(kind string) (status, message string) {
	conditions, _ := object.At("status", "conditions").([]any)
	for _, entry := range conditions {
		if fields, ok := entry.(map[string]any); ok && fields["type"] == kind {
			status, _ = fields["status"].(string)
			message, _ = fields["message"].(string)
		}
	}
	return status, message
}

// NotFound says whether the API server answered that there is no such object.
func NotFound(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && refused.Code == http.StatusNotFound
}
