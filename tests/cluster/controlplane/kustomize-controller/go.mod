// Flux's kustomize-controller for the test control plane, and the module that carries source-controller's CRDs.
// Built by ../../run, never linked into anything.
module fluxgate.dev/tests/cluster/controlplane/kustomize-controller

go 1.26.0

tool github.com/fluxcd/kustomize-controller

require github.com/fluxcd/kustomize-controller v1.9.5

replace github.com/opencontainers/go-digest => github.com/opencontainers/go-digest v1.0.1-0.20220411205349-bde1400a84be
