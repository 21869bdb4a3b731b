package main

import (
	"fmt"

	"fluxgate.dev/tests/cluster/lab"
)

// keep leaves the control plane, Flux and Fluxgate running for somebody to poke at, with the shop of apps/ delivered.
func keep(it *lab.Lab) error {
	alice, err := it.Person("alice@example.com", "devs")
	if err != nil {
		return err
	}
	guard, err := it.NewGuard()
	if err != nil {
		return err
	}
	if err := it.RegisterGuard(guard); err != nil {
		return err
	}
	if err := guard.Start(); err != nil {
		return err
	}
	defer func() { _ = guard.Stop() }()
	revision, err := it.Commit("the shop", "namespaces.yaml", "web.yaml", "staging-web.yaml", "autoscaler.yaml", "quota.yaml", "children.yaml")
	if err != nil {
		return err
	}
	if err := it.Flux.Applied(revision); err != nil {
		return err
	}
	fmt.Printf(`
Everything is up; Ctrl-C ends it and removes its folder %s.

  as alice, a developer   export KUBECONFIG=%s
  as the operator         export KUBECONFIG=%s
  kubectl of this build   alias kubectl=%s
  try                     kubectl -n production set image deployment/web web=nginx:evil
  records                 %s
  logs                    *.log in the folder above; the API server's audit log is %s
`, it.Folder, alice.Kubeconfig, it.Operator.Kubeconfig, it.Program("kubectl"), guard.Audit, it.AuditLog)
	untilInterrupted()
	return nil
}
