# Two commands do everything: `make demo` and `make test`.
# Both install into .venv here, with the versions of constraints.txt; a second call finds that done.
# PYTHON=python3.12 chooses another Python, VENV=path another place.

VENV ?= .venv
CANDIDATES := python3.11 python3.12 python3.13 python3
RECENT := -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))'

ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell for p in $(VENV)/bin/python $(CANDIDATES); do $$p $(RECENT) 2>/dev/null && echo $$p && break; done)
endif
ifneq ($(PYTHON),)
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
endif

PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet
DEMO_DONE := $(VENV)/.zerosum-$(VERSION)-demo
TEST_DONE := $(VENV)/.zerosum-$(VERSION)-test
SPEC := pyproject.toml constraints.txt

.PHONY: demo test lint types tests python clean

demo: $(DEMO_DONE)
	$(VENV)/bin/zerosum train quick --data digits

test: lint types tests

lint: $(TEST_DONE)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

types: $(TEST_DONE)
	$(VENV)/bin/mypy

# One thread a process and two processes: the numbers do not depend on the machine, and two cores are busy.
tests: $(TEST_DONE)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 2 --dist loadgroup

$(DEMO_DONE): $(SPEC) | python
	$(PIP) install --constraint constraints.txt --editable .
	touch $@

$(TEST_DONE): $(SPEC) | python
	$(PIP) install --constraint constraints.txt --editable '.[test]'
	touch $@

# A new environment where there is none, or where it was made with another Python than the one asked for.
python:
	@test -n "$(VERSION)" || { echo "zerosum needs Python 3.11 or newer with pip: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) $(RECENT) || { echo "zerosum needs Python 3.11 or newer with pip, and $(PYTHON) is $(VERSION)" >&2; exit 2; }
	@test "$$($(VENV)/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$(VERSION)" \
		&& $(VENV)/bin/python -c 'import pip' \
		|| $(PYTHON) -m venv --clear $(VENV)

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
