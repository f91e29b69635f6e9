SHELL := /bin/bash
BIN := .venv/bin
# Two more than cores, since many a test waits: for a disk, for another process, for a browser.
# The order of files is tests/conftest.py's. What Python makes of each file is kept for the processes to come.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --numprocesses $$(($$(nproc) + 2)) --dist loadfile --no-loadscope-reorder
FAST_TESTS := tests/rules tests/storage tests/house
LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-annotate \
	--universal --python-version 3.11 --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help install install-tests demo test check bench chaos lock

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

install: ## Make .venv with the pinned libraries and the idp command
	@install/localhost.sh
	@install/python_environment.sh runtime

install-tests: ## The same, with everything that the tests need (as root also Debian packages)
	@install/localhost.sh
	@install/debian_packages.sh
	@install/python_environment.sh tests
	@install/node_packages.sh

demo: install ## Start the provider and three sample products on this machine, and say where to go
	@exec $(BIN)/idp demo

test: install-tests ## Run every check and every test, as CI does
	@$(PYTEST)

check: install-tests ## The quick part: lint, types, imports, wheel, rules and storage
	@$(PYTEST) $(wildcard $(FAST_TESTS))

bench: install-tests ## Measure how fast the endpoints answer
	@$(BIN)/python -m bench

chaos: install-tests ## Break it in every way while it is used, and check its promises; CHAOS="R1 --scale 0.1"
	@$(BIN)/python -m chaos $(CHAOS)

lock: install-tests ## Write the lock files anew from pyproject.toml and package.json; UPGRADE=1 takes newer versions
	$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --group dev --output-file requirements-dev.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --extra traces --constraint requirements-dev.txt --output-file requirements.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) --group build --constraint requirements-dev.txt --output-file requirements-build.txt
	@install/node_packages.sh lock
