# Two verbs do everything on a fresh machine with python3 (3.11 or newer): `make run` and `make test`. `make help` lists all.

PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: help setup run quick test thorough upstream check bench fix promise lock

help: ## these verbs
	@sed -nE 's/^([a-z]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

setup: .venv/ready ## the environment the others need

# One environment, filled in two steps: what running needs, and beside it what working on it needs. It is made anew only
# where it is not one that works, as after an upgrade of Python.
.venv/run-ready: requirements.txt
	@echo "Setting up what running needs in .venv: about 130 MB, half a minute or so ..."
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: PYTHON=...')"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(INSTALL) -r requirements.txt
	@touch $@

.venv/ready: requirements-dev.txt .venv/run-ready
	@echo "Setting up what working on it needs in .venv: about 370 MB, a minute or so ..."
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

run: .venv/run-ready ## serve with the demo documents
	@$(BIN)/python -m marginalia serve --port $(PORT) --demo

quick: setup ## the fast tests, on SQLite, in process: all day long
	$(PYTEST) --engine sqlite -m "not slow and not process and not upstream"

test: setup ## every test, on SQLite and on PostgreSQL
	$(PYTEST)

thorough: setup ## the searches for races, crashes and faults, for as long as they want: an hour or so
	MARGINALIA_TEST_THOROUGH=1 $(PYTEST) tests/checkers

upstream: setup ## what we rely on in libraries: after raising a version in pyproject.toml
	$(BIN)/python -m pytest tests/upstream

check: setup ## what a machine can say about the code without running it
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## what a hot ensure costs, beside a handler without GraphQL; about a minute and a half
	$(BIN)/python -W "ignore:XDG_RUNTIME_DIR is not set" -m benchmarks.ensure

fix: setup ## what a machine can mend, and the committed schema
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m marginalia schema > schema.graphql

promise: setup ## what clients may rely on from a release on: the schema as it is
	$(BIN)/python -m marginalia schema > schema.promised.graphql

lock: setup ## the lock files, from pyproject.toml: versions and hashes, no addresses
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --custom-compile-command "make lock" pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --custom-compile-command "make lock" pyproject.toml --group dev -o requirements-dev.txt
