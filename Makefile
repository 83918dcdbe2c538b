# Xunpin: `make help` lists the targets. Everything is built, tested, linted and measured in one profile
# (release), in one build directory that all clones on this machine share, because RocksDB takes many minutes to
# compile. Always --workspace: a single package would be built with other features of shared dependencies, and
# RocksDB with them. ccache, where present, keeps its objects even when a changed dependency makes cargo ask for them again.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)
export CARGO_TARGET_DIR ?= $(CACHE)/xunpin/build
# Looked up when a recipe runs, not when this file is read: `setup` may just have installed ccache.
CARGO = $(if $(shell command -v ccache),CC="ccache cc" CXX="ccache c++") cargo
PROFILE := --release
# Which clone the build directory's workspace crates were compiled from.
STAMP = $(CARGO_TARGET_DIR)/xunpin-clone
CRATES := $(shell sed -n 's/^name = "\(xunpin.*\)"/\1/p' crates/*/Cargo.toml | sort -u)
MODEL := embeddinggemma-300m
DEMO_INDEX := indexes/demo
XUNPIN := bin/xunpin
PACKAGES := build-essential clang libclang-dev ccache ca-certificates python3 python3-pip
# Python with sentence-transformers, torch and the other peers, for `make bench`; skipped where absent.
PEERS_PYTHON ?= $(CACHE)/xunpin/peers/bin/python

# Programs that checks need and Rust does not bring, one version each, compiled once a machine. Their speed matters less than
# the minutes that compiling takes.
TOOLS := $(CACHE)/xunpin/tools
DENY := cargo-deny@0.20.2
FUZZER := cargo-fuzz@0.13.2
export PATH := $(TOOLS)/bin:$(PATH)
# $(call tool,NAME@VERSION): installs it unless it is there in that version.
tool = [ -f "$(TOOLS)/$(1)" ] || { echo "setup: compiling $(1)"; \
	CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	  cargo install -q --locked --force --root "$(TOOLS)" --target-dir "$(TOOLS)/build" $(1) \
	&& touch "$(TOOLS)/$(1)" && rm -rf "$(TOOLS)/build"; }

# Seconds that each fuzz target runs, and which: all unless named.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=

DEMO_QUERIES := 敏感肌抗老 冬天脸干到起皮 地铁上隔绝噪音

# cargo knows a workspace crate by its path inside the workspace and its age, not by the clone it is in: without this, a
# clone could run what another one compiled. Dependencies stay.
own:
	@mkdir -p "$(CARGO_TARGET_DIR)"; \
	if [ "$$(cat "$(STAMP)" 2>/dev/null || true)" != "$(CURDIR)" ]; then \
	  rm -f "$(STAMP)"; \
	  cargo clean -q $(PROFILE) $(foreach c,$(CRATES),-p $(c)); \
	  echo "$(CURDIR)" > "$(STAMP)"; \
	fi

.PHONY: own help setup build model demo example test torture fixture-index lint advisories fuzz bench bench-index bench-peers peers peers-llama clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: ## install what the build needs (Debian packages; says what is missing elsewhere)
	@command -v cargo >/dev/null || { echo "Rust is missing: install it from https://rustup.rs and try again"; exit 2; }
	@missing=; for tool in cc c++ clang ccache python3; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	python3 -m pip --version >/dev/null 2>&1 || missing="$$missing pip"; \
	ls /usr/lib/llvm-*/lib/libclang*.so* /usr/lib/*/libclang*.so* >/dev/null 2>&1 || [ -n "$${LIBCLANG_PATH:-}" ] || missing="$$missing libclang"; \
	if [ -n "$$missing" ]; then \
	  echo "setup: missing:$$missing"; \
	  if command -v apt-get >/dev/null; then \
	    sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	    $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $(PACKAGES) >/dev/null; \
	  else echo "setup: install the counterparts of these Debian packages: $(PACKAGES)"; exit 2; fi; \
	fi
	@echo "setup: ready"

build: own ## compile the program and leave it at bin/xunpin
	@$(CARGO) build $(PROFILE) --workspace --locked
	@mkdir -p bin && cp -f "$(CARGO_TARGET_DIR)/release/xunpin" $(XUNPIN).new && mv -f $(XUNPIN).new $(XUNPIN)
	@echo "build: $(XUNPIN)"

model: build ## fetch and verify the language model (1.2 GB, once a machine)
	@$(XUNPIN) model pull $(MODEL)

demo: setup model ## index the fixture catalogue and ask it three questions
	@$(XUNPIN) index fixtures/catalogue/products.jsonl --index $(DEMO_INDEX) --model $(MODEL)
	@for query in $(DEMO_QUERIES); do \
	  echo; echo "\$$ $(XUNPIN) search $$query --index $(DEMO_INDEX)"; \
	  $(XUNPIN) search "$$query" --index $(DEMO_INDEX); \
	done

example: model ## run the library's example on the fixture catalogue
	@$(CARGO) build $(PROFILE) --workspace --locked --example shop
	@"$(CARGO_TARGET_DIR)/release/examples/shop"

test: setup own ## run every test (those that need the model or ../shared say so where they are absent)
	@$(MAKE) --no-print-directory model || echo "test: the model could not be fetched; the tests that need it are skipped"
	@$(CARGO) test $(PROFILE) --workspace --locked --no-fail-fast

torture: setup own ## the fault tests at every place instead of some, and 200 kills (docs/design.md, How faults are tried; minutes)
	@XUNPIN_TORTURE=1 $(CARGO) test $(PROFILE) --workspace --locked --lib -- faults:: store::
	@XUNPIN_KILLS=200 $(CARGO) test $(PROFILE) --workspace --locked --test it -- kill::killed --show-output

fixture-index: setup own ## write fixtures/index-v1 again: once a format version, never afterwards
	@XUNPIN_WRITE_FIXTURE=1 $(CARGO) test $(PROFILE) --workspace --locked --test it -- compat::write_the_fixture

lint: setup own ## formatting, clippy, documentation, licences and sources of dependencies; warnings denied
	@$(CARGO) fmt --all -- --check
	@$(CARGO) fmt --all --manifest-path fuzz/Cargo.toml -- --check
	@$(call tool,$(DENY))
	@for manifest in Cargo.toml fuzz/Cargo.toml; do \
	  cargo deny --log-level error --locked --manifest-path $$manifest --config $(CURDIR)/deny.toml check licenses bans sources; \
	done
	@$(CARGO) clippy $(PROFILE) --workspace --all-targets --locked -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(PROFILE) --workspace --no-deps --locked

advisories: ## look for dependencies with known faults (needs the advisory database, from github.com)
	@$(call tool,$(DENY))
	@if cargo deny --log-level off --locked --config $(CURDIR)/deny.toml fetch db >/dev/null 2>&1; then \
	  for manifest in Cargo.toml fuzz/Cargo.toml; do \
	    cargo deny --locked --manifest-path $$manifest --config $(CURDIR)/deny.toml check advisories; \
	  done; \
	else echo "advisories: skipped: the advisory database can't be reached"; fi

fuzz: setup ## run each fuzz target for FUZZ_SECONDS (60) seconds; FUZZ_TARGETS names some (fuzz/README.md)
	@$(call tool,$(FUZZER))
	@fuzz/run.sh "$(CARGO_TARGET_DIR)-fuzz" "$(CACHE)/xunpin/fuzz" $(FUZZ_SECONDS) $(FUZZ_TARGETS)

bench: build ## measure embedding speed, beside sentence-transformers where `make peers` has installed it
	@tests/bench/embed.sh $(XUNPIN) $(MODEL) "$(PEERS_PYTHON)"

# Vectors of `bench-index`, the index whose vectors are blended, and more options of `xunpin bench build`.
VECTORS ?= 100000
SOURCE ?= $(DEMO_INDEX)
INDEX_FLAGS ?=

bench-index: build ## measure an index of VECTORS=100000 made-up vectors, beside hnswlib where `make peers` has installed it
	@[ -f "$(SOURCE)/manifest.json" ] || $(MAKE) --no-print-directory demo
	@$(XUNPIN) bench build --index "$(SOURCE)" --vectors $(VECTORS) --peers "$(PEERS_PYTHON)" $(INDEX_FLAGS)

# The model for llama.cpp, in one file or more.
GGUF ?= $(wildcard $(CACHE)/xunpin/peers/$(MODEL)-*.gguf)
# More options of tests/bench/peers.py.
PEERS_FLAGS ?=

bench-peers: build ## measure embedding in every precision beside the peers: one table, in Markdown
	@tests/bench/peers.py $(XUNPIN) $(MODEL) "$(PEERS_PYTHON)" $(if $(GGUF),--gguf $(GGUF)) $(PEERS_FLAGS)

peers: ## install the programs that `make bench` and `bench-peers` compare with (Python, several GB)
	@python3 -m venv "$(CACHE)/xunpin/peers"
	@"$(CACHE)/xunpin/peers/bin/pip" install -q sentence-transformers torch hnswlib usearch faiss-cpu numpy pytrec-eval-terrier

peers-llama: model ## install llama.cpp for `bench-peers` too, and convert the model for it (after `make peers`; ten minutes)
	@tests/bench/llama.sh $(XUNPIN) $(MODEL) "$(PEERS_PYTHON)" "$(CACHE)/xunpin/peers"

clean: ## remove bin/ and the demo index; the shared build directory stays (its path is printed)
	@rm -rf bin $(DEMO_INDEX)
	@echo "clean: the build directory $(CARGO_TARGET_DIR) is shared by all clones and was left"
