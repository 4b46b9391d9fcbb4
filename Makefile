# Everything a person or the pipeline does with this repository. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo build test setup lint unit fuzz integration interop losses failover mixed sim sim-mutants bench clean

MACHETE := cargo-machete 0.9.2
DENY := cargo-deny 0.20.2
WITH_PROTOC := integration/with-protoc.sh

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## watch subnets reach a gateway over BGP; needs only a Rust toolchain, no root (ARGS="--stay" keeps it)
	@$(WITH_PROTOC) cargo run --package fingerpost -- demo $(ARGS)

build: ## build the product for use
	@$(WITH_PROTOC) cargo build --release --package fingerpost

test: setup lint ## install what is missing, then lint and run every test (the labs need root)
	@integration/suite.sh unit fuzz integration

setup: ## install the packages that the tests need (as root, on Debian or Ubuntu)
	@integration/setup.sh
	@if command -v go >/dev/null; then for module in gobgp etcd; do integration/go-tools.sh $$module >/dev/null; done; fi

lint: ## formatting, clippy, rustdoc, unused and forbidden dependencies
	cargo fmt --all --check
	$(WITH_PROTOC) cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(WITH_PROTOC) cargo doc --workspace --no-deps --document-private-items
	machete=$$(integration/tool.sh $(MACHETE)); "$$machete" --with-metadata
	deny=$$(integration/tool.sh $(DENY)); "$$deny" --log-level error check bans licenses sources

unit: ## unit, property and conformance tests
	@integration/suite.sh unit

fuzz: SECONDS ?= 60
fuzz: ## run every fuzz target, one after the other, for a time (SECONDS=60 each)
	@fuzz/run.sh $(SECONDS)

integration: ## the scenarios with real etcd and routing daemons in network namespaces (root)
	@integration/suite.sh integration

losses: ## measure lost packets when something fails or is operated on, and write docs/losses.md (root)
	@$(WITH_PROTOC) cargo build --package fingerpost
	FINGERPOST_BIN=$${CARGO_TARGET_DIR:-target}/debug/fingerpost cargo run --quiet --package integration --bin losses -- docs/losses.md

failover: ## measure what is noticed when a leader ends, and write docs/failover.md and docs/alternatives.md (root)
	@$(WITH_PROTOC) cargo build --package fingerpost
	export FINGERPOST_BIN=$${CARGO_TARGET_DIR:-target}/debug/fingerpost; \
	cargo run --quiet --package integration --bin failover -- docs/failover.md; \
	cargo run --quiet --package integration --bin failover -- docs/alternatives.md alternatives

mixed: OLD ?= 7f06348
mixed: ## replace replicas of an older commit by present ones and back, and write docs/mixed-versions.md (root; OLD=commit)
	@$(WITH_PROTOC) cargo build --package fingerpost
	old=$$(integration/old.sh $(OLD)); export FINGERPOST_OLD_BIN=$$old FINGERPOST_BIN=$${CARGO_TARGET_DIR:-target}/debug/fingerpost; \
	cargo run --quiet --package integration --bin mixed -- docs/mixed-versions.md

sim: SEEDS ?= 2000
sim: ## simulate the whole core with faults, restarts and orders in virtual time (SEEDS=10000; SEED=n repeats one; WORLDS=several)
	SEEDS=$(SEEDS) SEVERAL_SEEDS=$(SEEDS) SEED=$(SEED) cargo test --package fingerpost-core -- sim::$(WORLDS)

sim-mutants: ## break the promises on purpose, one by one, and see whether the simulation notices (MUTANTS="p1 p5-younger" some)
	@src/core/sim/mutants/run.sh $(MUTANTS)

interop: ## run the interop matrix and write docs/interop.md (root; CELLS="frr::md5 bird" runs some and writes nothing)
	@$(WITH_PROTOC) cargo build --package fingerpost
	FINGERPOST_BLESS=1 cargo test --package integration --test interop -- $(CELLS)

bench: ## measure the figures of the design, side by side with the bare minimum (BENCH="--rows 1,3 --runs 5")
	@$(WITH_PROTOC) cargo build --release --package fingerpost --package bench
	@$(WITH_PROTOC) cargo run --release --quiet --package bench -- --page docs/benchmarks.md $(BENCH)

clean: ## remove what was built
	cargo clean
