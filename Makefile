# Two commands on a fresh machine: `make demo` runs the main job on a made-up world, `make test` the tests.
PYTHON ?= python3
VENV ?= .venv
ROOT ?= warehouse

.PHONY: demo test lint

demo: $(VENV)/.installed
	$(VENV)/bin/relmill run tiny --root $(ROOT)

test: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/pytest

lint: $(VENV)/.installed-dev
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/pip pyproject.toml constraints.txt
	$(VENV)/bin/pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed pyproject.toml constraints.txt
	$(VENV)/bin/pip install --quiet -c constraints.txt -e ".[dev,train]"
	touch $@
