# Every target works as the first command on a fresh Debian 12 machine with Python 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo run test test-fast lint ruff types imports format bench reference clean debian

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check --progress-bar off -c constraints.txt -e '.[dev,pictures]'
	touch $(STAMP)

debian:
	sh tools/debian-packages.sh

demo: $(STAMP)
	$(BIN)/mirliton demo

run: $(STAMP)
	$(BIN)/mirliton serve

test: $(STAMP) debian
	$(BIN)/python tools/run_tests.py

test-fast: $(STAMP)
	$(BIN)/python -m pytest -m 'not slow' --ignore=tests/calls

lint: types ruff imports

types: $(STAMP)
	$(BIN)/mypy

ruff: $(STAMP)
	$(BIN)/ruff check src tests tools
	$(BIN)/ruff format --check src tests tools

imports: $(STAMP)
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix src tests tools
	$(BIN)/ruff format src tests tools

bench: $(STAMP)
	sh tools/debian-packages.sh bench
	$(BIN)/mirliton bench --capacity --plot bench.svg

reference: $(STAMP)
	PYTHONPATH=tools $(BIN)/python -m reference

clean:
	rm -rf $(VENV) build dist demo
