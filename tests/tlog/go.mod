// Checks the provable log with verifiers that are not ours: Go's checksum database, Tessera's fsck, Sigstore's verifier.
module fluxgate.dev/tests/tlog

go 1.26.0

require golang.org/x/mod v0.33.0
