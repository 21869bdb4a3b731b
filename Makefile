# Thin names over the CMake presets; CI runs the same ones. `make` alone lists them.
# Two need nothing but git and make on a Debian 12, as root or with sudo: `make demo` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

# Used if it is there, never required. Paths below this folder count as equal, so that a second clone starts warm.
ccache := $(shell command -v ccache)
export CCACHE_BASEDIR := $(CURDIR)

binary := build/release/fluxgate
configure = cmake --preset $(1) --log-level=WARNING -DCMAKE_CXX_COMPILER_LAUNCHER=$(ccache) >/dev/null
compile = cmake --build --preset $(1)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

# --- what people come for ---------------------------------------------------------------------------------------------
.PHONY: demo build test
demo: build ## install what is missing, build, and show Fluxgate at work on this machine, without a cluster
	@$(binary) demo $(DEMO_ARGS)

build: packages-build ## build/release/fluxgate
	@$(call configure,release)
	@$(call compile,release) --target fluxgate

test: packages-build ## install what is missing, build, and run every test that needs no cluster
	@$(call configure,release)
	@$(call compile,release)
	@ctest --preset release -j2

# --- against real things ----------------------------------------------------------------------------------------------
.PHONY: cluster-test bench bench-check fuzz mutation torture
cluster-test: build ## a real Kubernetes control plane and Flux against the release binary (needs Go 1.26 or newer)
	@$(call compile,release) --target manifest_reader log_maker
	@FLUXGATE=$(CURDIR)/$(binary) tests/cluster/run $(GO_TEST_FLAGS)

bench: packages-build packages-bench ## speed and memory, as a table and one JSON line per figure
	@$(call configure,release)
	@$(call compile,release)
	@tests/bench/run

bench-check: build ## check beside conftest, Kyverno and kubeconform; builds those once, in about 20 minutes (needs Go)
	@FLUXGATE=$(CURDIR)/$(binary) tests/bench/check/run

fuzz: packages-build packages-fuzz ## every parser of outside bytes under libFuzzer (FUZZ_SECONDS=60 for each target)
	@$(call configure,fuzz)
	@tests/fuzz/run

mutation: packages-build ## delete every single check of what decides, one at a time: a test must notice
	@tests/mutation/run

torture: packages-build ## the long campaign: a million simulated disks, 20,000 kills, fuzzing, mutation, the cluster tests
	@$(call configure,release)
	@$(call compile,release) --target test_audit
	@FLUXGATE_SEEDS=$${FLUXGATE_SEEDS:-1000000} build/release/tests/test_audit "no disk makes*"
	@FLUXGATE_KILLS=$${FLUXGATE_KILLS:-20000} build/release/tests/test_audit "a kill at any step*"
	@$(MAKE) fuzz FUZZ_SECONDS=600
	@$(MAKE) mutation
	@$(MAKE) cluster-test

# --- while changing it ------------------------------------------------------------------------------------------------
.PHONY: debug asan tsan lint format golden docs clean
debug: ## build and test without optimisation
asan: ## build and test under AddressSanitizer and UBSan
tsan: ## build and test under ThreadSanitizer
debug asan tsan: packages-build
	@$(call configure,$@)
	@$(call compile,$@)
	@ctest --preset $@ -j2

lint: packages-lint ## formatting, folder directions, shell syntax; changes nothing
	@tools/format --check
	@python3 tests/structure/includes.py
	@tools/field-tables --check
	@tools/check-shell

format: packages-lint ## let clang-format rewrite our C++ files
	@tools/format

golden: packages-build ## rewrite the golden verdicts and outputs; review the diff like code
	@$(call configure,release)
	@$(call compile,release) --target test_policy test_cli
	@FLUXGATE_GOLDEN_REWRITE=1 build/release/tests/test_policy "the verdicts on recorded reviews are as reviewed"
	@FLUXGATE_GOLDEN_REWRITE=1 build/release/tests/test_cli "* in every format is as reviewed"
	@git diff --stat -- tests/golden tests/unit/cli/output/golden

docs: ## rewrite the tables of fields in docs/ from the schema of policy files
	@tools/field-tables
	@git diff --stat -- docs

clean: ## remove build/
	rm -rf build

# `make packages-GROUP`: a group of packages.txt, if anything of it is missing.
packages-%:
	@tools/install-packages $*
