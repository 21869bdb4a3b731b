// Tests against a real control plane. Standard library only: what people do goes through the real kubectl, and the few
// calls the harness makes itself are plain HTTPS.
module fluxgate.dev/tests/cluster

go 1.26
