"""A search that begins from the trials of an earlier one: which are taken, and that they cost it nothing."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from omegaconf import DictConfig
from optuna import TrialPruned

from fer_lightning.errors import ConfigError
from fer_lightning.study.earlier_data import check_earlier_data
from fer_lightning.study.study_report import report_study
from fer_lightning.sweeps import attach
from fer_lightning.sweeps.study.results import Trial, load_study
from foreign_program import Program

VALUES = "x: 2.0\nrule: sgd\nlayers: [8, 8]\nlength: 3\nseed: 0"
FIRST = (
    "hydra/sweeper/sampler=random",
    "hydra.sweeper.n_trials=5",
    "x=interval(0.0,4.0)",
    "rule=sgd,adam",
    "hydra.sweeper.direction=max",
    "hydra.sweeper.first=[{x:1.0,rule:adam},{x:3.0},{x:3.9},{x:0.1}]",
)
SECOND = ("hydra/sweeper/sampler=random", "hydra.sweeper.direction=max", "hydra.sweeper.begin_from=earlier")


def job(config: DictConfig) -> float:
    trial = attach()
    assert trial is not None
    for step in range(3):
        trial.report(config.x + step, step)
        if config.x == 3.9:
            raise TrialPruned
    if config.x == 0.1:
        raise ValueError("too small")
    return float(config.x)


def write(program: Program) -> None:
    options = {"size/small": "width: 1\ndepth: 1", "size/large": "width: 2\ndepth: 1"}
    program.write(VALUES, defaults="  - size: small", options=options)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the earlier study."""
    folder = tmp_path_factory.mktemp("earlier")
    with pytest.MonkeyPatch.context() as patch:
        program = Program(folder, patch)
        write(program)
        program.run(job, *FIRST)
    return (folder / "sweep").rename(folder / "earlier")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: Path) -> Program:
    found = Program(tmp_path, monkeypatch)
    write(found)
    shutil.copytree(earlier, tmp_path / "earlier")
    return found


def taken(trials: list[Trial]) -> dict[int, dict[str, object]]:
    """What was taken over, by the number that each trial had."""
    return {t.attrs["taken_from"]["trial"]: dict(t.params) for t in trials if "taken_from" in t.attrs}


def note(program: Program) -> str:
    (found,) = load_study(program.folder / "sweep").user_attrs["notes"]
    return str(found)


def test_trials_are_told_and_cost_nothing(program: Program) -> None:
    words = (*SECOND, "x=interval(0.0,4.0)", "rule=sgd,adam", "hydra.sweeper.budget.epochs=9")
    trials = program.run(job, *words, "hydra.sweeper.n_trials=4")
    # The default is trial 0 of the earlier study already, so it is not run again.
    assert taken(trials) == {
        0: {"x": 2.0, "rule": "sgd"},
        1: {"x": 1.0, "rule": "adam"},
        2: {"x": 3.0, "rule": "sgd"},
        3: {"x": 3.9, "rule": "sgd"},
    }
    by_number = {trial.attrs["taken_from"]["trial"]: trial for trial in trials if "taken_from" in trial.attrs}
    assert [by_number[n].state for n in range(4)] == ["COMPLETE", "COMPLETE", "COMPLETE", "PRUNED"]
    assert by_number[2].value == 3.0
    assert by_number[2].intermediate == {0: 3.0, 1: 4.0, 2: 5.0}
    assert by_number[0].attrs["first"] == "default"
    assert note(program) == "4 of 5 trials of earlier taken over; not taken: 1 failed"
    # The budget of nine epochs is three trials of its own.
    assert len(program.seen) == len(trials) - 4 == 3
    # The sampler's seed is the same, its points are not.
    assert len({json.dumps(dict(trial.params)) for trial in trials}) == 7
    # Again: nothing is taken twice; a longer search runs what is missing.
    again = program.run(job, *words, "hydra.sweeper.n_trials=4")
    assert len(again) == 7
    text = report_study(program.folder / "sweep", program.folder / "sweep", page=True).text
    assert "3 trials complete" in text
    assert "9 epochs" in text
    assert "4 trials taken over from earlier studies." in text


def test_the_best_may_be_one_that_was_taken_and_it_is_confirmed(program: Program) -> None:
    words = (*SECOND, "x=interval(0.0,3.0)", "rule=sgd,adam", "hydra.sweeper.n_trials=1")
    trials = program.run(job, *words, "hydra.sweeper.confirm=1", "hydra.sweeper.confirm_seeds=3")
    best = next(trial for trial in trials if trial.params == {"x": 3.0, "rule": "sgd"})
    assert {trial.arm for trial in trials} == {None, "default", f"setting {best.number}"}
    assert {config["x"] for config in program.seen[-6:]} == {2.0, 3.0}
    assert not any(trial.seed == 0 for trial in trials if trial.stage == "confirm")


@pytest.mark.parametrize(
    ("space", "numbers", "said"),
    [
        # A smaller range; the pruned and the failed one are beyond it, too.
        (
            ["x=interval(0.5,2.5)", "rule=sgd,adam"],
            {0, 1},
            "1 x=3.0 is not searched; expected a number of 0.5 to 2.5",
        ),
        # What is fixed now: those that had the same value.
        (["x=interval(0.0,4.0)", "rule=adam"], {1}, "3 with another rule than adam"),
        # What is searched now: the value that was fixed then, a list by its label and a group's option by its name.
        (["x=interval(0.0,4.0)", "rule=sgd,adam", "layers=choice([8,8],[16])"], {0, 1, 2, 3}, ""),
        (
            ["x=interval(0.0,4.0)", "rule=sgd,adam", "layers=choice([16],[4])"],
            set(),
            "4 layers='[8,8]' is not searched",
        ),
        (["x=interval(0.0,4.0)", "rule=sgd,adam", "size=small,large"], {0, 1, 2, 3}, ""),
        (
            ["x=interval(0.0,4.0)", "rule=sgd,adam", "size=small,large", "size.depth=2"],
            set(),
            "4 with size.depth=1, here 2",
        ),
        (["x=interval(0.0,4.0)", "rule=sgd,adam", "+y=interval(0,1)"], set(), "4 of which no y is known"),
    ],
)
def test_what_the_space_allows_is_taken(
    program: Program, space: list[str], numbers: set[int], said: str
) -> None:
    trials = program.run(
        job, *SECOND, "hydra.sweeper.n_trials=1", "hydra.sweeper.begin_with_default=false", *space
    )
    found = taken(trials)
    assert set(found) == numbers
    assert said in note(program)
    assert {params.get("layers", "[8,8]") for params in found.values()} <= {"[8,8]"}
    assert {params.get("size", "small") for params in found.values()} <= {"small"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["length=5"], "hydra.sweeper.begin_from=earlier: has length=3, this search 5; expected the same"),
        (["size.width=7"], "has size.width=1, this search 7"),
        (["hydra.sweeper.direction=min"], "compares objective (maximize), this search objective (minimize)"),
        (["hydra.sweeper.objective=loss"], "compares objective (maximize), this search loss (maximize)"),
        (["hydra.sweeper.begin_from=nowhere"], "hydra.sweeper.begin_from: nowhere: no such folder"),
        (["hydra/sweeper/sampler=grid", "x=1,2"], "a grid runs every point itself"),
        (["hydra.sweep.dir=earlier", "hydra.sweeper.study_name=NAME"], "is this very study"),
    ],
)
def test_another_study_is_refused_before_any_run(program: Program, words: list[str], said: str) -> None:
    name = load_study(program.folder / "earlier").study_name
    given = [word.replace("NAME", name) for word in words]
    space = [] if any(word.startswith("x=") for word in words) else ["x=interval(0.0,4.0)"]
    with pytest.raises(ConfigError, match=re.escape(said)):
        program.run(job, *SECOND, "rule=sgd,adam", "hydra.sweeper.n_trials=1", *space, *given)
    assert program.seen == []


def test_a_constraint_needs_its_number(program: Program) -> None:
    words = (*SECOND, "x=interval(0.0,4.0)", "rule=sgd,adam", "hydra.sweeper.n_trials=1")
    limits = "hydra.sweeper.constraints=['objective<2.5','seconds<1000']"
    trials = program.run(job, *words, limits)
    beyond = {t.attrs["taken_from"]["trial"]: t.infeasible for t in trials if "taken_from" in t.attrs}
    assert beyond == {0: (), 1: (), 2: ("objective<2.5",), 3: ("objective<2.5",)}


def test_other_faces_are_refused(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"data": {"name": "other", "fingerprint": "0123456789"}}
    folder = program.folder / "earlier" / "trial_0000"
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps(record))
    check_earlier_data(None, "faces", "abc")
    monkeypatch.chdir(program.folder)
    check_earlier_data("earlier", "faces", "0123456789")
    with pytest.raises(
        ConfigError, match=r"begin_from=earlier: was trained on other data \(other, 01234567\) than faces"
    ):
        check_earlier_data(["earlier"], "faces", "abcdefghij")
