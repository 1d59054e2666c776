# `make demo` and `make test` need Python 3.11 or later, make and a C++ compiler; nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint types check format install clean

demo: $(STAMP)
	@$(BIN)/penstock demo

test: lint types check

install: $(STAMP)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(STAMP)
	$(BIN)/mypy

# Two at a time: many tests wait for processes more than they compute. A file stays together.
check: $(STAMP)
	$(BIN)/pytest --numprocesses 2 --dist loadfile

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .penstock

# torch goes first and alone, pinned as in pyproject.toml: another package asking for it in a range
# could take a build several GB larger.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Penstock needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version); name another: make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable '.[embedded,dev]'
	@touch $@
