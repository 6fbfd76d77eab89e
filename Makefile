# Each target does its own set-up on a machine that has Python 3.11 or newer and nothing else.
PYTHON ?= python3
BIN := .venv/bin

# Tests that begin no Ray.
LIBRARY := tests/benchmarks tests/compress tests/contracts tests/dashboards tests/spaces tests/search/sampling tests/search/study \
	tests/search/tracking tests/search/progress tests/search/papers tests/test_bad_input.py tests/test_foreign.py

.PHONY: install search test pytest lint library searches docs clean-venv

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch torchvision
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

search: install
	$(BIN)/paretune search --space joint --task digits --trials 24 --name demo

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# On two cores: lint, types and the library's tests beside the tests that search; all must pass.
test: install
	$(MAKE) --no-print-directory --jobs=2 library searches

library: lint
	$(BIN)/python -m pytest $(LIBRARY)

searches: install
	$(BIN)/python -m pytest $(addprefix --ignore=,$(LIBRARY))

pytest: install
	$(BIN)/python -m pytest

.venv/documented: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	touch $@

# The pages of docs/ and the reference of the code, into build/site; a broken link is an error.
docs: .venv/documented
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo build/site/index.html
