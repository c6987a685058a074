# Every target builds .venv from the pinned versions when it is missing or out of date.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: ablation test check lint types fast clean

ablation: $(VENV)/ready  ## the main job on the embedded data: study, table, figure
	$(BIN)/python -m fer_lightning +experiment=ablation

test: $(VENV)/ready  ## linter, type checker and all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

fast: $(VENV)/ready  ## the tests that take seconds
	$(BIN)/python -m pytest -n 2 -q -m "not slow and not real_data"

clean:  ## remove the virtual environment and everything that was built
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: Python 3.11 or later is needed; PYTHON=... names another one" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
