#!/usr/bin/env bash
# Runs `fluxgate check` in a pipeline. The GitHub action and the Azure Pipelines template both call it; so can anything else.
# Everything comes through the environment, and nothing of it is ever read as shell.
#
#   FLUXGATE_POLICIES   folder of policy files (required)
#   FLUXGATE_PATHS      files and folders with manifests, one a line
#   FLUXGATE_KUSTOMIZE  overlays to build and judge, one a line; needs kustomize or kubectl in PATH
#   FLUXGATE_AS         who will apply them (default flux)
#   FLUXGATE_FAIL_ON    deny (default), warn, audit, none
#   FLUXGATE_STRICT     true: what cannot be judged, such as a HelmRelease, fails too
#   FLUXGATE_FORMAT     what is printed: github, azuredevops, table … (default: fluxgate's own)
#   FLUXGATE_SARIF, FLUXGATE_JUNIT, FLUXGATE_MARKDOWN   files to write as well
#   FLUXGATE_RENDERED   where built overlays are left, for findings to point into (default .fluxgate/rendered, removed and made anew)
#   FLUXGATE_BINARY, FLUXGATE_BINARY_SHA256   see obtain.sh
#   FLUXGATE_TESTS      PolicyTests to run first, a folder; empty: none. Their failure fails the run, and manifests are judged all the same
#
# The working directory may hold what a stranger committed, symbolic links too: nothing is written through one.
#
# Exit codes: 0 clean, 1 findings or tests that fail, 2 could not evaluate; of check and the tests, the worse.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
    echo "fluxgate: $*" >&2
    exit 2
}

# lines NAME TEXT: the lines of TEXT that are not empty, without surrounding blanks, as the array NAME. A path that begins with a dash is
# a path, not an option.
lines() {
    local -n into=$1
    local line
    into=()
    while IFS= read -r line || [[ -n $line ]]; do
        line=${line%$'\r'}
        line=${line#"${line%%[![:space:]]*}"}
        line=${line%"${line##*[![:space:]]}"}
        [[ -n $line ]] || continue
        [[ $line != -* ]] || line=./$line
        into+=("$line")
    done <<<"$2"
}

# refuse_links PATH: no symbolic link lies between the checkout and a file that is to be written. Of an absolute path elsewhere only the file
# is asked: links above it (/tmp of some systems) are the machine's, not the repository's.
refuse_links() {
    local root rest=$1 walked=''
    for root in "$PWD" "$(pwd -P)" "${GITHUB_WORKSPACE:-$PWD}" "${BUILD_SOURCESDIRECTORY:-$PWD}"; do
        if [[ $1 == "$root"/* ]]; then
            walked=$root/
            rest=${1#"$root"/}
            break
        fi
    done
    if [[ $rest == /* ]]; then
        walked=$(dirname -- "$rest")/
        rest=$(basename -- "$rest")
    fi
    while [[ -n $rest ]]; do
        walked+=${rest%%/*}
        [[ ! -L $walked ]] || fail "$1 leads through the symbolic link $walked; nothing is written through links"
        [[ $rest == */* ]] || break
        walked+=/
        rest=${rest#*/}
    done
}

# prepare PATH: what has to be true before a file is written there.
prepare() {
    refuse_links "$1"
    mkdir -p -- "$(dirname -- "$1")" || fail "cannot make the folder of $1"
}

build_overlay() {
    if command -v kustomize >/dev/null; then
        kustomize build "$1"
    elif command -v kubectl >/dev/null; then
        kubectl kustomize "$1"
    else
        fail "neither kustomize nor kubectl is in PATH, and overlays are to be built: $1"
    fi
}

[[ -n ${FLUXGATE_POLICIES:-} ]] || fail "no policies: set FLUXGATE_POLICIES to a folder of policy files"
strict=${FLUXGATE_STRICT:-false}
strict=${strict,,}  # Azure Pipelines writes True and False
[[ $strict == true || $strict == false ]] || fail "strict is true or false, not '$FLUXGATE_STRICT'"
lines inputs "${FLUXGATE_PATHS:-}"
lines overlays "${FLUXGATE_KUSTOMIZE:-}"
((${#inputs[@]} + ${#overlays[@]} > 0)) || fail "nothing to check: name paths or overlays"

found=$("$here/obtain.sh") || exit 2
fluxgate=${found##*$'\n'}

worst=0
if [[ -n ${FLUXGATE_TESTS:-} ]]; then
    "$fluxgate" test -- "$FLUXGATE_TESTS" || worst=$?
fi

rendered=${FLUXGATE_RENDERED:-.fluxgate/rendered}
if [[ -z ${FLUXGATE_RENDERED:-} ]]; then
    [[ ! -L .fluxgate ]] || rm .fluxgate
    rm -rf .fluxgate/rendered
fi
for overlay in "${overlays[@]}"; do
    [[ -d $overlay ]] || fail "there is no folder $overlay"
    [[ /$overlay/ != */../* && $overlay != /* ]] || fail "overlays are named from the top of the repository, without '..': $overlay"
    name=${overlay#./}
    name=${name%/}
    target=$rendered/$name.yaml
    prepare "$target"
    build_overlay "$overlay" >"$target" || fail "$overlay does not build"
    inputs+=("$target")
done

arguments=(--policies "$FLUXGATE_POLICIES")
[[ -z ${FLUXGATE_AS:-} ]] || arguments+=(--as "$FLUXGATE_AS")
[[ -z ${FLUXGATE_FAIL_ON:-} ]] || arguments+=(--fail-on "$FLUXGATE_FAIL_ON")
[[ $strict != true ]] || arguments+=(--strict)
[[ -z ${FLUXGATE_FORMAT:-} ]] || arguments+=(-o "$FLUXGATE_FORMAT")
for format in sarif junit markdown; do
    variable=FLUXGATE_${format^^}
    if [[ -n ${!variable:-} ]]; then
        prepare "${!variable}"
        arguments+=(--output-file "$format=${!variable}")
    fi
done

code=0
"$fluxgate" check "${arguments[@]}" "${inputs[@]}" || code=$?
exit $((code > worst ? code : worst))
