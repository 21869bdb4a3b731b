package lab

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Review is one AdmissionReview as the API server sent it.
type Review struct {
	Body    []byte
	Request ReviewRequest
}

// ReviewRequest is the part of a review by which scenarios recognise it.
type ReviewRequest struct {
	UID         string
	Operation   string
	SubResource string
	Namespace   string
	Name        string
	DryRun      bool
	Resource    struct{ Group, Version, Resource string }
	UserInfo    struct {
		Username string
		UID      string
		Groups   []string
		Extra    map[string][]string
	}
	OldObject Object
	Object    Object
}

// Kind is the resource with its subresource: "deployments", "deployments/scale".
func (request *ReviewRequest) Kind() string {
	if request.SubResource != "" {
		return request.Resource.Resource + "/" + request.SubResource
	}
	return request.Resource.Resource
}

// Recorder is an admission webhook that allows everything and keeps every review byte for byte.
type Recorder struct {
	Address string
	CA      *Authority
	// Patch is what it changes as a mutating webhook: operations of a JSON Patch. Nothing if absent. Set before it is registered.
	Patch func(*ReviewRequest) []Object

	server  *http.Server
	mutex   sync.Mutex
	reviews []Review
}

func StartRecorder() (*Recorder, error) {
	ca, err := NewAuthority("lab recorder")
	if err != nil {
		return nil, err
	}
	pair, err := ca.Server("recorder")
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	recorder := &Recorder{Address: listener.Addr().String(), CA: ca}
	recorder.server = &http.Server{
		Handler: recorder,
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{certificate},
			NextProtos:   []string{"http/1.1"}, // what Fluxgate speaks
		},
		ReadHeaderTimeout: 5 * time.Second,
	}
	go func() { _ = recorder.server.ServeTLS(listener, "", "") }()
	return recorder, nil
}

func (recorder *Recorder) Stop() { recorder.server.Close() }

func (recorder *Recorder) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	var review struct{ Request ReviewRequest }
	if err := json.Unmarshal(body, &review); err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	recorder.mutex.Lock()
	recorder.reviews = append(recorder.reviews, Review{Body: body, Request: review.Request})
	recorder.mutex.Unlock()

	answer := Object{"uid": review.Request.UID, "allowed": true}
	if recorder.Patch != nil {
		if operations := recorder.Patch(&review.Request); len(operations) > 0 {
			patch, err := json.Marshal(operations)
			if err != nil {
				http.Error(response, err.Error(), http.StatusInternalServerError)
				return
			}
			answer["patchType"], answer["patch"] = "JSONPatch", patch
		}
	}
	response.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(response).Encode(Object{
		"apiVersion": "admission.k8s.io/v1",
		"kind":       "AdmissionReview",
		"response":   answer,
	})
}

// Mark is the number of reviews so far.
func (recorder *Recorder) Mark() int {
	recorder.mutex.Lock()
	defer recorder.mutex.Unlock()
	return len(recorder.reviews)
}

// All are the reviews so far, in the order in which they came.
func (recorder *Recorder) All() []Review {
	recorder.mutex.Lock()
	defer recorder.mutex.Unlock()
	return append([]Review(nil), recorder.reviews...)
}

// Seen are the requests so far that `wanted` recognises, in the order in which they came.
func (recorder *Recorder) Seen(wanted func(*ReviewRequest) bool) (found []ReviewRequest) {
	recorder.mutex.Lock()
	defer recorder.mutex.Unlock()
	for index := range recorder.reviews {
		if request := &recorder.reviews[index].Request; wanted(request) {
			found = append(found, *request)
		}
	}
	return found
}

// Await returns the first review since `mark` that `wanted` recognises.
func (recorder *Recorder) Await(mark int, within time.Duration, wanted func(*ReviewRequest) bool) (review Review, err error) {
	err = Eventually(within, func() error {
		recorder.mutex.Lock()
		defer recorder.mutex.Unlock()
		for index := mark; index < len(recorder.reviews); index++ {
			if wanted(&recorder.reviews[index].Request) {
				review = recorder.reviews[index]
				return nil
			}
		}
		seen := ""
		for index := mark; index < len(recorder.reviews); index++ {
			request := &recorder.reviews[index].Request
			seen += fmt.Sprintf("\n  %s %s %s/%s dryRun=%t by %s", request.Operation, request.Kind(), request.Namespace,
				request.Name, request.DryRun, request.UserInfo.Username)
		}
		return fmt.Errorf("no such review; seen since:%s", seen)
	})
	return review, err
}
