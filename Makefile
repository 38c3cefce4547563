# How the project is built and tested: `make help` lists the targets.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
# The targets build on each other in the order that they are listed in; cargo uses the cores.
.NOTPARALLEL:

export CARGO_BUILD_JOBS ?= 2
ENVOY_VERSION ?= 1.40.0
# The supported lines of Envoy.
MATRIX ?= 1.36.4 1.37.0 1.38.2 1.39.3 1.40.0
export WEIR_ENVOY_VERSION := $(ENVOY_VERSION)
export WEIR_DIST := $(CURDIR)/dist
TARGET := $(CURDIR)/target
# Scripts and tests look for what is built in that folder alone.
export CARGO_TARGET_DIR := $(TARGET)
TOOLS := $(CURDIR)/.tools
WASM := $(TARGET)/wasm32-wasip1/wasm
MODULES := policy rate-limit telemetry suite
# The same builds with the callback for responses or without it: NAME-response, NAME-lean; with that for ends: NAME-observe.
VARIANTS := policy-observe telemetry-response rate-limit-lean suite-lean
# Crates that name no host: their unit tests also run on wasm32, where `usize` has 32 bits.
PURE := shared/model shared/matching shared/config shared/metrics shared/proto shared/records \
  filters/policy filters/rate-limit filters/telemetry filters/suite
# Test filters on the plain SDK: dist/sdk-NAME.wasm.
SDK_FILTERS := body trailers callout log properties
CARGO_DENY_VERSION := 0.20.2
CARGO_FUZZ_VERSION := 0.13.2
WASM_BINDGEN_VERSION := 0.2.130
# Every test is built with the features that all crates together ask for: else wasmtime would be built several times.
TESTED := --workspace --exclude 'weir-*-module' --exclude weir-probe --exclude weir-empty --exclude weir-shell-probe \
  --exclude 'weir-sdk-*'
# What is released has no path of the machine that built it.
REMAPPED := CARGO_ENCODED_RUSTFLAGS="$$(scripts/remap-paths)"
# A value that somebody gave, for the shell.
quoted = '$(subst ','\'',$(1))'
step = @printf '\n== %s\n' $(call quoted,$(1))

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---------------------------------------------------------------------------------------------------- toolchain

# Tests and lints start with this, so that they run on a fresh Debian machine.
.PHONY: prepare
prepare:
	@scripts/install-tools

.PHONY: toolchain
toolchain:
	@command -v rustup >/dev/null || { echo "weir: rustup is missing: see https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "weir: a C compiler (cc) is missing: install gcc or clang" >&2; exit 1; }
	@rustup show active-toolchain >/dev/null 2>&1 || rustup toolchain install || \
	  { echo "weir: rustup cannot install the toolchain: check the network" >&2; exit 1; }
	@for target in wasm32-wasip1 wasm32-unknown-unknown; do \
	  rustup target list --installed | grep -qx $$target || rustup target add $$target || \
	  { echo "weir: rustup cannot add $$target: check the network" >&2; exit 1; }; done
	@for component in rustfmt clippy; do \
	  rustup component list --installed | grep -q "^$$component" || rustup component add $$component; done

.PHONY: doctor
doctor: ## list the tools that each target needs, and how to get those that are missing
	@scripts/doctor

# ------------------------------------------------------------------------------------------------------- build

.PHONY: modules
modules: toolchain
	$(call step,modules for Envoy: $(MODULES) $(VARIANTS))
	@$(REMAPPED) cargo build --locked --profile wasm --target wasm32-wasip1 $(MODULES:%=-p weir-%-module)
	@$(REMAPPED) cargo build --locked --release -p weir-link
	@mkdir -p dist
	@for module in $(MODULES); do \
	  $(TARGET)/release/weir-link $(WASM)/weir_$${module//-/_}_module.wasm dist/$$module.wasm --for $$module; done
	@for variant in $(VARIANTS); do module=$${variant%-response}; module=$${module%-lean}; module=$${module%-observe}; \
	  $(TARGET)/release/weir-link $(WASM)/weir_$${module//-/_}_module.wasm dist/$$variant.wasm --for $$variant; done

.PHONY: page
page: toolchain $(TOOLS)/bin/wasm-bindgen-test-runner ## build the page of weir serve, dist/page.html, which make build puts into weir
	$(call step,the page of weir serve)
	@scripts/build-page $(TOOLS)/bin/wasm-bindgen dist/page.html

.PHONY: serve
serve: page build ## open the page that explains and analyzes in a browser, on this machine
	@dist/weir serve

.PHONY: build
build: modules ## build the modules and the command line: dist/*.wasm and dist/weir
	$(call step,the weir command line)
	@$(REMAPPED) cargo build --locked --release -p weir
	@install -m 755 $(TARGET)/release/weir dist/weir
	@ls -l dist | awk 'NR > 1 {printf "  %9d bytes  %s\n", $$5, $$9}'

.PHONY: reproduce
reproduce: toolchain ## build twice, in different folders, and compare what is released byte for byte
	$(call step,two builds of the committed state)
	@scripts/reproduce

VERSION := $(shell sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)

.PHONY: release
release: toolchain ## what is released, in release/: the outcome of two builds that are the same, images, SHA256SUMS; TAG=vX.Y.Z checks the version
	@tag=$(call quoted,$(TAG)); [ -z "$$tag" ] || [ "$$tag" = 'v$(VERSION)' ] || { echo "weir: the tag $$tag is not that of version $(VERSION)" >&2; exit 1; }
	$(call step,two builds of the committed state)
	@scripts/reproduce release
	$(call step,images and hashes)
	@scripts/release-files release "$$(git rev-parse HEAD)"

.PHONY: push-images
push-images: ## push the images of release/: make push-images REGISTRY=registry.example.com
	@scripts/push-images release $(call quoted,$(REGISTRY))

# `weir run` needs an Envoy of the operator's there. No C is compiled (that of the TLS library): a check links nothing, so an
# archive without members does, and no compiler for the target is needed.
SYSTEMS := aarch64-unknown-linux-gnu x86_64-apple-darwin aarch64-apple-darwin

.PHONY: check-targets
check-targets: toolchain ## check that the command line compiles for Linux on arm64 and for macOS
	@for target in $(SYSTEMS); do \
	  printf '\n== weir for %s\n' $$target; \
	  rustup target list --installed | grep -qx $$target || rustup target add $$target; \
	  env CC_$${target//-/_}=true AR_$${target//-/_}=true cargo check --locked -p weir --target $$target; done

# --------------------------------------------------------------------------------------------------------- run

RUN = --bootstrap envoy-configs/envoy.yaml --requests envoy-configs/requests.yaml $(PORT:%=--port %) $(ADMIN_PORT:%=--admin-port %)

.PHONY: run
run: build ## start a real Envoy with the suite and a built-in upstream, send requests, and stay up; PORT=N ADMIN_PORT=N
	@dist/weir run $(RUN)

.PHONY: demo
demo: build ## do the same and exit
	@dist/weir run $(RUN) --exit

# -------------------------------------------------------------------------------------------------------- tests

.PHONY: test
test: prepare test-unit test-wasm32 test-modules test-worlds budget ## run every test that needs no Docker; ENVOY_VERSION=1.37.0 for another line
	$(call step,all tests passed)

.PHONY: test-unit
test-unit: prepare toolchain
	$(call step,unit tests of every crate)
	@cargo test --locked $(TESTED) --lib --bins --examples
	$(call step,examples in the documentation of the pure crates)
	@cargo test --locked --doc $(addprefix -p weir-,$(notdir $(PURE)))
	$(call step,conformance and oracles)
	@cargo test --locked $(TESTED) --test conformance --test oracle --test scale --test analyze

.PHONY: test-wasm32
test-wasm32: prepare toolchain $(TOOLS)/bin/wasm-bindgen-test-runner
	$(call step,unit tests of the pure crates on wasm32 under node)
	@command -v node >/dev/null || { echo "weir: node is missing: make doctor says how to get it" >&2; exit 1; }
	@! grep -rl '#\[test\]' $(addsuffix /src,$(PURE)) --include=*.rs | xargs grep -L 'use wasm_bindgen_test::wasm_bindgen_test as test;' | sed \
	  's/$$/: its tests do not run on wasm32: import wasm_bindgen_test as test/' | grep . >&2
	@CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$(TOOLS)/bin/wasm-bindgen-test-runner \
	  cargo test --locked --target wasm32-unknown-unknown --lib $(addprefix -p weir-,$(notdir $(PURE)))

.PHONY: test-modules
test-modules: page build ## build the modules and those that only tests load
	$(call step,test modules)
	@$(REMAPPED) cargo build --locked --profile wasm --target wasm32-wasip1 -p weir-probe -p weir-empty -p weir-shell-probe \
  $(SDK_FILTERS:%=-p weir-sdk-%)
	@cp $(WASM)/weir_probe.wasm dist/probe.wasm
	@cp $(WASM)/weir_empty.wasm dist/empty.wasm
	@$(TARGET)/release/weir-link $(WASM)/weir_empty.wasm dist/empty-stripped.wasm --for empty >/dev/null
	@$(TARGET)/release/weir-link $(WASM)/weir_shell_probe.wasm dist/shell-probe.wasm --for shell-probe >/dev/null
	@for filter in $(SDK_FILTERS); do cp $(WASM)/weir_sdk_$$filter.wasm dist/sdk-$$filter.wasm; done

.PHONY: test-worlds
test-worlds: test-modules
	$(call step,scenarios in real Envoy $(ENVOY_VERSION) and in the in-process host)
	@cargo test --locked $(TESTED) --test scenarios --test composition
	$(call step,strictness of the in-process host; hostile bytes and swaps and the decisions of its own filters in real Envoy)
	@cargo test --locked $(TESTED) --test shell --test callouts --test strictness --test hostile --test swap --test proxy --test rbac \
	  --test actions --test network --test path_parameters --test clock --test peers --test labels --test vouched --test failures \
	  --test roots --test waiting --test ext_authz --test rotation --test audit
	$(call step,the command line and every file of envoy-configs)
	@cargo test --locked $(TESTED) --test envoy_configs --test samples --test command_line --test compose --test readme --test run --test validate --test two_listeners \
	  --test capabilities --test page --test deploying --test render --test render_all --test render_envoy
	$(call step,manifests in real Envoy as istiod and the istio-agent apply them)
	@cargo test --locked $(TESTED) --test manifests --test seeded_faults --test rendered
	$(call step,images of modules: a real registry and skopeo; what is linked into the modules)
	@cargo test --locked $(TESTED) --test images --test inventory
	$(call step,transcripts of both hosts)
	@cargo test --locked $(TESTED) --test transcript --test tcp

# Envoy waits more than it works, so lines run side by side; the output of one that fails is printed. What is written in one
# piece must arrive in one piece for transcripts to be equal, so those run alone.
LINES_AT_ONCE ?= 2
MATRIX_TESTS := --test scenarios --test failures --test roots --test path_parameters --test tcp --test manifests --test rendered \
  --test render_envoy

.PHONY: test-matrix
test-matrix: test-modules ## run the scenarios and transcripts on every supported Envoy line; MATRIX='1.37.0 1.38.2' for some
	$(call step,scenarios in real Envoy $(MATRIX))
	@cargo test --locked $(TESTED) $(MATRIX_TESTS) --test transcript --no-run
	@mkdir -p $(TARGET)/matrix
	@printf '%s\n' $(MATRIX) | xargs -P $(LINES_AT_ONCE) -I @ bash -c 'export WEIR_ENVOY_VERSION=@; log=$(TARGET)/matrix/@.log; \
	  if cargo test --locked $(TESTED) $(MATRIX_TESTS) >$$log 2>&1; then echo "@: passed in $$SECONDS s"; \
	  else cat $$log; echo "@: failed"; exit 1; fi'
	@for version in $(MATRIX); do \
	  printf '\n== transcripts of both hosts: Envoy %s\n' $$version; \
	  WEIR_ENVOY_VERSION=$$version cargo test --locked $(TESTED) --test transcript; done

.PHONY: test-docker
test-docker: test-modules ## run the scenarios and envoy-configs/compose in containers; BASE=IMAGE names the base image
	@TESTED="$(subst ',,$(TESTED))" BASE=$(call quoted,$(BASE)) PROMETHEUS=$(call quoted,$(PROMETHEUS)) wasm-tests/docker/run

# The file is given on the command line: that of the environment may be of any cluster.
.PHONY: test-istio
test-istio: build ## try what weir render prints in a cluster with Istio, in a namespace of its own; KUBECONFIG=FILE IMAGE=oci://REGISTRY/NAME@sha256:DIGEST
	@[ '$(origin KUBECONFIG)' = 'command line' ] || { echo 'weir: name the cluster: make test-istio KUBECONFIG=FILE' >&2; exit 2; }
	@scripts/test-istio $(call quoted,$(KUBECONFIG)) $(call quoted,$(IMAGE))

.PHONY: soak
soak: test-modules ## compare 50,000 decisions with RBAC's, measure a client while others make up labels and while rules are swapped; wants a quiet machine
	@cargo test --locked $(TESTED) --test labels --test vouched --test swap -- --ignored --nocapture --test-threads 1
	@WEIR_RBAC_REQUESTS=50000 cargo test --locked $(TESTED) --test rbac -- --nocapture

.PHONY: fuzz
TIME ?= 60
fuzz: test-modules $(TOOLS)/bin/cargo-fuzz ## hostile bytes for the readers, the cells and the modules, seconds each: make fuzz TIME=60
	@wasm-tests/fuzz/run $(TIME)
	$(call step,random streams and configurations through the modules for $(TIME) seconds)
	@WEIR_FUZZ_SECONDS=$(TIME) cargo test --locked $(TESTED) --test fuzz -- --ignored --nocapture

CASES ?= ../shared/cases
WORLD ?= core

.PHONY: conformance
conformance: conformance-cases $(if $(filter core,$(WORLD)),toolchain,modules) ## run third-party case files: make conformance CASES=DIR WORLD=core|host|envoy
	$(call step,case files of $(CASES): world $(WORLD))
	@scripts/conformance $(call quoted,$(abspath $(CASES))) $(call quoted,$(WORLD))

.PHONY: conformance-cases
conformance-cases:
	@cases=$(call quoted,$(CASES)); [ -d "$$cases" ] || { echo "weir: there is no folder $$cases: make conformance CASES=DIR" >&2; exit 1; }
	@world=$(call quoted,$(WORLD)); case "$$world" in core|host|envoy) ;; *) echo "weir: WORLD is core, host or envoy, not $$world" >&2; exit 1;; esac

# --------------------------------------------------------------------------------------------------------- cost

.PHONY: prepare-bench
prepare-bench:
	@scripts/install-tools bench

.PHONY: bench
bench: prepare-bench test-modules ## measure each filter beside Envoy's own and write docs/benchmarks.md
	@$(REMAPPED) cargo build --locked --release -p weir-bench
	@$(TARGET)/release/weir-bench --write

.PHONY: budget
budget: test-modules ## compare the exact cost of every scenario with wasm-tests/budgets.toml
	$(call step,budgets)
	@cargo test --locked $(TESTED) --test budget

# ------------------------------------------------------------------------------------------------------- quality

.PHONY: lint
lint: prepare toolchain $(TOOLS)/bin/cargo-deny ## check formatting, clippy, licences, the documents' links and paths, and the prose of documents and comments
	$(call step,formatting)
	@cargo fmt --all --check
	@cargo fmt --manifest-path wasm-tests/fuzz/Cargo.toml --check
	$(call step,clippy)
	@cargo clippy --locked --workspace --all-targets -- -D warnings
	$(call step,licences sources and bans)
	@$(TOOLS)/bin/cargo-deny --log-level error check bans licenses sources
	$(call step,documents and comments)
	@scripts/check-docs
	@scripts/check-prose

.PHONY: fmt
fmt: toolchain ## format the code
	@cargo fmt --all
	@cargo fmt --manifest-path wasm-tests/fuzz/Cargo.toml

.PHONY: inventory
inventory: toolchain ## write cli/inventory/crates.json: what is linked into the modules, for the SBOM and the licences of their images
	@WEIR_INVENTORY=write cargo test --locked -p weir --test inventory

.PHONY: reference
reference: toolchain ## write docs/configuration.md: every field of a Weir document and of weir.yaml, from cli/schemas
	@WEIR_REFERENCE=write cargo test --locked -p weir --test inventory reference

.PHONY: compare-crd
compare-crd: toolchain ## compare the schema of Envoy Gateway's resource with the definition of a release: make compare-crd CRD=FILE
	@crd=$(call quoted,$(CRD)); [ -f "$$crd" ] || { echo "weir: there is no file $$crd: make compare-crd CRD=FILE" >&2; exit 1; }
	@CRD=$(call quoted,$(abspath $(CRD))) cargo test --locked -p weir --test inventory the_schema_is_that_of_the_definition_in_crd

.PHONY: hooks
hooks: ## install a pre-commit hook that runs the quick checks
	@mkdir -p "$$(git rev-parse --git-path hooks)"
	@install -m 755 scripts/pre-commit "$$(git rev-parse --git-path hooks)/pre-commit"
	@echo "installed $$(git rev-parse --git-path hooks)/pre-commit"

$(TOOLS)/bin/cargo-deny: | toolchain
	$(call step,cargo-deny $(CARGO_DENY_VERSION))
	@cargo install --locked --debug --root $(TOOLS) --target-dir $(TARGET)/tools cargo-deny@$(CARGO_DENY_VERSION)

$(TOOLS)/bin/cargo-fuzz: | toolchain
	$(call step,cargo-fuzz $(CARGO_FUZZ_VERSION))
	@cargo install --locked --root $(TOOLS) --target-dir $(TARGET)/tools cargo-fuzz@$(CARGO_FUZZ_VERSION)

$(TOOLS)/bin/wasm-bindgen-test-runner: | toolchain
	$(call step,wasm-bindgen-test-runner $(WASM_BINDGEN_VERSION))
	@cargo install --debug --root $(TOOLS) --target-dir $(TARGET)/tools wasm-bindgen-cli@$(WASM_BINDGEN_VERSION)

.PHONY: clean
clean: ## remove what was built; the tools and Envoy stay
	@cargo clean
	@rm -rf dist release
