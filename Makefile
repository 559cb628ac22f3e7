# `make train` and `make test` set up what they need in .venv and run. `make test-servers` builds
# llama.cpp first, in a place of its own: six minutes on two cores that do nothing else.
PYTHON ?= python3
VENV ?= .venv
SERVERS ?= .venv-servers
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: train test test-servers lint clean

train: $(VENV)/.train
	$(BIN)/cm2 train specs/airline.cm2 --allow-python

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto --dist loadfile

test-servers: $(VENV)/.test $(SERVERS)/.ready
	CM2_SERVERS=$(abspath $(SERVERS))/bin/python $(BIN)/python -m pytest -s tests/servers

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) $(SERVERS) build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache .cm2c_cache

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cm2 needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.train: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[train]'
	touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[train,judge,agree,dev]'
	touch $@ $(VENV)/.train

$(SERVERS)/.ready: tests/servers/requirements.txt
	$(PYTHON) -m venv $(SERVERS)
	$(SERVERS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@
