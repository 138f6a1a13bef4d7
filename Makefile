SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS   += --no-print-directory

GO   ?= go
TOOL := $(GO) tool -modfile=tools/go.mod

# For the tests of one package, and for one fuzz target.
TIMEOUT  ?= 10m
FUZZTIME ?= 20s

.PHONY: help
help: ## print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## compile everything and leave ./bridge
	$(GO) build ./...
	$(GO) build -trimpath -o bridge ./cmd/bridge

# Where `make static` leaves the program.
OUT ?= bridge

.PHONY: static
static: ## compile ./bridge so that it needs nothing of the system, and see that it does not
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o $(OUT) ./cmd/bridge
	@if readelf -l $(OUT) 2>/dev/null | grep -q INTERP; then echo "$(OUT) is not static"; exit 1; fi
	$(abspath $(OUT)) version

.PHONY: man
man: build ## write the manual pages into ./man
	./bridge man man

.PHONY: unit
unit: build ## check the systemd unit
	@dir=$$(mktemp -d); trap 'rm -r "$$dir"' EXIT; \
	sed 's|/usr/bin/bridge|$(abspath bridge)|' packaging/bridge.service >"$$dir/bridge.service"; \
	systemd-analyze verify --man=no --recursive-errors=no "$$dir/bridge.service"

.PHONY: image
image: ## build the container image and see that it runs (ENGINE=podman or docker)
	packaging/try-image

.PHONY: test
test: ## run the tests
	$(GO) test -timeout $(TIMEOUT) ./...

.PHONY: race
race: ## run the tests in random order with the race detector, stories in their short form: it makes clients slow
	$(GO) test -race -short -shuffle=on -timeout $(TIMEOUT) ./...

.PHONY: short
short: ## run the tests that take no time
	$(GO) test -short -timeout 3m ./...

# A second try, because until Go 1.27 a target whose time is up may fail with "context deadline
# exceeded" (go.dev/issue/75804). What was really found is a seed by then, and fails at once.
.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME
	@grep -rEo --include='*_test.go' '^func Fuzz\w+' . | sort | while IFS=: read -r file func; do \
	  fuzz=($(GO) test -C "$${file%/*}" -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x .); \
	  echo "$${fuzz[*]}"; \
	  "$${fuzz[@]}" </dev/null || "$${fuzz[@]}" </dev/null || exit 1; \
	done

.PHONY: lint
lint: ## check formatting, the wire and the code
	@unformatted=$$($(TOOL) gofumpt -l .); \
	if [[ $$unformatted ]]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi
	$(TOOL) buf lint
	$(TOOL) buf format --diff --exit-code
	$(TOOL) buf breaking --against proto/released.binpb
	$(TOOL) golangci-lint run ./...
	cd examples/plugins/shout && $(GO) tool -modfile=$(CURDIR)/tools/go.mod golangci-lint run --config $(CURDIR)/.golangci.yml ./...

.PHONY: fmt
fmt: ## format the code
	$(TOOL) golangci-lint fmt ./...
	$(TOOL) buf format -w

.PHONY: release-contract
release-contract: ## take the contract as it is for what later ones must not break
	$(TOOL) buf build --exclude-source-info -o proto/released.binpb

.PHONY: gen
gen: ## generate code and tables
	$(TOOL) buf generate
	$(GO) generate ./...

.PHONY: check-gen
check-gen: ## fail if make gen changes anything
	@state() { git status --porcelain; git diff; }; \
	before=$$(state); $(MAKE) gen; \
	if [[ $$(state) != "$$before" ]]; then \
	  git status --short; git diff --stat; echo "generated files are not current, commit what make gen made"; exit 1; \
	fi

.PHONY: bench
bench: ## measure, and print the table of goals
	$(GO) run ./bench

.PHONY: vuln
vuln: ## look for known vulnerabilities (asks vuln.go.dev)
	$(TOOL) govulncheck ./...

.PHONY: ci
ci: ## run what CI runs
	bash .ci/run
