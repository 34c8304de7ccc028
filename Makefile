# Needs Python 3.11 or newer, a C compiler and make; everything else goes into .venv.
#
#   make lab          opens the page               make test         format, lint, types, tests
#   make bench        figures of this machine      make bench-gpu    the same on the GPU
#   make screenshots  redraws docs/screenshots     make bundled      trains build/models again
#   make clean        removes .venv and caches

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help lab test format bench bench-gpu screenshots bundled clean

VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Several small processes share few cores: one thread each, and none that spins while it waits. Files
# of tests in their order, because those that come first, of the browser, take longest.
QUIET  := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE
ARGS   ?=

# Compiled modules are kept, whatever the environment says of that: hundreds of processes are started
# by the tests, and compiling all they import takes each of them longer than its work.
export PYTHONDONTWRITEBYTECODE :=

help:
	@sed -n 's/^#   /  /p' $(MAKEFILE_LIST)

lab: $(READY)
	@$(BIN)/lab $(ARGS)

test: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@$(BIN)/python tests/browser/ensure_chromium.py
	$(QUIET) $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

format: $(READY)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(READY)
	@OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m lab.bench $(ARGS)

bench-gpu: $(READY)
	@OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m lab.bench --device cuda $(ARGS)

screenshots: $(READY)
	@$(BIN)/python tests/browser/ensure_chromium.py
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

bundled: $(READY)
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m engine.bundled $(or $(ARGS),--out build/models)

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Written last, so that an installation that was broken off is done again. `python3` may be an old
# one and a `python3.12` that is found may not run: each candidate is asked for its version.
$(READY): pyproject.toml constraints.txt
	@python=""; \
	for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14 python; do \
	    if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	        >/dev/null 2>&1; then python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "The lab needs Python 3.11 or newer with venv, and none was found." >&2; \
	    echo "Install one (Debian: apt install python3 python3-venv) or name it: make PYTHON=/path/to/python3" >&2; \
	    exit 1; \
	fi; \
	echo "Installing into $(VENV) with $$($$python --version); the first time takes some minutes."; \
	"$$python" -m venv --clear $(VENV)
	@# torch by its exact name, or pip may take a build with gigabytes of CUDA libraries. Not compiled:
	@# most modules are never imported, and those that are get compiled then.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	    --constraint constraints.txt torch==2.13.0 hatchling editables
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-build-isolation \
	    --constraint constraints.txt --editable '.[dev]'
	@touch $@
