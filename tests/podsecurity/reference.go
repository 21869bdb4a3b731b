package main

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// A reference is Kubernetes' own evaluator. One goroutine at a time.
type reference struct {
	evaluator policy.Evaluator
	asked     []string // ids of the checks of the last pod, in order
	forbidden []string // those that refused it
}

// The evaluator does not say which check an answer is from, so each check notes its own.
func newReference() (*reference, error) {
	r := &reference{}
	checks := policy.DefaultChecks()
	for i := range checks {
		id := string(checks[i].ID)
		for v := range checks[i].Versions {
			check := checks[i].Versions[v].CheckPod
			checks[i].Versions[v].CheckPod = func(m *metav1.ObjectMeta, s *corev1.PodSpec) policy.CheckResult {
				result := check(m, s)
				r.asked = append(r.asked, id)
				if !result.Allowed {
					r.forbidden = append(r.forbidden, id)
				}
				return result
			}
		}
	}
	var err error
	r.evaluator, err = policy.NewEvaluator(checks, nil)
	return r, err
}

// judge gives the sorted ids of the checks that refuse the object, which is decoded as an API server decodes it.
func (r *reference) judge(kind string, object []byte, level, version string) ([]string, error) {
	meta, spec, err := decode(kind, object)
	if err != nil {
		return nil, err
	}
	r.asked, r.forbidden = nil, nil
	if spec == nil {
		return nil, nil
	}
	lv, err := parseLevel(level, version)
	if err != nil {
		return nil, err
	}
	allowed := policy.AggregateCheckResults(r.evaluator.EvaluatePod(lv, meta, spec)).Allowed
	if allowed != (len(r.forbidden) == 0) {
		return nil, fmt.Errorf("the module's verdict is %v, its checks refuse %q", allowed, r.forbidden)
	}
	slices.Sort(r.forbidden)
	return r.forbidden, nil
}

func parseLevel(level, version string) (api.LevelVersion, error) {
	l, err := api.ParseLevel(level)
	if err != nil {
		return api.LevelVersion{}, err
	}
	v, err := api.ParseVersion(version)
	return api.LevelVersion{Level: l, Version: v}, err
}

// decode finds the pod or the template; no spec means that there is nothing to judge.
func decode(kind string, object []byte) (*metav1.ObjectMeta, *corev1.PodSpec, error) {
	template := func(into any, from func() *corev1.PodTemplateSpec) (*metav1.ObjectMeta, *corev1.PodSpec, error) {
		if err := json.Unmarshal(object, into); err != nil {
			return nil, nil, err
		}
		t := from()
		if t == nil {
			return nil, nil, nil
		}
		return &t.ObjectMeta, &t.Spec, nil
	}
	switch kind {
	case "Pod":
		var o corev1.Pod
		err := json.Unmarshal(object, &o)
		return &o.ObjectMeta, &o.Spec, err
	case "PodTemplate":
		var o corev1.PodTemplate
		return template(&o, func() *corev1.PodTemplateSpec { return &o.Template })
	case "ReplicationController":
		var o corev1.ReplicationController
		return template(&o, func() *corev1.PodTemplateSpec { return o.Spec.Template })
	case "Deployment":
		var o appsv1.Deployment
		return template(&o, func() *corev1.PodTemplateSpec { return &o.Spec.Template })
	case "ReplicaSet":
		var o appsv1.ReplicaSet
		return template(&o, func() *corev1.PodTemplateSpec { return &o.Spec.Template })
	case "StatefulSet":
		var o appsv1.StatefulSet
		return template(&o, func() *corev1.PodTemplateSpec { return &o.Spec.Template })
	case "DaemonSet":
		var o appsv1.DaemonSet
		return template(&o, func() *corev1.PodTemplateSpec { return &o.Spec.Template })
	case "Job":
		var o batchv1.Job
		return template(&o, func() *corev1.PodTemplateSpec { return &o.Spec.Template })
	case "CronJob":
		var o batchv1.CronJob
		return template(&o, func() *corev1.PodTemplateSpec { return &o.Spec.JobTemplate.Spec.Template })
	}
	return nil, nil, fmt.Errorf("no pod in a %s", kind)
}
