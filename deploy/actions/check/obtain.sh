#!/usr/bin/env bash
# Finds the fluxgate to check with, and prints its path as the last line of standard output.
#
#   FLUXGATE_BINARY          a binary that is there already; its name in PATH will do
#   FLUXGATE_BINARY_SHA256   its checksum, compared before it runs
#
# Without FLUXGATE_BINARY it is built from the source tree this script lies in: the one that `uses: …@REF` or `checkout` fetched, so the
# version is the ref. That needs a Debian 12 (packages.txt) and three minutes. There are no releases to download yet.
set -euo pipefail
source_tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)

fail() {
    echo "fluxgate: $*" >&2
    exit 2
}

if [[ -n ${FLUXGATE_BINARY:-} ]]; then
    binary=$(command -v -- "$FLUXGATE_BINARY") || fail "there is no program '$FLUXGATE_BINARY'"
    [[ $binary == /* ]] || binary=$PWD/$binary
    if [[ -n ${FLUXGATE_BINARY_SHA256:-} ]]; then
        actual=$(sha256sum -- "$binary")
        [[ ${actual%% *} == "${FLUXGATE_BINARY_SHA256,,}" ]] || fail "$binary has the checksum ${actual%% *}, expected $FLUXGATE_BINARY_SHA256"
    fi
else
    [[ -z ${FLUXGATE_BINARY_SHA256:-} ]] || fail "a checksum without a binary: give both, or neither to build from source"
    binary=$source_tree/build/release/fluxgate
    # Every time: an agent may have kept build/ of another ref. Where nothing changed, make has nothing to do.
    make -C "$source_tree" build >&2
fi
printf '%s\n' "$binary"
