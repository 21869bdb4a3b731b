// Package lab runs a real control plane and a real Flux on loopback, for the tests beside it.
package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Lab is everything that runs, apart from the webhook.
type Lab struct {
	*ControlPlane
	Flux     *Flux
	Git      *GitSource
	Operator *Person // the cluster's operator (system:masters): installs things, never a subject of a test

	Folder string // logs, keys, data
	Source string // the folder tests/cluster
}

// Start brings up the control plane and Flux and applies nothing yet. `source` is the folder tests/cluster; `log` gets one
// line per step.
func Start(source string, log func(format string, arguments ...any)) (*Lab, error) {
	built := os.Getenv("FLUXGATE_CONTROLPLANE")
	if built == "" {
		return nil, errors.New("FLUXGATE_CONTROLPLANE does not name a built control plane; start this with tests/cluster/run")
	}
	folder, err := os.MkdirTemp("", "fluxgate-lab-")
	if err != nil {
		return nil, err
	}
	lab := &Lab{Folder: folder, Source: source}
	if err := lab.start(built, log); err != nil {
		lab.Stop()
		return nil, fmt.Errorf("%w\n(logs are kept in %s)", err, folder)
	}
	return lab, nil
}

func (lab *Lab) start(built string, log func(format string, arguments ...any)) (err error) {
	began := time.Now()
	step := func(name string) { log("%5.1f s  %s", time.Since(began).Seconds(), name) }

	if lab.ControlPlane, err = startControlPlane(filepath.Join(built, "bin"), lab.Folder); err != nil {
		return err
	}
	step("etcd, kube-apiserver and kube-controller-manager are up")
	if lab.Operator, err = lab.Person("lab-operator", "system:masters"); err != nil {
		return err
	}
	lab.Flux, err = startFlux(lab.ControlPlane, lab.Operator, filepath.Join(built, "crds"), lab.Manifest(""), lab.Folder)
	if err != nil {
		return err
	}
	step("kustomize-controller is up, with a token bound to its Pod")
	lab.Git, err = startGitSource(lab.Admin, lab.Folder)
	return err
}

// Manifest is the path of a file in manifests/.
func (lab *Lab) Manifest(name string) string { return filepath.Join(lab.Source, "manifests", name) }

// App reads a file of apps/, the content of the Git repository.
func (lab *Lab) App(name string) (string, error) {
	content, err := os.ReadFile(filepath.Join(lab.Source, "apps", name))
	return string(content), err
}

// Commit copies files of apps/ into the repository and pushes them.
func (lab *Lab) Commit(message string, apps ...string) (revision string, err error) {
	for _, name := range apps {
		content, err := lab.App(name)
		if err != nil {
			return "", err
		}
		if err := lab.Git.Write(name, content); err != nil {
			return "", err
		}
	}
	return lab.Git.Push(message)
}

// Alive names the program that has gone, if any: then no test result means anything.
func (lab *Lab) Alive() error { return errors.Join(lab.ControlPlane.alive(), lab.Flux.alive()) }

// Stop ends every program.
func (lab *Lab) Stop() {
	lab.Flux.stop()
	if lab.Git != nil {
		lab.Git.stop()
	}
	if lab.ControlPlane != nil {
		lab.ControlPlane.stop()
	}
}

// Remove deletes the logs and data. Kept after a failure.
func (lab *Lab) Remove() { _ = os.RemoveAll(lab.Folder) }
