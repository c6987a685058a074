"""Every sampler and pruner of the configuration runs trials; the grids end by themselves."""

from __future__ import annotations

import itertools
from pathlib import Path

import optuna
import pytest

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.space.parse_space import parse_space
from fer_lightning.sweeps.study.algorithms import build_pruner, build_sampler
from fer_lightning.sweeps.study.results import load_study
from hydra_plugins.fer_lightning_sweeper import PRUNERS, SAMPLERS
from sweep_runner import SEARCH, epochs, run_here

CLASSES = {
    "tpe": optuna.samplers.TPESampler,
    "random": optuna.samplers.RandomSampler,
    "grid": optuna.samplers.GridSampler,
    "brute_force": optuna.samplers.BruteForceSampler,
    "cma_es": optuna.samplers.CmaEsSampler,
    "cmaes": optuna.samplers.CmaEsSampler,
    "gp": optuna.samplers.GPSampler,
    "nsgaii": optuna.samplers.NSGAIISampler,
    "qmc": optuna.samplers.QMCSampler,
}
PRUNER_CLASSES = {
    "none": optuna.pruners.NopPruner,
    "median": optuna.pruners.MedianPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
    "successive_halving": optuna.pruners.SuccessiveHalvingPruner,
}


def test_every_option_is_tested_here() -> None:
    assert set(SAMPLERS) == {*CLASSES, "motpe"}
    assert set(PRUNERS) == set(PRUNER_CLASSES)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_sampler_runs_trials(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if name in ("cma_es", "cmaes"):
        pytest.importorskip("cmaes")
    finite = ["optimizer.lr=0.1,0.2,0.3", "model.dropout=0.0,0.5"]
    space = finite if name in ("grid", "brute_force") else [*SEARCH, "model.dropout=interval(0.0,0.5)"]
    few = [f"hydra.sweeper.sampler.n_startup_trials={n}" for n in [2] if name in ("tpe", "gp")]
    sampler = f"hydra/sweeper/sampler={name}"
    records = run_here(
        monkeypatch, tmp_path, *space, sampler, *few, "hydra.sweeper.n_trials=4", "trainer.max_epochs=1"
    )
    assert [r.state for r in records] == ["COMPLETE"] * 4
    assert len({tuple(r.params.values()) for r in records}) == 4
    options = SweepOptions.from_config({"sampler": {**SAMPLERS[name], "seed": None}, "seed": 3})
    built = build_sampler(dict(options.sampler), parse_space({"x": {"choices": [1, 2]}}), options.seed)
    assert type(built) is CLASSES[name]


@pytest.mark.parametrize("name", ["grid", "brute_force"])
def test_a_grid_is_run_once_and_ends_by_itself(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    grid = ["optimizer.lr=0.1,0.2,0.3", "flavour=plain,rich"]
    end = [f"hydra/sweeper/sampler={name}", "hydra.sweeper.n_trials=null", "trainer.max_epochs=1"]
    records = run_here(monkeypatch, tmp_path, *grid, *end)
    points = {(r.params["optimizer.lr"], r.params["flavour"]) for r in records}
    assert len(records) == 6
    assert points == set(itertools.product((0.1, 0.2, 0.3), ("plain", "rich")))
    assert run_here(monkeypatch, tmp_path, *grid, *end) == records


def test_a_grid_in_two_parts_has_no_point_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    grid = ["optimizer.lr=0.1,0.2,0.3,0.4", "hydra/sweeper/sampler=grid", "trainer.max_epochs=1"]
    run_here(monkeypatch, tmp_path, *grid, "hydra.sweeper.n_trials=1")
    run_here(monkeypatch, tmp_path, *grid, "hydra.sweeper.n_trials=3")
    records = run_here(monkeypatch, tmp_path, *grid, "hydra.sweeper.n_trials=null")
    assert sorted(r.params["optimizer.lr"] for r in records) == [0.1, 0.2, 0.3, 0.4]


def test_brute_force_covers_conditions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    space = (
        "search_space={activation:{key:model.activation,choices:[relu,leaky_relu]},"
        "slope:{key:model.slope,choices:[0.1,0.2],when:{model.activation:leaky_relu}}}"
    )
    end = ["hydra/sweeper/sampler=brute_force", "hydra.sweeper.n_trials=null", "trainer.max_epochs=1"]
    records = run_here(monkeypatch, tmp_path, space, *end)
    points = sorted((r.params["activation"], r.params.get("slope", 0.0)) for r in records)
    assert points == [("leaky_relu", 0.1), ("leaky_relu", 0.2), ("relu", 0.0)]


@pytest.mark.parametrize("name", sorted(PRUNER_CLASSES))
def test_a_pruner_runs_trials(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    end = [f"hydra/sweeper/pruner={name}", "hydra.sweeper.n_trials=3", "hydra/sweeper/sampler=random"]
    records = run_here(monkeypatch, tmp_path, *SEARCH, *end)
    assert {r.state for r in records} <= {"COMPLETE", "PRUNED"}
    assert len(records) == 3
    stored = load_study(tmp_path / "sweep").user_attrs["pruner"]
    assert type(build_pruner(stored)) is PRUNER_CLASSES[name]
    if name == "hyperband":
        # The number of epochs, which Hyperband cannot guess while the first trials still run.
        assert stored["max_resource"] == 4
    if name == "none":
        assert all(epochs(r) == [0, 1, 2, 3] for r in records)


def test_successive_halving_gives_the_worse_ones_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Best first: each later one is worse than the best half at the first rung, which is epoch 1.
    halving = ["hydra/sweeper/pruner=successive_halving", "hydra.sweeper.pruner.reduction_factor=2"]
    plan = "ablation={factors:{lr:{key:optimizer.lr,baseline:0.3,levels:[0.6,0.9,1.2]}}}"
    records = run_here(monkeypatch, tmp_path, plan, "seeds=[0]", "hydra.sweeper.n_trials=null", *halving)
    assert [r.state for r in records] == ["COMPLETE", "PRUNED", "PRUNED", "PRUNED"]
    assert [epochs(r) for r in records[1:]] == [[0, 1]] * 3


def test_what_cannot_be_built_is_named() -> None:
    with pytest.raises(
        ConfigError, match=r"hydra\.sweeper\.pruner: optuna\.pruners\.MedianPruner cannot be built"
    ):
        build_pruner({"_target_": "optuna.pruners.MedianPruner", "startup": 3})
    with pytest.raises(
        ConfigError, match=r"hydra\.sweeper\.sampler: optuna\.samplers\.Magic cannot be built"
    ):
        build_sampler({"_target_": "optuna.samplers.Magic"}, None, seed=0)
