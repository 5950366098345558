# What there is to do here; `make help` lists it.

CARGO ?= cargo
PREFIX ?= /usr/local
SHARE = $(DESTDIR)$(PREFIX)/share
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)

# Some tests need root: they load eBPF programs and enforce profiles. Everyone else runs the test programs by sudo. None may hang.
ifneq ($(shell id -u),0)
AS_ROOT := sudo -E
endif
RUNNER := CARGO_TARGET_$(shell uname -m | tr a-z A-Z)_UNKNOWN_LINUX_GNU_RUNNER='$(AS_ROOT) $(CURDIR)/scripts/bounded'

.DEFAULT_GOAL := help
.PHONY: help setup build samples demo test bench install clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: ## install the Debian packages that building and testing need, when they are absent
	@scripts/setup

build: ## build the release binary
	@scripts/setup build
	$(CARGO) build --release

samples: ## compile the sample programs
	@samples/build "$(TARGET)/samples"

demo: ## learn Debian's nginx, then prove its profiles by enforcing them
	@scripts/setup build demo
	@$(CARGO) build --release --quiet
	@samples/demo "$(TARGET)/release/learn"

test: ## check the format, the lints, and run every test
	@scripts/setup
	$(CARGO) fmt --all --check
	LEARN_REQUIRE_BPF=1 $(CARGO) clippy --workspace --all-targets -- -D warnings
	@samples/build "$(TARGET)/samples"
	LEARN_REQUIRE_BPF=1 $(RUNNER) $(CARGO) test --workspace --no-fail-fast -- --include-ignored

bench: ## measure the stages, how well names are generalised, and what recording costs beside strace; fails when a stage has become slower
	@scripts/setup build demo test bench
	$(CARGO) bench --bench stages
	$(CARGO) bench --bench generalise
	$(CARGO) build --release
	@samples/build "$(TARGET)/samples"
	@benches/overhead "$(TARGET)/release/learn"
	@benches/compare "$(TARGET)/criterion"

install: ## install the binary, manual pages and completions under $(PREFIX), /usr/local unless told
	$(CARGO) build --release
	install -D -m 755 "$(TARGET)/release/learn" "$(DESTDIR)$(PREFIX)/bin/learn"
	install -d "$(SHARE)/man/man1" "$(SHARE)/bash-completion/completions" "$(SHARE)/zsh/site-functions" \
	  "$(SHARE)/fish/vendor_completions.d"
	"$(TARGET)/release/learn" man "$(SHARE)/man/man1"
	"$(TARGET)/release/learn" completions bash >"$(SHARE)/bash-completion/completions/learn"
	"$(TARGET)/release/learn" completions zsh >"$(SHARE)/zsh/site-functions/_learn"
	"$(TARGET)/release/learn" completions fish >"$(SHARE)/fish/vendor_completions.d/learn.fish"

clean: ## remove what was built
	$(CARGO) clean
