package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A subject is one workload and what the API server would say about the request.
type subject struct {
	kind        string
	subresource string
	object      map[string]any
}

var resources = map[string][2]string{ // kind: group, resource
	"Pod":                   {"", "pods"},
	"PodTemplate":           {"", "podtemplates"},
	"ReplicationController": {"", "replicationcontrollers"},
	"Deployment":            {"apps", "deployments"},
	"ReplicaSet":            {"apps", "replicasets"},
	"StatefulSet":           {"apps", "statefulsets"},
	"DaemonSet":             {"apps", "daemonsets"},
	"Job":                   {"batch", "jobs"},
	"CronJob":               {"batch", "cronjobs"},
}

func (s subject) review(uid string) map[string]any {
	group, resource := resources[s.kind][0], resources[s.kind][1]
	operation, old := "CREATE", any(nil)
	if s.subresource != "" {
		operation, old = "UPDATE", map[string]any{"metadata": map[string]any{"name": "web"}, "spec": map[string]any{}}
	}
	return map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": map[string]any{
		"uid":         uid,
		"kind":        map[string]any{"group": group, "version": "v1", "kind": s.kind},
		"resource":    map[string]any{"group": group, "version": "v1", "resource": resource},
		"subResource": s.subresource,
		"name":        "web",
		"namespace":   "production",
		"operation":   operation,
		"userInfo":    map[string]any{"username": "alice@example.com", "groups": []string{"system:authenticated"}},
		"object":      s.object,
		"oldObject":   old,
		"dryRun":      false,
		"options":     map[string]any{},
	}}
}

type violation struct{ Path, Message string }

// An answer is a line of `fluxgate check -o jsonl`.
type answer struct {
	UID        string
	Allowed    bool
	Violations []violation
	Error      string
}

var tag = regexp.MustCompile(` \[([A-Za-z_]+), ([a-z]+) (v1\.[0-9]+|latest)\]$`)

// checks gives the sorted ids of the checks that Fluxgate names. Every violation must name one, with the level.
func (a answer) checks(level, version string) ([]string, error) {
	if a.Error != "" {
		return nil, fmt.Errorf("could not judge: %s", a.Error)
	}
	if a.Allowed != (len(a.Violations) == 0) {
		return nil, fmt.Errorf("allowed is %v with %d violations", a.Allowed, len(a.Violations))
	}
	var ids []string
	for _, v := range a.Violations {
		found := tag.FindStringSubmatch(v.Message)
		if found == nil || found[2] != level || found[3] != version {
			return nil, fmt.Errorf("no [check, %s %s] ends %q at %s", level, version, v.Message, v.Path)
		}
		ids = append(ids, found[1])
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// A guard is the real binary with a policy directory of its own.
type guard struct{ binary, policies string }

func newGuard(binary, folder, level, version string, checks []string) (guard, error) {
	policies, err := os.MkdirTemp(folder, level+"-"+version+"-")
	g := guard{binary, policies}
	if err != nil {
		return g, err
	}
	text := fmt.Sprintf(`apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata: {name: p}
spec:
  rules:
  - {name: r, podSecurity: {level: %s, version: %s, checks: [%s]}}
`, level, version, strings.Join(checks, ", "))
	return g, os.WriteFile(filepath.Join(g.policies, "policy.yaml"), []byte(text), 0o644)
}

// judge runs the binary once over all subjects.
func (g guard) judge(subjects []subject) ([]answer, error) {
	var input bytes.Buffer
	encoder := json.NewEncoder(&input)
	for i, s := range subjects {
		if err := encoder.Encode(s.review(fmt.Sprint("uid-", i))); err != nil {
			return nil, err
		}
	}
	command := exec.Command(g.binary, "check", "--policies", g.policies, "--reviews", "-", "-o", "jsonl")
	var errors bytes.Buffer
	command.Stdin, command.Stderr = &input, &errors
	output, err := command.Output()
	if err != nil && command.ProcessState.ExitCode() != 1 { // 1: something was denied
		return nil, fmt.Errorf("%v: %w: %s", command.Args, err, errors.String())
	}
	var answers []answer
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return nil, fmt.Errorf("%w in %q", err, lines.Text())
		}
		if want := fmt.Sprint("uid-", len(answers)); a.UID != want {
			return nil, fmt.Errorf("have an answer for %q, want %q", a.UID, want)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(subjects) {
		return nil, fmt.Errorf("%d answers for %d reviews", len(answers), len(subjects))
	}
	return answers, lines.Err()
}
