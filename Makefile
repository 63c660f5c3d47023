# Every task of this repository. `make help` is generated from the lines marked with two hashes.
# A machine with Python 3.11 or newer, git and make is enough; everything else is installed into .venv from a lock with hashes.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input

# Each worker starts its own Kafka and Postgres (about 1 GB), so more than four would fight for the disk they share.
WORKERS ?= $(shell $(BIN)/python -c 'import os; print(max(1, min(4, os.cpu_count() or 1)))')
# Seconds after which no further test is started: 35 minutes, less what setting up and linting take.
BUDGET ?= 1920
PYTEST := $(BIN)/python -m pytest

.PHONY: help setup run test test-unit test-integration lint format contracts bench soak up status down reset clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create .venv and install the locked dependencies (nothing to do when nothing changed)

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "This Python has no venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "setup: installing $$(grep -c '^[a-z].*==' requirements.lock) locked packages into $(VENV) (a few minutes the first time)"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

run: setup ## Start the local stack, seed both schools, and show where to look
	@$(BIN)/cairn up
	@$(BIN)/cairn seed demo

test: lint ## Lint, then every test but the soaks, side by side, within 35 minutes on two cores
	@echo "test: all suites but soaks, $(WORKERS) workers (WORKERS=n), no test is started after $(BUDGET) s (BUDGET=n)"
	@$(PYTEST) -m "not soak" -n $(WORKERS) --no-loadscope-reorder --session-timeout $(BUDGET) tests

test-unit: setup ## Tests without Kafka or Postgres: seconds
	@$(PYTEST) -m "not soak" tests/unit tests/contracts tests/architecture tests/k8s

test-integration: setup ## Tests on real Kafka and Postgres, and whole journeys
	@$(PYTEST) -m "not soak" tests/integration tests/oracle tests/e2e

lint: setup ## ruff, mypy --strict and the import rules
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup ## Let ruff mend what it can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

contracts: setup ## Write schemas and AsyncAPI anew; an incompatible change fails
	@$(BIN)/python -m tests.contracts.compatibility

bench: setup ## Measure the rows of the speed table, each with its ratio, machine and seed
	@set -e; for file in $$(grep -l "^def main" tests/bench/*.py); do \
		name=$$(basename $$file .py); echo "bench: $$name"; $(BIN)/python -m tests.bench.$$name; done

soak: setup ## Fault tests for an hour or more: 500 random kills
	@$(PYTEST) -m soak --timeout 0 tests

up: setup ## Start the local stack: Kafka, Postgres and the services
	@$(BIN)/cairn up

status: setup ## Show what runs, where, and how far it has come
	@$(BIN)/cairn status

down: setup ## Stop the local stack; its data stays
	@$(BIN)/cairn down

reset: setup ## Stop the local stack and delete its data (asks first)
	@$(BIN)/cairn reset

clean: ## Delete caches and build output (never the stack's data)
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find contracts services deploy tests -name __pycache__ -type d -prune -exec rm -rf {} +
