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

.PHONY: help setup book course serve test pytest lint typecheck simulators reproduce bench gpu lock clean notebooks colab pdf
.DEFAULT_GOAL := help

help:  ## list these targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(READY)  ## make the environment in .venv from requirements.lock

book: $(READY)  ## run the chapters and render the book to _build/html; CHAPTERS="1 5" for some of it
	$(BIN)/python book/build.py $(if $(CHAPTERS),--chapters $(CHAPTERS))

# GRADE=1 runs nbgrader over chapter 1, too, and says how it marks a student who knows all and one who knows nothing.
course: .course/.ready  ## copies of the chapters for a class, and slides, into _build/course; CHAPTERS="1 5", GRADE=1
	$(BIN)/python book/course.py --environment .course $(if $(CHAPTERS),--chapters $(CHAPTERS)) \
		$(if $(GRADE),--grade $(GRADE))

serve: $(READY)  ## render the book and serve it on localhost
	$(BIN)/python book/build.py --serve

# The book and two processes of pytest, which share test files out, one from the end of the list: each has one thread,
# as idle ones would only be in the others' way, and some tests wait more than they compute. Properties are tried on
# the same examples each time, so that what passes once passes again; `make pytest` draws new ones.
test: $(READY) lint  ## lint, test, run every notebook, build the book with warnings as errors
	@rm -rf _build/share && mkdir -p _build/share
	OMP_NUM_THREADS=1 SNNBOOK_SHARE=_build/share PYTEST_ADDOPTS=--hypothesis-profile=ci \
		$(MAKE) --no-print-directory --jobs=3 pytest book pytest-too

pytest: $(READY)  ## the tests of the library alone, properties on examples drawn anew
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

notebooks: $(READY)  ## strip outputs from notebooks, set their badge and install cell, write those for Colab
	$(BIN)/python book/notebooks.py

pdf: book  ## the book as _build/book.pdf, printed by Chromium or Chrome
	$(BIN)/python book/pdf.py

colab: $(READY) | $(UV)  ## run the notebooks for Colab outside of the checkout; OLD=1 with oldest versions, CHAPTERS="1 5"
	UV=$(UV) $(BIN)/python book/elsewhere.py $(CHAPTERS) $(if $(OLD),--old _build/oldest)

# TABLES= and SEEDS= take several, in quotes; ARGS= any other option of snnbook reproduce, --dry-run for instance.
reproduce: $(READY)  ## run what has no record; PROFILE=quick|desk|lab|paper TABLES= SEEDS= DATA=folder ARGS=
	$(BIN)/snnbook reproduce $(TABLES) $(if $(PROFILE),--profile $(PROFILE)) $(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(DATA),--data "$(DATA)") $(if $(RESULTS),--results "$(RESULTS)") $(ARGS)

bench: $(READY)  ## measure training speed against other libraries; GROUPS="layer step" for some of it
	$(BIN)/snnbook bench $(GROUPS)

gpu: $(READY)  ## on a GPU, for MINUTES=12: do kernels agree, how fast, then the desk's rows; DATA=folder
	$(BIN)/python workflow/gpu.py "$(or $(DATA),data)" --minutes $(or $(MINUTES),12)

EXTRAS := run book events deploy bench dev
lock: $(UV)  ## resolve requirements.lock anew from pyproject.toml
	$(UV) pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --quiet \
		$(EXTRAS:%=--extra %) --upgrade -o requirements.lock >/dev/null

clean:  ## delete what was built (not the environment, not results)
	rm -rf _build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis

# Slides and grading need nbconvert and nbgrader, and these a JupyterLab: an environment of their own.
.course/.ready: book/course.txt $(READY) | $(UV)
	$(UV) venv --quiet --allow-existing --python $(BIN)/python .course
	$(UV) pip install --quiet --python .course -r book/course.txt
	@touch $@

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet uv

# Compiled at once: where Python may not keep what it compiles, each process would spend seconds on it anew.
$(READY): requirements.lock pyproject.toml | $(UV)
	$(UV) venv --quiet --allow-existing --python '>=3.11,<3.14' $(VENV)
	$(UV) pip sync --quiet --compile-bytecode --require-hashes --python $(VENV) requirements.lock
	$(UV) pip install --quiet --no-deps --no-build-isolation --python $(VENV) -e .
	@touch $@
