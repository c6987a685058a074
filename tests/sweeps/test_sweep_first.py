"""The settings with which a search begins: the configuration's own as trial 0, then those that `first` names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from omegaconf import DictConfig
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.space.first_points import contains
from foreign_program import Program

VALUES = "x: 2.0\nlayers: [8, 8]\nrule: sgd\nmomentum: 0.5"
RANDOM = ("hydra/sweeper/sampler=random", "hydra.sweeper.n_trials=5")
X = "x=interval(0.0,4.0)"


def job(config: DictConfig) -> float:
    return float(config.x)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    found = Program(tmp_path, monkeypatch)
    found.write(VALUES)
    return found


def test_trial_0_is_the_default_with_its_group_its_list_and_its_conditions(program: Program) -> None:
    space = """
hydra.sweeper.search_space={
x:{type:float,low:0,high:4},
layers:{choices:[[8,8],[16]]},
rule:{choices:[sgd,adam]},
momentum:{type:float,low:0,high:0.9,when:{rule:sgd}},
size:{choices:[small,large]}}
""".replace("\n", "")
    options = {"size/small": "width: 1", "size/large": "width: 2"}
    program.write(VALUES, defaults="  - size: large", options=options)
    trials = program.run(job, *RANDOM, space)
    assert trials[0].params == {"x": 2.0, "layers": "[8,8]", "rule": "sgd", "momentum": 0.5, "size": "large"}
    assert program.seen[0]["size"] == {"width": 2}
    assert trials[0].attrs["first"] == "default"
    assert len({trial.params["x"] for trial in trials}) == 5


def test_first_names_others_which_run_next_and_once(program: Program) -> None:
    words = (*RANDOM, X, "momentum=interval(0.0,1.0)")
    first = "hydra.sweeper.first=[{x:3},{x:1.5,momentum:0.25}]"
    trials = program.run(job, *words, first)
    assert [trial.params for trial in trials[:3]] == [
        {"x": 2.0, "momentum": 0.5},
        {"x": 3.0, "momentum": 0.5},
        {"x": 1.5, "momentum": 0.25},
    ]
    # The same study: what was run is not run again, and another one is added to it.
    more = first.replace("]", ",{x:0.5}]") + " hydra.sweeper.n_trials=7"
    trials = program.run(job, *words, *more.split())
    assert [trial.params["x"] for trial in trials][:3] == [2.0, 3.0, 1.5]
    assert [trial.params["x"] for trial in trials].count(0.5) == 1
    assert len(trials) == 7


def test_without_it_the_sampler_begins(program: Program) -> None:
    trials = program.run(job, *RANDOM, X, "hydra.sweeper.begin_with_default=false")
    assert trials[0].params["x"] != 2.0
    assert "first" not in trials[0].attrs


def test_a_study_that_began_without_it_stays_as_it_is(program: Program) -> None:
    program.run(job, *RANDOM, X, "hydra.sweeper.begin_with_default=false")
    trials = program.run(job, *RANDOM, X, "hydra.sweeper.n_trials=7")
    assert len(trials) == 7
    assert not any("first" in trial.attrs for trial in trials)


@pytest.mark.parametrize("word", ["x=interval(3.0,4.0)", "+y=interval(0.0,1.0)"])
def test_a_default_outside_the_space_is_no_trial_and_that_is_said(program: Program, word: str) -> None:
    from fer_lightning.sweeps.study.results import load_study

    trials = program.run(job, *RANDOM, word)
    assert "first" not in trials[0].attrs
    (note,) = load_study(program.folder / "sweep").user_attrs["notes"]
    assert note.startswith("trial 0 is not the default setting: ")


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("[{y:1}]", "hydra.sweeper.first[0].y: is not searched; expected one of x"),
        ("[{x:9}]", "hydra.sweeper.first[0]: x=9 is not searched; expected a number of 0 to 4"),
        ("[{},{x:true}]", "hydra.sweeper.first[1]: x=true is not searched"),
        ("{x:1}", "hydra.sweeper.first={'x': 1}: expected a list of settings"),
        ("[{x:1},{x:2},{x:3},{x:4},{x:0},{x:1}]", "6 settings, more than hydra.sweeper.n_trials=5"),
    ],
)
def test_a_setting_that_is_no_point_is_named_before_any_run(program: Program, first: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        program.run(job, *RANDOM, X, f"hydra.sweeper.first={first}")
    assert program.seen == []


def test_a_grid_has_no_first(program: Program) -> None:
    with pytest.raises(ConfigError, match=r"hydra.sweeper.first: a grid runs every point"):
        program.run(job, "x=1,2", "hydra.sweeper.first=[{x:1}]")


def test_what_a_distribution_contains() -> None:
    assert contains(FloatDistribution(0, 1, step=0.1), 0.3)
    assert not contains(FloatDistribution(0, 1, step=0.1), 0.35)
    assert contains(FloatDistribution(1e-4, 1, log=True), 1)
    assert contains(IntDistribution(1, 9, step=2), 5)
    assert not contains(IntDistribution(1, 9, step=2), 4)
    assert not contains(IntDistribution(0, 1), True)
    assert not contains(FloatDistribution(0, 1), "0.5")
    assert contains(CategoricalDistribution([True, None]), None)
    assert not contains(CategoricalDistribution([True, 0]), 1)
