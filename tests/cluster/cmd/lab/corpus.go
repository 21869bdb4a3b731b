package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"fluxgate.dev/tests/cluster/lab"
)

// recordCorpus plays the life of a cluster in which no person writes anything, and keeps one review of each sort that the cluster's own
// programs sent: what a lock must never refuse. Secrets' data is taken out.
func recordCorpus(it *lab.Lab, file string) error {
	helm, err := it.AccountInPod("flux-system", "helm-controller")
	if err != nil {
		return err
	}
	recorder, err := lab.StartRecorder()
	if err != nil {
		return err
	}
	defer recorder.Stop()
	if err := registerRecorder(it, recorder, "corpus-webhook.yaml"); err != nil {
		return err
	}
	story := &story{lab: it, recorder: recorder}
	workloadsLive(story)
	releasesLive(story, &somebody{story: story, as: helm})
	theClusterLives(story)
	everythingGoes(story)
	if story.err != nil {
		return story.err
	}
	return writeCorpus(recorder.All(), file)
}

func workloadsLive(story *story) {
	story.when("Flux applies the shop", story.commit("namespaces.yaml", "web.yaml", "staging-web.yaml", "autoscaler.yaml", "quota.yaml",
		"children.yaml", "more-children.yaml", "movable.yaml", "shop.yaml"))
	story.when("a Pod runs", func() error { _, err := story.runPod("web"); return err })
	story.when("the Node gives signs of life", story.lab.Heartbeat)
	story.when("a Pod is evicted", story.evictPod)
	story.when("the autoscaler scales up", story.edit("autoscaler.yaml", "minReplicas: 1", "minReplicas: 3"))
	story.awaits(review{controller + "horizontal-pod-autoscaler", "UPDATE", "deployments/scale", "production/web"})
	story.when("the autoscaler may have one again", story.edit("autoscaler.yaml", "minReplicas: 3", "minReplicas: 1"))
	story.when("the autoscaler may have two at most", story.edit("autoscaler.yaml", "maxReplicas: 5", "maxReplicas: 2"))
	story.awaits(review{controller + "replicaset-controller", "DELETE", "pods", "production/web-"})
	story.when("there is a volume", func() error {
		return failure(story.lab.Operator.Kubectl("create", "-f", story.lab.Manifest("volume.yaml")))
	})
	story.awaits(review{controller + "persistent-volume-binder", "UPDATE", "persistentvolumeclaims", "production/data-store-0"})
	story.when("a Job ends", func() error {
		pod, err := story.podWith("job-name=once")
		if err == nil {
			err = story.lab.RunPod("production", pod)
		}
		if err == nil {
			err = story.lab.FinishPod("production", pod)
		}
		return err
	})
	story.awaits(review{controller + "ttl-after-finished-controller", "DELETE", "jobs", "production/once"})
	story.when("the Node is tainted", func() error {
		if err := failure(story.lab.Operator.Kubectl("taint", "node", "node-1", "broken=yes:NoExecute")); err != nil {
			return err
		}
		if err := story.endPod(); err != nil {
			return err
		}
		return failure(story.lab.Operator.Kubectl("taint", "node", "node-1", "broken-"))
	})
	story.awaits(review{controller + "cronjob-controller", "CREATE", "jobs", "production/"})
	story.when("the image changes in Git", story.edit("web.yaml", "nginx:1.26.3", "nginx:1.27.0"))
}

func releasesLive(story *story, helm *somebody) {
	for _, command := range [][]string{
		{"install", "motd", "charts/motd"}, {"upgrade", "motd", "charts/motd", "--set", "message=other"}, {"rollback", "motd",
			"1"}, {"uninstall", "motd"},
	} {
		story.when("helm "+command[0], func() error { return failure(helm.as.Helm(append(command, "--namespace=production")...)) })
	}
}

func theClusterLives(story *story) {
	story.when("a kubelet renews its certificate", func() error {
		if err := failure(story.lab.Operator.Kubectl("create", "clusterrolebinding", "nodes-renew", "--group=system:nodes",
			"--clusterrole=system:certificates.k8s.io:certificatesigningrequests:selfnodeclient")); err != nil {
			return err
		}
		return lab.Eventually(10*time.Second, func() error {
			return story.lab.AskForCertificate(fmt.Sprint("renewal-",
				time.Now().UnixNano()))
		})
	})
	story.when("an aggregated role gets another part", func() error {
		const role = `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"more","labels":
			{"rbac.authorization.k8s.io/aggregate-to-view":"true"}},"rules":[{"apiGroups":["example.com"],"resources":["things"],"verbs":["get"]}]}`
		return failure(story.lab.Operator.KubectlWith(role, "create", "-f", "-"))
	})
	story.awaits(review{controller + "clusterrole-aggregation-controller", "UPDATE", "clusterroles", "/view"})
	story.when("the API server starts and some of its own objects are missing", func() error {
		for _, missing := range [][]string{{"clusterrole,clusterrolebinding", "system:basic-user"}, {"apiservice", "v1.batch"},
			{"flowschema", "system-nodes"},
			{"-n", "kube-system", "role", "extension-apiserver-authentication-reader"}, {"-n", "default", "service", "kubernetes"}} {
			if err := failure(story.lab.Operator.Kubectl(append([]string{"delete"}, missing...)...)); err != nil {
				return err
			}
		}
		return story.lab.RestartAPIServer()
	})
	story.awaits(review{"system:apiserver", "CREATE", "clusterroles", "/system:basic-user"})
}

func everythingGoes(story *story) {
	story.when("a Pod runs until the end", func() error { _, err := story.runPod("web"); return err })
	story.when("everything leaves Git, the namespaces too", story.remove("namespaces.yaml", "web.yaml", "staging-web.yaml",
		"autoscaler.yaml",
		"quota.yaml", "children.yaml", "more-children.yaml", "movable.yaml", "shop.yaml"))
	story.when("the kubelet has ended the last Pod", story.endPod)
	story.when("the namespace is gone", func() error {
		return lab.Eventually(30*time.Second, func() error {
			_, err := story.lab.Admin.Get("/api/v1/namespaces/production")
			if err == nil {
				return fmt.Errorf("production still exists")
			}
			if lab.NotFound(err) {
				return nil
			}
			return err
		})
	})
}

// awaits goes on when a review has come.
func (story *story) awaits(pattern review) {
	if story.err != nil {
		return
	}
	_, story.err = story.recorder.Await(story.mark, 75*time.Second, pattern.recognises)
}

func (story *story) podWith(label string) (name string, err error) {
	err = lab.Eventually(10*time.Second, func() error {
		pods, err := story.lab.Admin.List("/api/v1/namespaces/production/pods?labelSelector=" + strings.ReplaceAll(label, "=", "%3D"))
		if err == nil && len(pods) == 0 {
			err = fmt.Errorf("there is no Pod with %s", label)
		}
		if err == nil {
			name = pods[0].Text("metadata", "name")
		}
		return err
	})
	return name, err
}

// writeCorpus keeps the smallest review of each sort, sorted, one a line.
func writeCorpus(reviews []lab.Review, file string) error {
	kept := map[string]lab.Review{}
	for _, review := range reviews {
		if !isOfTheCluster(review.Request.UserInfo.Username) || neverAsked[review.Request.Resource.Resource] {
			continue
		}
		sort := sortOf(&review.Request)
		if before, known := kept[sort]; !known || len(review.Body) < len(before.Body) {
			kept[sort] = review
		}
	}
	sorts := make([]string, 0, len(kept))
	for sort := range kept {
		sorts = append(sorts, sort)
	}
	sort.Strings(sorts)
	var lines bytes.Buffer
	for _, sort := range sorts {
		text, err := withoutSecrets(kept[sort].Body)
		if err != nil {
			return err
		}
		lines.Write(text)
		lines.WriteByte('\n')
	}
	say("%d reviews by the cluster's own programs among %d, %d bytes", len(sorts), len(reviews), lines.Len())
	return os.WriteFile(file, lines.Bytes(), 0o644)
}

// neverAsked is what no registration of Fluxgate names.
var neverAsked = map[string]bool{"events": true, "subjectaccessreviews": true, "tokenreviews": true}

func isOfTheCluster(username string) bool {
	for _, prefix := range []string{"system:serviceaccount:kube-system:", "system:serviceaccount:flux-system:", "system:node:",
		"system:kube-", "system:apiserver"} {
		if strings.HasPrefix(username, prefix) {
			return true
		}
	}
	return false
}

// sortOf are the properties of a request that a lock may look at.
func sortOf(request *lab.ReviewRequest) string {
	object := request.Object
	if object == nil {
		object = request.OldObject
	}
	owners, _ := object.At("metadata", "ownerReferences").([]any)
	return fmt.Sprint(request.UserInfo.Username, " ", request.Operation, " ", request.Resource.Group, "/", request.Kind(), " in ",
		request.Namespace,
		" owned=", len(owners) > 0, " dryRun=", request.DryRun, " ending=", request.OldObject.Text("metadata", "deletionTimestamp") != "")
}

// withoutSecrets replaces the values of Secrets, which a lock has no need to know.
func withoutSecrets(body []byte) ([]byte, error) {
	var review map[string]any
	if err := json.Unmarshal(body, &review); err != nil {
		return nil, err
	}
	request, _ := review["request"].(map[string]any)
	for _, member := range []string{"object", "oldObject"} {
		object, _ := request[member].(map[string]any)
		data, _ := object["data"].(map[string]any)
		if object["kind"] != "Secret" {
			continue
		}
		for key := range data {
			data[key] = "bm90IGtlcHQ="
		}
	}
	var compact bytes.Buffer
	encoder := json.NewEncoder(&compact)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(review)
	return bytes.TrimSpace(compact.Bytes()), err
}
