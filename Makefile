# Every target builds .venv from the pinned versions when it is missing or out of date.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
APT := DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 -qq
# The coming Hydra: the environment of the lock with this release, and its own OmegaConf, laid over it.
NEXT := .venv-next
NEXT_HYDRA := hydra-core==1.4.0rc3

MEETS_HYDRA := tests/config/test_instantiation.py tests/study/test_experiment_mode.py tests/sweeps/test_sweep_overrides.py \
  tests/sweeps/test_sweep_foreign.py \
  tests/sweeps/test_sweep_study.py::test_hydra_finds_the_sweeper_and_its_discovery_loads_nothing_heavy

.PHONY: ablation test lint fast ci-extras test-next clean

ablation: $(VENV)/ready  ## the main job on the embedded data: study, table, figure
	$(BIN)/python -m fer_lightning +experiment=ablation

test: lint  ## linter, type checker and all tests
	$(BIN)/python -m pytest -n 3 --dist worksteal -q

lint: $(VENV)/ready  ## linter and type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fast: $(VENV)/ready  ## the tests that take seconds
	$(BIN)/python -m pytest -n 2 -q -m "not slow and not real_data"

ci-extras: $(VENV)/extras  ## what is optional, so that no test is skipped: Ray, submitit, timm, Chromium, PostgreSQL
	@test -x /usr/bin/chromium -a -d /usr/lib/postgresql || \
	  { $(APT) update && $(APT) install -y --no-install-recommends chromium postgresql > /dev/null; }

test-next: $(NEXT)/ready  ## the fast tests of what meets Hydra, with the coming Hydra
	$(NEXT)/bin/python -m pytest -n 2 -q -m "not slow and not real_data" $(MEETS_HYDRA)

clean:  ## remove the virtual environments and everything that was built
	rm -rf $(VENV) $(NEXT) build dist *.egg-info

$(VENV)/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: Python 3.11 or later is needed; PYTHON=... names another one" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# Without dependencies: the Ray launcher's own bounds (cloudpickle<3, boto3 for Amazon's cloud) are older than it is.
# timm in a folder of its own: with PyPI's torchvision beside PyTorch's CPU build, Lightning cannot be imported.
$(VENV)/extras: requirements-ci.lock requirements-timm.lock $(VENV)/ready
	$(PIP) install --no-deps -r requirements-ci.lock
	$(PIP) install --no-deps --upgrade --target $(VENV)/timm -r requirements-timm.lock
	@touch $@

$(NEXT)/ready: $(VENV)/ready
	$(PYTHON) -m venv --clear --without-pip $(NEXT)
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	  > "$$($(NEXT)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/locked.pth"
	$(PIP) --python $(NEXT)/bin/python install '$(NEXT_HYDRA)'
	$(PIP) --python $(NEXT)/bin/python install --no-deps --no-build-isolation -e .
	@touch $@
