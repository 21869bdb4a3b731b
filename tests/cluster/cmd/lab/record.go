package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fluxgate.dev/tests/cluster/lab"
)

const (
	alice      = "alice@example.com"
	fluxUser   = "system:serviceaccount:flux-system:kustomize-controller"
	controller = "system:serviceaccount:kube-system:"
	kubelet    = "system:node:node-1"
	scheduler  = "system:kube-scheduler"
)

// record plays the story that the recordings tell and writes one file for each review of interest into `folder`.
func record(it *lab.Lab, folder string) error {
	recorder, err := lab.StartRecorder()
	if err != nil {
		return err
	}
	defer recorder.Stop()
	if err := registerRecorder(it, recorder, "recorder-webhook.yaml"); err != nil {
		return err
	}
	story := &story{lab: it, recorder: recorder, folder: folder}
	person := story.person(alice, "devs")
	fluxAndControllersAtWork(story)
	aPersonAtWork(story, person)
	lookAlikesOfFlux(story, person)
	deletions(story, person)
	return story.err
}

func fluxAndControllersAtWork(story *story) {
	story.when("Flux applies the first commit", story.commit("namespaces.yaml", "web.yaml", "staging-web.yaml", "autoscaler.yaml", "quota.yaml", "shop.yaml"))
	story.keep("flux-creates.json", review{fluxUser, "CREATE", "deployments", "production/web"})
	story.keep("replicaset-creates-pod.json", review{controller + "replicaset-controller", "CREATE", "pods", "production/"})
	story.keep("apiserver-updates-quota-status.json", review{"system:apiserver", "UPDATE", "resourcequotas/status", "production/roof"})

	story.when("the scheduler and the kubelet take a Pod", func() error { _, err := story.runPod("web"); return err })
	story.keep("scheduler-binds-pod.json", review{scheduler, "CREATE", "pods/binding", "production/web-"})
	story.keep("node-mints-token.json", review{kubelet, "CREATE", "serviceaccounts/token", "production/default"})
	story.keep("node-updates-pod-status.json", review{kubelet, "UPDATE", "pods/status", "production/web-"})

	story.when("there is a Deployment with a disruption budget", story.commit("movable.yaml"))
	story.when("its Pod is evicted", story.evictPod)
	story.keep("node-evicts-pod.json", review{kubelet, "CREATE", "pods/eviction", "production/movable-"})
	story.keep("apiserver-updates-budget-status.json", review{"system:apiserver", "UPDATE", "poddisruptionbudgets/status", "production/movable"})

	story.when("the autoscaler must have three replicas at least", story.edit("autoscaler.yaml", "minReplicas: 1", "minReplicas: 3"))
	story.keep("hpa-scales.json", review{controller + "horizontal-pod-autoscaler", "UPDATE", "deployments/scale", "production/web"})
	story.keep("deployment-controller-scales-replicaset.json", review{controller + "deployment-controller", "UPDATE", "replicasets", "production/web-"})

	story.when("it need have only one", story.edit("autoscaler.yaml", "minReplicas: 3", "minReplicas: 1"))
	story.when("it may have two at most", story.edit("autoscaler.yaml", "maxReplicas: 5", "maxReplicas: 2"))
	story.keep("replicaset-deletes-pod.json", review{controller + "replicaset-controller", "DELETE", "pods", "production/web-"})

	story.when("the image changes in Git", story.edit("web.yaml", "nginx:1.26.3", "nginx:1.27.0"))
	story.keepDryRun("flux-dry-run.json", review{fluxUser, "UPDATE", "deployments", "production/web"})
	story.keep("flux-applies.json", review{fluxUser, "UPDATE", "deployments", "production/web"})

	story.when("an ordinary, larger Deployment changes in Git", story.edit("shop.yaml", "shop/storefront:4.11.2", "shop/storefront:4.12.0"))
	story.keep("update-18k.json", review{fluxUser, "UPDATE", "deployments", "production/shop"})
	story.sized(17_000, 19_000)

	story.when("a Deployment without limits, probes or a non-root user is merged", story.commit("bad.yaml"))
	story.keep("flux-bad-deployment.json", review{fluxUser, "CREATE", "deployments", "production/checkout"})
}

func aPersonAtWork(story *story, person *somebody) {
	story.when("alice looks what an edit would do", person.kubectl("-n", "production", "set", "image", "deployment/web", "web=nginx:evil", "--dry-run=server"))
	story.keepDryRun("person-dry-run.json", review{alice, "UPDATE", "deployments", "production/web"})

	story.when("alice edits the image", person.kubectl("-n", "production", "set", "image", "deployment/web", "web=nginx:evil"))
	story.keep("person-edits-image.json", review{alice, "UPDATE", "deployments", "production/web"})

	story.when("alice does the same in staging", person.kubectl("-n", "staging", "set", "image", "deployment/web", "web=nginx:evil"))
	story.keep("person-edits-staging.json", review{alice, "UPDATE", "deployments", "staging/web"})

	story.when("alice creates a Pod", person.apply("toolbox.yaml"))
	story.keep("person-bad-pod.json", review{alice, "CREATE", "pods", "production/toolbox"})

	story.when("alice scales", person.kubectl("-n", "production", "scale", "deployment/web", "--replicas=5"))
	story.keep("person-scales.json", review{alice, "UPDATE", "deployments/scale", "production/web"})

	// No kubelet answers, so the command fails; admission comes first.
	story.when("alice wants a shell", person.mayFail("-n", "production", "exec", "toolbox", "--", "sh", "-c", "id"))
	story.keep("person-execs.json", review{alice, "CONNECT", "pods/exec", "production/toolbox"})
}

func lookAlikesOfFlux(story *story, person *somebody) {
	edit := func(image string) []string {
		return []string{"-n", "production", "set", "image", "deployment/web", "web=nginx:" + image}
	}

	story.when("alice mints a token of Flux", person.mintToken)
	story.keep("person-mints-token.json", review{alice, "CREATE", "serviceaccounts/token", "flux-system/kustomize-controller"})

	story.when("she uses it", person.withMintedToken(edit("minted")...))
	story.keep("minted-flux-token.json", review{fluxUser, "UPDATE", "deployments", "production/web"})

	story.when("she impersonates Flux", person.kubectl(append(edit("impersonated"), "--as="+fluxUser)...))
	story.keep("impersonated-flux.json", review{fluxUser, "UPDATE", "deployments", "production/web"})

	lookAlike := story.person(fluxUser, "system:serviceaccounts", "system:serviceaccounts:flux-system")
	story.when("a certificate carries the name of Flux", lookAlike.kubectl(edit("certificate")...))
	story.keep("x509-flux.json", review{fluxUser, "UPDATE", "deployments", "production/web"})
}

func deletions(story *story, person *somebody) {
	story.when("the larger Deployment leaves Git", story.remove("shop.yaml"))
	story.keep("flux-prunes.json", review{fluxUser, "DELETE", "deployments", "production/shop"})
	story.keep("garbage-collector-deletes.json", review{controller + "generic-garbage-collector", "DELETE", "replicasets", "production/shop-"})

	story.when("alice deletes a Deployment", person.kubectl("-n", "production", "delete", "deployment", "checkout"))
	story.keep("person-deletes.json", review{alice, "DELETE", "deployments", "production/checkout"})

	story.when("alice deletes all Deployments at once", person.kubectl("delete", "--raw", "/apis/apps/v1/namespaces/production/deployments"))
	story.keep("person-deletes-collection.json", review{alice, "DELETE", "deployments", "production/"})
	story.nameless()

	story.when("the kubelet has ended the Pod", story.endPod)
	story.keep("node-deletes-pod.json", review{kubelet, "DELETE", "pods", "production/web-"})

	story.when("everything leaves Git, the namespaces too", story.remove("namespaces.yaml", "web.yaml", "staging-web.yaml", "autoscaler.yaml", "quota.yaml", "movable.yaml", "bad.yaml"))
	story.keep("namespace-controller-deletes.json", review{controller + "namespace-controller", "DELETE", "configmaps", "production/"})
}

// registerRecorder needs no namespace to exist yet: a token request of a service account in flux-system is enough to see
// that the API server calls.
func registerRecorder(it *lab.Lab, recorder *lab.Recorder, manifest string) error {
	return it.Register(manifest, recorder.Address, recorder.CA, func() error {
		mark := recorder.Mark()
		if err := it.DryRunConfigMap("flux-system"); err != nil {
			return err
		}
		if recorder.Mark() == mark {
			return fmt.Errorf("the API server does not call the recorder yet")
		}
		return nil
	})
}

// review is a pattern: who, operation, resource[/subresource], and the beginning of namespace/name.
type review struct {
	user, operation, kind, at string
}

func (pattern review) recognises(request *lab.ReviewRequest) bool {
	return request.UserInfo.Username == pattern.user && request.Operation == pattern.operation && request.Kind() == pattern.kind &&
		strings.HasPrefix(request.Namespace+"/"+request.Name, pattern.at)
}

// story is a sequence of things that happen and reviews that are kept. After the first error nothing more happens.
type story struct {
	lab      *lab.Lab
	recorder *lab.Recorder
	folder   string

	mark int        // reviews before the latest `when`
	kept lab.Review // by the latest `keep`
	err  error
}

func (story *story) when(what string, happens func() error) {
	if story.err != nil {
		return
	}
	story.mark = story.recorder.Mark()
	if err := happens(); err != nil {
		story.err = fmt.Errorf("when %s: %w", what, err)
	}
}

func (story *story) keep(file string, pattern review)       { story.keepReview(file, pattern, false) }
func (story *story) keepDryRun(file string, pattern review) { story.keepReview(file, pattern, true) }

func (story *story) keepReview(file string, pattern review, dryRun bool) {
	if story.err != nil {
		return
	}
	kept, err := story.recorder.Await(story.mark, 30*time.Second, func(request *lab.ReviewRequest) bool {
		return pattern.recognises(request) && request.DryRun == dryRun
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(story.folder, file), kept.Body, 0o644)
	}
	if err != nil {
		story.err = fmt.Errorf("%s: %w", file, err)
		return
	}
	story.kept = kept
	say("%7d bytes  %s", len(kept.Body), file)
}

// sized checks the review kept last: benchmarks count on its size.
func (story *story) sized(least, most int) {
	if size := len(story.kept.Body); story.err == nil && (size < least || size > most) {
		story.err = fmt.Errorf("the review has %d bytes, not %d to %d: adjust the manifest", size, least, most)
	}
}

// nameless checks the review kept last: that is what deletecollection looks like.
func (story *story) nameless() {
	if story.err == nil && story.kept.Request.Name != "" {
		story.err = fmt.Errorf("the review names %q; that was no deletecollection", story.kept.Request.Name)
	}
}

func (story *story) commit(apps ...string) func() error {
	return func() error { return story.applied(story.lab.Commit("add "+strings.Join(apps, ", "), apps...)) }
}

func (story *story) edit(app, old, new string) func() error {
	return func() error {
		if err := story.lab.Git.Replace(app, old, new); err != nil {
			return err
		}
		return story.applied(story.lab.Git.Push(new))
	}
}

func (story *story) remove(apps ...string) func() error {
	return func() error {
		if err := story.lab.Git.Remove(apps...); err != nil {
			return err
		}
		return story.applied(story.lab.Git.Push("remove " + strings.Join(apps, ", ")))
	}
}

func (story *story) applied(revision string, err error) error {
	if err != nil {
		return err
	}
	return story.lab.Flux.Applied(revision)
}

// runPod waits for a Pod of a Deployment and has it placed.
func (story *story) runPod(app string) (name string, err error) {
	if name, err = story.podWith("app=" + app); err != nil {
		return "", err
	}
	return name, story.lab.RunPod("production", name)
}

// evictPod runs a Pod and evicts it as soon as its disruption budget has noticed that it is ready.
func (story *story) evictPod() error {
	name, err := story.runPod("movable")
	if err != nil {
		return err
	}
	if err := lab.Eventually(10*time.Second, func() error { return story.lab.EvictPod("production", name) }); err != nil {
		return err
	}
	return story.endPod()
}

// endPod waits until the garbage collector has reached the Pod that runPod placed, and ends it.
func (story *story) endPod() error {
	return lab.Eventually(10*time.Second, func() error { return story.lab.EndPods("production") })
}

// somebody is a person of the story.
type somebody struct {
	story  *story
	as     *lab.Person
	minted string
}

func (story *story) person(user string, groups ...string) *somebody {
	person, err := story.lab.Person(user, groups...)
	if err != nil && story.err == nil {
		story.err = err
	}
	return &somebody{story: story, as: person}
}

func (one *somebody) kubectl(arguments ...string) func() error {
	return func() error { return failure(one.as.Kubectl(arguments...)) }
}

func (one *somebody) mayFail(arguments ...string) func() error {
	return func() error { one.as.Kubectl(arguments...); return nil }
}

func (one *somebody) apply(app string) func() error {
	return func() error {
		manifest, err := one.story.lab.App(app)
		if err != nil {
			return err
		}
		return failure(one.as.KubectlWith(manifest, "apply", "-f", "-"))
	}
}

func (one *somebody) mintToken() error {
	outcome := one.as.Kubectl("-n", "flux-system", "create", "token", "kustomize-controller")
	one.minted = outcome.Token()
	return failure(outcome)
}

func (one *somebody) withMintedToken(arguments ...string) func() error {
	return func() error {
		thief, err := one.story.lab.WithToken("minted", one.minted)
		if err != nil {
			return err
		}
		return failure(thief.Kubectl(arguments...))
	}
}

func failure(outcome lab.Outcome) error {
	if outcome.Failed {
		return fmt.Errorf("%s", outcome)
	}
	return nil
}
