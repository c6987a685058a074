"""What users of hydra-optuna-sweeper have is read as it was, or one line says what to write."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from fer_lightning.errors import ConfigError, RunsFailedError
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.space.command_line import split_overrides
from fer_lightning.sweeps.study.results import load_study, load_trials
from foreign_program import Program

SPHERE = "params: {x: 'range(-5.5, 5.5, step=0.5)', y: 'choice(-5 ,0 ,5)'}"
FIVE = ["hydra/sweeper/sampler=random", "hydra.sweeper.sampler.seed=123", "hydra.sweeper.n_trials=5"]
NSGAII = ["hydra/sweeper/sampler=nsgaii", "hydra.sweeper.sampler.seed=1", "hydra.sweeper.n_trials=9"]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    return Program(tmp_path, monkeypatch)


def write(program: Program, sweeper: str, values: str = "x: 1\ny: 1\nz: 1") -> None:
    """Write a program whose configuration has `hydra.sweeper` as it was for hydra-optuna-sweeper."""
    mine = f"# @package _global_\nhydra:\n  sweeper:\n    {sweeper}"
    program.write(values, defaults="  - mine", options={"mine": mine})


def sphere(config: DictConfig) -> float:
    return float(config.x**2 + config.y**2)


def found(program: Program) -> dict[str, Any]:
    written = yaml.safe_load((program.folder / "sweep/optimization_results.yaml").read_text())
    assert written["name"] == "optuna"
    return dict(written)


def test_its_block_of_params_is_searched_and_the_least_is_best(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    write(program, SPHERE)
    with caplog.at_level("INFO"):
        trials = program.run(sphere, *FIVE, "~z")
    assert all("z" not in job for job in program.seen)
    best = load_study(program.folder / "sweep").best_trial
    assert best.value == min(trial.values[0] for trial in trials)
    assert found(program)["best_params"] == best.params
    assert found(program)["best_value"] == best.value
    assert set(best.params) == {"x", "y"}
    assert caplog.messages[-2:] == [f"Best parameters: {best.params}", f"Best value: {best.value}"]
    assert "compared: objective (lower is better)" in caplog.messages


@pytest.mark.parametrize(
    ("direction", "best"), [("maximize", max), ("max", max), ("minimize", min), ("null", min)]
)
def test_its_directions(program: Program, direction: str, best: Callable[..., float]) -> None:
    write(program, SPHERE)
    trials = program.run(sphere, *FIVE, f"hydra.sweeper.direction={direction}")
    assert found(program)["best_value"] == best(trial.values[0] for trial in trials)


def test_the_command_line_replaces_its_params(program: Program, caplog: pytest.LogCaptureFixture) -> None:
    write(program, SPHERE)
    with caplog.at_level("INFO"):
        trials = program.run(
            sphere, *FIVE, "x=choice(0, 1, 2)", "y=0", "hydra.sweeper.params.z='interval(0,1)'"
        )
    assert {job["x"] for job in program.seen} <= {0, 1, 2}
    assert {job["y"] for job in program.seen} == {0}
    assert all(0 <= job["z"] <= 1 for job in program.seen)
    assert all(set(trial.params) == {"x", "z"} for trial in trials)
    assert "note: y is set on the command line, not searched as in hydra.sweeper.params" in caplog.messages


def test_a_fixed_value_among_its_params_is_set(program: Program) -> None:
    write(program, "params: {x: '1,2', y: 3, z: [1, a]}")
    program.run(sphere)
    assert sorted((job["x"], job["y"], job["z"]) for job in program.seen) == [
        (1, 3, [1, "a"]),
        (2, 3, [1, "a"]),
    ]


def test_without_a_search_the_same_run_is_made_n_trials_times(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    write(program, "n_trials: 3")
    with caplog.at_level("INFO"):
        trials = program.run(sphere, "hydra/sweeper/sampler=tpe", "hydra.sweeper.n_jobs=2")
    assert [(trial.state, trial.value, trial.params) for trial in trials] == [("COMPLETE", 2.0, {})] * 3
    assert "note: nothing is searched: the same run 3 times" in caplog.messages


def test_the_end_names_the_best_trial_and_the_command_of_its_run(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    write(program, "params: {x: '3,2', y: '1'}")
    with caplog.at_level("INFO"):
        program.run(sphere, "-m", "hydra.sweeper.n_trials=9", "x=4,0,2", "z=8", "hydra.sweep.dir=sweep")
    best = found(program)["best_params"]
    assert best == {"x": 0}
    (number,) = (trial.number for trial in load_trials(program.folder / "sweep") if trial.params == best)
    assert f"best: trial {number}, in sweep/trial_{number:04d}" in caplog.messages
    assert "to run it once more: python program.py z=8 x=0" in caplog.messages


@pytest.mark.parametrize(("n_trials", "number"), [(10, 8), (1, 1)])
def test_its_grid(program: Program, n_trials: int, number: int) -> None:
    write(
        program, """params: {x: 'choice(-1, 1)', y: 'range(-1.0, 1.0, step=1)', z: 'choice("foo", "bar")'}"""
    )
    grid = [
        "hydra/sweeper/sampler=grid",
        f"hydra.sweeper.n_trials={n_trials}",
        "+hydra.sweeper.sampler._partial_=true",
    ]
    trials = program.run(sphere, *grid)
    points = {(t.params["x"], t.params["y"], t.params["z"]) for t in trials}
    assert len(trials) == len(points) == number
    assert points <= {(x, y, z) for x in (-1, 1) for y in (-1.0, 0.0) for z in ("foo", "bar")}


@pytest.mark.parametrize("typed", [[], ["x=range(0, 5)", "y=range(0, 3)"]])
def test_its_several_objectives(program: Program, typed: list[str]) -> None:
    write(
        program,
        "direction: [minimize, minimize]\n    params: {x: 'range(0,5,step=0.5)', y: 'range(0,3,step=0.5)'}",
    )

    def two(config: DictConfig) -> tuple[float, float]:
        return 4 * config.x**2 + 4 * config.y**2, (config.x - 5) ** 2 + (config.y - 5) ** 2

    trials = program.run(
        two, "hydra/sweeper/sampler=nsgaii", "hydra.sweeper.sampler.seed=1", "hydra.sweeper.n_trials=9"
    )
    values = [trial.values for trial in trials]
    front = {v for v in values if not any(w != v and w[0] <= v[0] and w[1] <= v[1] for w in values)}
    assert {tuple(each["values"]) for each in found(program)["solutions"]} == front
    assert load_study(program.folder / "sweep").metric_names == ["objective_0", "objective_1"]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module with search-space functions of a user."""
    module = types.ModuleType("my-space")

    def near(config: DictConfig, trial: optuna.Trial) -> None:
        x = trial.params["x"]
        trial.suggest_float("z", x - config.most, x + config.most)
        trial.suggest_float("+w", 0.0, 1.0)
        if x > 0:
            trial.suggest_categorical("y", [0, 5])

    def broken(config: DictConfig, trial: optuna.Trial) -> None:
        raise KeyError("no such thing")

    module.near, module.broken = near, broken  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my-space", module)
    return module


@pytest.mark.usefixtures("configure")
def test_its_search_spaces_in_python(program: Program) -> None:
    values = "x: 1\ny: 1\nz: 100\nmost: 0.5"
    write(program, "params: {x: 'range(-5,5)'}\n    custom_search_space: my-space.near", values)
    trials = program.run(sphere, *FIVE, "most=0.3")
    for job in program.seen:
        assert abs(job["z"] - job["x"]) <= 0.3
        assert 0 <= job["w"] <= 1
        assert job["y"] in ((0, 5) if job["x"] > 0 else (1,))
    assert all({"x", "z", "+w"} <= set(trial.params) for trial in trials)
    assert 0 <= found(program)["best_params"]["+w"] <= 1
    # The function is part of what the study is.
    fixed = load_study(program.folder / "sweep").user_attrs["fixed"]
    assert fixed["hydra.sweeper.custom_search_space"] == "my-space.near"


@pytest.mark.usefixtures("configure")
@pytest.mark.parametrize(
    ("name", "typed", "message"),
    [
        ("my-space.none", [], "custom_search_space=my-space.none: expected a function's dotted name"),
        ("my-space.broken", [], "custom_search_space=my-space.broken: KeyError: 'no such thing'"),
        ("my-space.near", ["z=3"], r"custom_search_space=my-space.near: suggests z, which z=3 sets"),
        (
            "my-space.near",
            ["hydra/sweeper/sampler=grid"],
            r"my-space.near: a grid must know every parameter before",
        ),
    ],
)
def test_a_search_space_in_python_that_fails_is_named(
    program: Program, name: str, typed: list[str], message: str
) -> None:
    write(
        program,
        f"params: {{x: 'range(-5,5)'}}\n    custom_search_space: {name}",
        "x: 1\ny: 1\nz: 1\nmost: 0.5",
    )
    with pytest.raises(ConfigError, match=message):
        program.run(sphere, *FIVE, *typed)
    assert program.seen == []


@pytest.mark.parametrize(("rate", "number"), [(0.0, 1), (0.5, 1), (1.0, 5)])
def test_its_failure_rate(program: Program, rate: float, number: int) -> None:
    def fail(config: DictConfig) -> float:
        raise RuntimeError("error is True")

    write(program, SPHERE)
    kept = r"all of its 5 trials failed; the last left sweep/trial_0004/error\.txt$"
    said = "max_failure_rate=.*RuntimeError: error is True" if rate < 1 else kept
    with pytest.raises(RunsFailedError, match=said):
        program.run(fail, *FIVE, f"hydra.sweeper.max_failure_rate={rate}")
    assert len(program.seen) == number
    left = program.folder / f"sweep/trial_{number - 1:04d}/error.txt"
    assert "RuntimeError: error is True" in left.read_text()
    assert not (program.folder / "sweep/optimization_results.yaml").exists()


def test_with_a_rate_of_one_an_arm_may_fail(program: Program) -> None:
    def fail_at_two(config: DictConfig) -> float:
        if config.x == 2:
            raise RuntimeError("error is True")
        return 1.0

    plan = "plan: {factors: {x: {key: x, levels: [2], baseline: 1}}}\n    seeds: [0]"
    write(program, plan, "x: 1\nseed: 0")
    program.run(fail_at_two, "hydra.sweeper.max_failure_rate=1.0")
    with pytest.raises(RunsFailedError, match="every run failed of x=2: RuntimeError: error is True"):
        program.run(fail_at_two)


def test_a_rate_counts_all_that_have_ended(program: Program) -> None:
    def fail_twice(config: DictConfig) -> float:
        if config.x in (3, 4):
            raise RuntimeError("error is True")
        return 1.0

    write(
        program,
        "plan: {factors: {x: {key: x, levels: [2, 3, 4, 5], baseline: 1}}}\n    seeds: [0]",
        "x: 1\nseed: 0",
    )
    with pytest.raises(RunsFailedError, match=r"2 of 5 trials failed \(max_failure_rate=0\.4\)"):
        program.run(fail_twice, "hydra.sweeper.max_failure_rate=0.4")
    assert [job["x"] for job in program.seen] == [1, 2, 3, 4]


def test_its_removed_sampler_is_named(program: Program) -> None:
    write(program, SPHERE)
    with pytest.raises(
        ConfigError, match=r"sampler=motpe: this sampler was removed in Optuna 4\.0; expected .*=tpe"
    ):
        program.run(sphere, "hydra/sweeper/sampler=motpe")


def test_its_own_sampler_options_are_taken_where_both_are_installed() -> None:
    its = {"_target_": "optuna.samplers.TPESampler", "seed": 7, "consider_prior": None, "multivariate": False}
    options = SweepOptions.from_config({"sampler": its, "seed": 0, "pruner": {}})
    assert options.sampler == {"_target_": "optuna.samplers.TPESampler", "multivariate": False}
    assert (options.seed, options.pruner) == (7, None)
    assert SweepOptions.from_config({"sampler": {**its, "seed": None}, "seed": 0}).seed == 0


# Its ranges include their end, Hydra's own do not; everything else is the same.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("key=choice(1,2)", CategoricalDistribution([1, 2])),
        ("key=choice(true, false)", CategoricalDistribution([True, False])),
        ("key=choice('hello', 'world')", CategoricalDistribution(["hello", "world"])),
        ("key=range(1,3)", IntDistribution(1, 2)),
        ("key=range(0.5, 5.5, step=1)", FloatDistribution(0.5, 4.5, step=1)),
        ("key=interval(1, 5)", FloatDistribution(1, 5)),
        ("key=int(interval(1, 5))", IntDistribution(1, 5)),
        ("key=tag(log, interval(1, 5))", FloatDistribution(1, 5, log=True)),
        ("key=tag(log, int(interval(1, 5)))", IntDistribution(1, 5, log=True)),
    ],
)
def test_its_overrides_are_these_distributions(text: str, expected: BaseDistribution) -> None:
    _, space = split_overrides(OverridesParser.create().parse_overrides([text]))
    assert space.parameters[0].distribution == expected
