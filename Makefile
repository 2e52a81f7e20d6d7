# make setup | demo | test | test-slurm | lint | clean.  PYTHON=python3.12 make setup picks another interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.evalkit-setup
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Both names, because newer versions of pip keep the constraints of isolated builds apart.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_BUILD_CONSTRAINT := $(CURDIR)/constraints.txt

.PHONY: setup demo test test-slurm lint clean
.DELETE_ON_ERROR:

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt requirements/wheels.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "evalkit needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) --version 2>&1); try: make setup PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); }
	@echo 'Installing pinned packages into $(VENV) (several minutes the first time)'
	$(PIP) install --quiet --upgrade pip
	$(PIP) install --quiet --editable '.[dev,openai,peft,ray,slurm]'
	$(PIP) install --quiet --no-deps --requirement requirements/wheels.txt
	@touch $@

demo: setup
	$(BIN)/evalkit run suite=demo model=smollm2_135m

test: lint
	$(BIN)/python -m pytest -q --numprocesses auto --maxprocesses 4 --dist loadfile

# As root, on a machine with Debian's slurm-wlm and munge: starts a Slurm of one node.
test-slurm: setup
	EVALKIT_TEST_SLURM=1 $(BIN)/python -m pytest -q tests/cluster/test_queue.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist outputs multirun .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
