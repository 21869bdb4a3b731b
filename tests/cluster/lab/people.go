package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Person uses the real kubectl with an identity of their own.
type Person struct {
	Name       string
	Kubeconfig string
	Client     *Client // the same identity without kubectl

	kubectl string
	helm    string
	folder  string
}

// Outcome is what somebody sees after a command.
type Outcome struct {
	Command string
	Output  string // standard output
	Errors  string // standard error: refusals and warnings
	Failed  bool
}

// Person gives somebody a client certificate signed by the cluster's client CA: CN is the user, O are the groups.
func (plane *ControlPlane) Person(user string, groups ...string) (*Person, error) {
	pair, err := plane.clients.Client(user, groups...)
	if err != nil {
		return nil, err
	}
	return plane.person(user, &pair, "")
}

// WithToken is somebody who got hold of a bearer token.
func (plane *ControlPlane) WithToken(nickname, token string) (*Person, error) {
	return plane.person(nickname, nil, token)
}

func (plane *ControlPlane) person(name string, pair *KeyPair, token string) (*Person, error) {
	nickname := strings.NewReplacer(":", "-", "@", "-", "/", "-").Replace(name)
	kubeconfig, err := plane.writeKubeconfig(nickname, pair, token)
	if err != nil {
		return nil, err
	}
	client, err := newClient(plane.server, plane.servers.PEM, pair, token)
	if err != nil {
		return nil, err
	}
	return &Person{Name: name, Kubeconfig: kubeconfig, Client: client,
		kubectl: plane.Program("kubectl"), helm: plane.Program("helm"), folder: plane.folder}, nil
}

// Kubectl runs one command.
func (person *Person) Kubectl(arguments ...string) Outcome {
	return person.KubectlWith("", arguments...)
}

// KubectlWith runs one command with a manifest on its standard input (`-f -`).
func (person *Person) KubectlWith(manifest string, arguments ...string) Outcome {
	return person.run("kubectl", person.kubectl, manifest, nil, arguments)
}

// KubectlEdit runs `kubectl edit`, with a sed script for an editor.
func (person *Person) KubectlEdit(script string, arguments ...string) Outcome {
	editor := "EDITOR=sed -i -e '" + script + "'"
	return person.run("kubectl", person.kubectl, "", []string{editor}, append([]string{"edit"}, arguments...))
}

// Helm runs the real Helm.
func (person *Person) Helm(arguments ...string) Outcome {
	return person.run("helm", person.helm, "", nil, arguments)
}

func (person *Person) run(name, program, input string, environment, arguments []string) Outcome {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, program, append([]string{"--kubeconfig=" + person.Kubeconfig}, arguments...)...)
	command.Env = append(environment, "PATH="+os.Getenv("PATH"), "HOME="+person.folder) // HOME holds the discovery cache
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	command.Stdin = strings.NewReader(input)
	var output, errors bytes.Buffer
	command.Stdout, command.Stderr = &output, &errors
	err := command.Run()
	if ctx.Err() != nil {
		errors.WriteString("(" + name + " was stopped after 30 s)")
	}
	return Outcome{
		Command: name + " " + strings.Join(arguments, " "),
		Output:  output.String(),
		Errors:  errors.String(),
		Failed:  err != nil,
	}
}

func (outcome Outcome) String() string {
	return fmt.Sprintf("%s\n%s%s", outcome.Command, outcome.Output, outcome.Errors)
}

// Token is the output of `kubectl create token`.
func (outcome Outcome) Token() string { return strings.TrimSpace(outcome.Output) }

// writeKubeconfig writes one as JSON, which every reader of YAML accepts.
func (plane *ControlPlane) writeKubeconfig(name string, pair *KeyPair, token string) (string, error) {
	user := Object{}
	if pair != nil {
		user["client-certificate-data"] = pair.Certificate
		user["client-key-data"] = pair.Key
	}
	if token != "" {
		user["token"] = token
	}
	content, err := json.MarshalIndent(Object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": "lab",
		"contexts":        []Object{{"name": "lab", "context": Object{"cluster": "lab", "user": name}}},
		"clusters": []Object{{"name": "lab", "cluster": Object{
			"server": plane.server, "certificate-authority-data": plane.servers.PEM}}},
		"users": []Object{{"name": name, "user": user}},
	}, "", "  ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(plane.folder, name+".kubeconfig")
	return path, os.WriteFile(path, content, 0o600)
}
