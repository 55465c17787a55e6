# make help lists what can be made
.DEFAULT_GOAL := help
VENV ?= .venv
PYTHON ?= python3
# the CPU build; where pip would take a build with CUDA: make TORCH="torch --index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.13.0
BIN := $(VENV)/bin
DEMO ?= demo-campaign
STAMP := $(VENV)/.installed
# the daemon looks for verdi on the PATH
export PATH := $(abspath $(BIN)):$(PATH)

# what calls other packages most: crystals, models, nodes, a campaign and its report; a few minutes
LOWEST := $(VENV)-lowest
LOWEST_TESTS ?= tests/test_package.py tests/campaign tests/chemistry tests/nodes tests/engines tests/select/test_parts.py \
  tests/learn/test_gp.py tests/learn/test_ensembles.py tests/learn/test_threads.py tests/propose/test_importers.py \
  tests/propose/test_cspml.py tests/contract/test_protocols.py tests/contract/test_slice_inputs.py tests/workchains/test_campaign.py \
  tests/audit/test_report.py tests/audit/test_paper.py tests/audit/test_verify.py

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: help demo test test-all test-lowest lint mutants bench docs system clean

demo: $(STAMP) system  ## a real campaign on this machine, about 15 min
	$(BIN)/aiida-inversedesign demo --folder $(DEMO)

test: $(STAMP) system  ## the tests that CI runs
	$(BIN)/python -m pytest -n 2 --dist loadscope -m "not slow and not daemon and not postgres and not slurm" $(PYTEST_ARGS)

test-all: $(STAMP) system test-lowest  ## all tests, hours
	$(BIN)/python -m pytest -m "" $(PYTEST_ARGS)

# with the oldest releases that pyproject.toml allows (PyTorch excepted: see TORCH), in an environment of their own
test-lowest:  ## the tests with the oldest allowed releases
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/pip install --quiet $(TORCH) uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct -e .[tests,elements]
	PATH="$(abspath $(LOWEST))/bin:$$PATH" $(LOWEST)/bin/python -m pytest -n 2 --dist loadscope $(LOWEST_TESTS) $(PYTEST_ARGS)

lint: $(STAMP)  ## format, imports, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# mutation tests of what decides and counts; MUTANTS="--report --show" prints what the last run found
mutants: $(STAMP)  ## mutation tests of what decides and counts
	$(BIN)/pip install --quiet -e .[mutants]
	$(BIN)/pip install --quiet --no-deps "mutmut>=3.8.1"
	$(BIN)/python tests/mutants.py $(MUTANTS)

bench: $(STAMP)  ## the speed of proposals
	$(BIN)/python tests/benchmark/propose_speed.py

docs: $(STAMP)  ## these pages as a site, in docs/_build/html
	$(BIN)/pip install --quiet -e .[docs]
	$(BIN)/sphinx-build -W -b html docs docs/_build/html

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet $(TORCH)
	$(BIN)/pip install --quiet -e .[tests,elements,potentials,symmetry,orderings,evolution,phonons,pre-commit]
	touch $@

# Debian's pw.x (the demo falls back to a serial one from PyPI) and Chromium, for the tests of the report, where apt may
system:  ## Debian's pw.x and Chromium, where apt may
	@missing=""; \
	command -v pw.x >/dev/null 2>&1 || missing="quantum-espresso quantum-espresso-data"; \
	command -v chromium >/dev/null 2>&1 && command -v chromedriver >/dev/null 2>&1 \
	  || missing="$$missing chromium chromium-driver"; \
	if [ -z "$$missing" ]; then :; \
	elif command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -q && apt-get install -y -q --no-install-recommends $$missing; \
	else echo "not installed: $$missing (apt install $$missing); tests that need them are skipped"; fi

clean:  ## remove environments, demo and pages
	rm -rf $(VENV) $(LOWEST) $(DEMO) docs/_build
