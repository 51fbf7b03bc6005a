# snnbook: `make book` and `make test` set up whatever they lack and do the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# uv from the path if there is one, else its own small environment.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
# Freed memory is kept: on a CPU fresh pages cost more than the arithmetic done in them.
export MALLOC_MMAP_THRESHOLD_ ?= 2147483647
export MALLOC_TRIM_THRESHOLD_ ?= 2147483647
export MALLOC_ARENA_MAX ?= 1

# Idle threads of OpenMP leave their cores to others soon, see src/snnbook/threads.py.
ifndef OMP_WAIT_POLICY
export GOMP_SPINCOUNT ?= 3000
endif

.PHONY: help setup book serve test pytest lint typecheck simulators reproduce bench lock clean notebooks
.DEFAULT_GOAL := help

help:  ## list these targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(READY)  ## make the environment in .venv from requirements.lock

book: $(READY)  ## run the chapters and render the book to _build/html; CHAPTERS="1 5" for some of it
	$(BIN)/python book/build.py $(if $(CHAPTERS),--chapters $(CHAPTERS))

serve: $(READY)  ## render the book and serve it on localhost
	$(BIN)/python book/build.py --serve

# The book and two processes of pytest, which share test files out, one from the end of the list: each has one thread,
# as idle ones would only be in the others' way, and some tests wait more than they compute.
test: $(READY) lint  ## lint, test, run every notebook, build the book with warnings as errors
	@rm -rf _build/share && mkdir -p _build/share
	OMP_NUM_THREADS=1 SNNBOOK_SHARE=_build/share $(MAKE) --no-print-directory --jobs=3 pytest book pytest-too

pytest: $(READY)  ## the tests of the library alone
	$(BIN)/pytest

.PHONY: pytest-too
pytest-too: $(READY)
	SNNBOOK_SHARE_FROM=end $(BIN)/pytest -p no:cacheprovider

lint: $(READY) typecheck  ## check style and types, and that notebooks are clean and README up to date
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python book/notebooks.py --check
	$(BIN)/python book/readme.py --check

typecheck: $(READY)  ## check the types that users of the library see
	$(BIN)/mypy

# Their pins contradict each other and this project's, so they have a place of their own.
SIMULATORS := .simulators
simulators: | $(UV)  ## try exports in snnTorch, SpikingJelly, norse and sinabs, in an environment of their own
	$(UV) venv --quiet --allow-existing --python '>=3.11,<3.14' $(SIMULATORS)
	$(UV) pip install --quiet --python $(SIMULATORS) --override tests/simulators/overrides.txt \
		-r tests/simulators/requirements.txt -e .
	OMP_NUM_THREADS=1 $(SIMULATORS)/bin/python -m pytest -p no:cacheprovider -W ignore \
		tests/test_deploy_simulators.py tests/test_deploy_nir.py tests/test_deploy_onnx.py tests/test_analysis_harness.py

notebooks: $(READY)  ## strip outputs from notebooks, set their badge and install cell
	$(BIN)/python book/notebooks.py

# TABLES= and SEEDS= take several, in quotes; ARGS= any other option of snnbook reproduce, --dry-run for instance.
reproduce: $(READY)  ## run what has no record; PROFILE=quick|desk|lab|paper TABLES= SEEDS= DATA=folder ARGS=
	$(BIN)/snnbook reproduce $(TABLES) $(if $(PROFILE),--profile $(PROFILE)) $(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(DATA),--data $(DATA)) $(if $(RESULTS),--results $(RESULTS)) $(ARGS)

bench: $(READY)  ## measure training speed against other libraries; GROUPS="layer step" for some of it
	$(BIN)/snnbook bench $(GROUPS)

lock: $(UV)  ## resolve requirements.lock anew from pyproject.toml
	$(UV) pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --quiet \
		--all-extras --upgrade -o requirements.lock >/dev/null

clean:  ## delete what was built (not the environment, not results)
	rm -rf _build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet uv

# Compiled at once: where Python may not keep what it compiles, each process would spend seconds on it anew.
$(READY): requirements.lock pyproject.toml | $(UV)
	$(UV) venv --quiet --allow-existing --python '>=3.11,<3.14' $(VENV)
	$(UV) pip sync --quiet --compile-bytecode --require-hashes --python $(VENV) requirements.lock
	$(UV) pip install --quiet --no-deps --no-build-isolation --python $(VENV) -e .
	@touch $@
