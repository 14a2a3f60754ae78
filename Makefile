# A fresh machine needs python3 (3.11 or newer). `make run` serves, `make test` tests, `make help` lists all targets.

PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: help setup run quick test thorough upstream check bench fix promise lock

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

setup: .venv/ready ## create the development environment

# One virtual environment, filled in two steps: runtime dependencies, then development ones. It is recreated only
# if it is broken, for example after a Python upgrade.
.venv/run-ready: requirements.txt
	@echo "Installing the runtime dependencies in .venv: about 130 MB, about half a minute ..."
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: PYTHON=...')"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(INSTALL) -r requirements.txt
	@touch $@

.venv/ready: requirements-dev.txt .venv/run-ready
	@echo "Installing the development dependencies in .venv: about 370 MB, about a minute ..."
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

run: .venv/run-ready ## serve with the demo documents
	@$(BIN)/python -m marginalia serve --port $(PORT) --demo

quick: setup ## run the fast in-process tests on SQLite
	$(PYTEST) --engine sqlite -m "not slow and not process and not upstream"

test: setup ## run every test, on SQLite and PostgreSQL
	$(PYTEST)

thorough: setup ## run every case of every test, and the searches for races, crashes and faults in full: over an hour
	MARGINALIA_TEST_THOROUGH=1 $(PYTEST)

upstream: setup ## test the library behaviour that we rely on, after a version change in pyproject.toml
	$(BIN)/python -m pytest tests/upstream

check: setup ## check formatting, lint rules, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## compare our server with peers, and write docs/performance.md: about six minutes
	$(BIN)/python -W "ignore:XDG_RUNTIME_DIR is not set" -m benchmarks.compare --markdown docs/performance.md
	$(BIN)/python -m benchmarks.execution --markdown docs/performance.md

fix: setup ## fix formatting and lint errors, and regenerate schema.graphql and the roles in docs/access.md
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m marginalia schema > schema.graphql
	$(BIN)/python -m tests.architecture.roles_page

promise: setup ## promise the present schema to clients, at a release
	$(BIN)/python -m marginalia schema > schema.promised.graphql

lock: setup ## generate the lock files from pyproject.toml: versions and hashes, no addresses
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --custom-compile-command "make lock" pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --custom-compile-command "make lock" pyproject.toml --group dev -o requirements-dev.txt
