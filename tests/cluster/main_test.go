package cluster

import (
	"fmt"
	"os"
	"testing"
	"time"

	"fluxgate.dev/tests/cluster/lab"
)

// One control plane serves all cases, in the order in which they stand.
var (
	cluster *lab.Lab
	guard   *lab.Guard

	alice  *lab.Person // a developer whom RBAC allows everything
	minted string      // a token of kustomize-controller that somebody got hold of before Fluxgate came

	helmController   *lab.Person // of Flux, with the tokens of their Pods
	sourceController *lab.Person
)

func TestMain(tests *testing.M) { os.Exit(run(tests)) }

func run(tests *testing.M) int {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "cluster tests:", err)
		stop(false)
		return 1
	}
	result := tests.Run()
	stop(result == 0)
	return result
}

func prepare() (err error) {
	began := time.Now()
	say := func(format string, arguments ...any) { fmt.Printf(format+"\n", arguments...) }
	if cluster, err = lab.Start(".", say); err != nil {
		return err
	}
	if alice, err = cluster.Person("alice@example.com", "devs"); err != nil {
		return err
	}
	if minted, err = mintedToken(alice); err != nil {
		return err
	}
	if helmController, err = cluster.AccountInPod("flux-system", "helm-controller"); err != nil {
		return err
	}
	if sourceController, err = cluster.AccountInPod("flux-system", "source-controller"); err != nil {
		return err
	}
	if guard, err = cluster.NewGuard(); err != nil {
		return err
	}
	// Registered before it runs, as in a cluster that has just been restored: the API server must fail closed.
	if err := cluster.RegisterGuard(guard); err != nil {
		return err
	}
	say("%5.1f s  Fluxgate is registered, not running yet, and the API server fails closed", time.Since(began).Seconds())
	if err := guard.Start(); err != nil {
		return err
	}
	say("%5.1f s  Fluxgate is ready", time.Since(began).Seconds())
	return nil
}

// stop ends everything, and keeps the logs when something failed.
func stop(passed bool) {
	if guard != nil {
		_ = guard.Stop()
	}
	if cluster == nil {
		return
	}
	cluster.Stop()
	if passed {
		cluster.Remove()
	} else {
		fmt.Println("logs, audit records and the API server's audit log are kept in", cluster.Folder)
	}
}

func mintedToken(person *lab.Person) (string, error) {
	outcome := person.Kubectl("-n", "flux-system", "create", "token", "kustomize-controller")
	if outcome.Failed {
		return "", fmt.Errorf("%s", outcome)
	}
	return outcome.Token(), nil
}
