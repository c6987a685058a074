"""Constraints of a search: who violates one never wins, and is not trained where that is known before."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig

from fer_lightning.config.combinations import check_constrained
from fer_lightning.config.compose import compose_config
from fer_lightning.config.objective import Objective
from fer_lightning.dashboard.notes import note_of
from fer_lightning.errors import ConfigError, RunsFailedError
from fer_lightning.plots.search import history_data
from fer_lightning.plots.search_parameters import INFEASIBLE, space_data
from fer_lightning.report.page.sentences import lost_lines, search_sentences, state_of
from fer_lightning.report.search_text import search_text
from fer_lightning.study.study_report import report_study
from fer_lightning.sweeps import attach
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.plan.confirmation import best_of
from fer_lightning.sweeps.study.constraints import Constraint, parse_constraints, sampler_note
from fer_lightning.sweeps.study.results import Trial, load_study
from fer_lightning.training.size_known import known_sizes
from foreign_program import Program
from frozen_trials import frozen_trial
from training_runs import run

SEARCH = ("hydra/sweeper/sampler=random", "hydra.sweeper.n_trials=8", "x=interval(0.0,4.0)")
COST = "hydra.sweeper.constraints=['cost<2']"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    found = Program(tmp_path, monkeypatch)
    found.write("x: 1.0\nseed: 0")
    return found


def job(config: DictConfig) -> dict[str, float]:
    """The larger x, the better and the dearer."""
    return {"objective": float(config.x), "cost": float(config.x)}


MAXIMISED = "hydra.sweeper.direction=max"


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.sampled_from(["<", "<=", ">", ">="]))
def test_the_excess_is_above_0_exactly_where_python_says_so(limit: float, value: float, sign: str) -> None:
    met = {"<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit}[sign]
    assert (Constraint.parse(f"a{sign}{limit!r}").excess(value) <= 0) == met


def test_constraints_are_read_with_and_without_quotes_of_hydra() -> None:
    texts = ["parameters<2e6", "val/loss>=0.5"]
    assert [c.text for c in parse_constraints(["parameters < 2e6", "val/loss>=0.5"])] == texts
    assert [c.text for c in parse_constraints("[parameters<2e6, val/loss>=0.5]")] == texts
    assert parse_constraints(None) == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["parameters"], "hydra.sweeper.constraints=parameters: expected a name, one of <, <=, > and >="),
        (["a<b"], "hydra.sweeper.constraints=a<b: expected a name"),
        (["a<1<2"], "=a<1<2: expected a name"),
        (["a<inf"], "=a<inf: expected a name"),
        (["a<1", "a<=2"], "expected one upper and one lower limit of a at most"),
        (["a<1", "a>1"], "a<1 and a>1 exclude each other"),
    ],
)
def test_a_constraint_that_is_none_is_named(given: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        SweepOptions(sampler={"_target_": "…"}, constraints=given)


def test_constraints_are_for_a_search() -> None:
    with pytest.raises(ConfigError, match="is for a search; expected null with a plan"):
        SweepOptions(sampler={"_target_": "…"}, constraints=["a<1"], plan={})


def test_who_violates_a_constraint_is_neither_best_nor_confirmed(program: Program) -> None:
    words = (*SEARCH, MAXIMISED, COST, "hydra.sweeper.confirm=1", "hydra.sweeper.confirm_seeds=3")
    trials = program.run(job, *words)
    searched = [trial for trial in trials if trial.stage != "confirm"]
    beyond = [trial for trial in searched if trial.params["x"] >= 2]
    assert beyond
    assert all(trial.infeasible == ("cost<2",) for trial in beyond)
    assert beyond[0].reason == f"infeasible: cost is {beyond[0].params['x']:.6g}, expected cost<2"
    best = max((t for t in searched if not t.infeasible), key=lambda trial: trial.value or 0.0)
    assert best.params["x"] < 2
    written = yaml.safe_load((program.folder / "sweep" / "optimization_results.yaml").read_text())
    assert written["best_params"] == best.params
    assert {trial.arm for trial in trials} == {None, "default", f"setting {best.number}"}
    # Whatever a setting comes to when it is run again counts for its mean.
    assert not any(trial.infeasible for trial in trials if trial.stage == "confirm")
    text = report_study(program.folder / "sweep", program.folder / "sweep", page=False).text
    assert (
        f"{len(searched) - len(beyond)} trials complete, 0 pruned, 0 failed, {len(beyond)} infeasible" in text
    )
    assert f"Constraints violated: cost<2 by {len(beyond)} trials" in text


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii"])
def test_what_is_known_before_is_not_trained_with_several_objectives(program: Program, sampler: str) -> None:
    trained: list[float] = []

    def admitted(config: DictConfig) -> tuple[float, float]:
        trial = attach()
        assert trial is not None
        assert trial.limited == {"cost"}
        trial.admit(cost=config.x)
        trained.append(config.x)
        return config.x, (config.x - 1) ** 2

    trials = program.run(
        admitted,
        f"hydra/sweeper/sampler={sampler}",
        *(("hydra.sweeper.sampler.n_startup_trials=4",) if sampler == "tpe" else ()),
        *("x=interval(0.0,4.0)", "hydra.sweeper.n_trials=14", COST),
        *("hydra.sweeper.objective=[gain,loss]", "hydra.sweeper.direction=[max,min]"),
    )
    refused = [trial for trial in trials if trial.infeasible]
    assert {trial.state for trial in refused} == {"PRUNED"}
    assert refused
    assert all(trial.params["x"] >= 2 and not trial.values for trial in refused)
    assert sorted(trained) == sorted(t.params["x"] for t in trials if t.state == "COMPLETE")
    assert all(x < 2 for x in trained)
    front = load_study(program.folder / "sweep").best_trials
    assert {trial.number for trial in front} <= {t.number for t in trials if not t.infeasible}


def test_tpe_learns_where_the_limit_is(program: Program) -> None:
    program.write("x: 0.5\nseed: 0")
    words = ("hydra/sweeper/sampler=tpe", "hydra.sweeper.sampler.n_startup_trials=6", MAXIMISED)
    limit = "hydra.sweeper.constraints=['cost<1']"
    trials = program.run(job, *words, "x=interval(0.0,4.0)", "hydra.sweeper.n_trials=18", limit)
    # Without the constraint the largest x are drawn again and again; without knowledge three of four violate it.
    assert sum(bool(trial.infeasible) for trial in trials[6:]) <= 6


def test_patience_does_not_count_what_was_not_trained(program: Program) -> None:
    def admitted(config: DictConfig) -> float:
        trial = attach()
        assert trial is not None
        trial.admit(cost=config.x)
        return float(config.x)

    first = "hydra.sweeper.first=[{x:3.0},{x:3.1},{x:0.5},{x:3.2},{x:0.4}]"
    words = (
        "hydra/sweeper/sampler=random",
        "x=interval(0.0,4.0)",
        MAXIMISED,
        COST,
        "hydra.sweeper.patience=2",
    )
    trials = [trial for trial in program.run(admitted, *words, first) if trial.state != "WAITING"]
    assert [trial.params["x"] for trial in trials] == [1.0, 3.0, 3.1, 0.5, 3.2, 0.4]


def test_seconds_and_epochs_are_known_of_every_program(program: Program) -> None:
    def reports(config: DictConfig) -> float:
        trial = attach()
        assert trial is not None
        for step in range(3):
            trial.report(config.x, step)
        return float(config.x)

    limits = "hydra.sweeper.constraints=['seconds<100','epochs<3','objective>0']"
    trials = program.run(reports, *SEARCH, "hydra.sweeper.n_trials=2", limits)
    assert [trial.infeasible for trial in trials] == [("epochs<3",)] * 2
    assert [set(trial.frozen.constraints) for trial in trials] == [
        {"seconds<100", "epochs<3", "objective>0"}
    ] * 2


def test_a_number_that_no_trial_tells_fails_it_with_the_nearest(program: Program) -> None:
    with pytest.raises(
        RunsFailedError, match="constraint cots<2: cots is not among the trial's numbers; did you mean cost"
    ):
        program.run(job, *SEARCH, "hydra.sweeper.constraints=['cots<2']")


def test_a_number_that_is_not_finite_fails_its_trial(program: Program) -> None:
    def diverges(config: DictConfig) -> dict[str, float]:
        return {"objective": 1.0, "cost": math.inf if config.x > 2 else 1.0}

    trials = program.run(diverges, *SEARCH, COST)
    failed = [trial for trial in trials if trial.params["x"] > 2]
    assert {(trial.state, trial.reason) for trial in failed} == {
        ("FAIL", "constraint cost<2: cost is inf, expected a finite number")
    }


def test_a_study_keeps_its_constraints(program: Program) -> None:
    program.run(job, *SEARCH, "hydra.sweeper.n_trials=1", COST, "hydra.sweeper.study_name=one")
    with pytest.raises(ConfigError, match=r"study one exists with hydra\.sweeper\.constraints"):
        program.run(job, *SEARCH, "hydra.sweeper.study_name=one")


def test_what_a_sampler_makes_of_constraints_is_said() -> None:
    limits = parse_constraints(["a<1"])
    assert sampler_note(limits, "optuna.samplers.TPESampler") == []
    assert sampler_note((), "optuna.samplers.RandomSampler") == []
    assert sampler_note(limits, "my.Sampler") == []
    (note,) = sampler_note(limits, "optuna.samplers.RandomSampler")
    assert note.startswith("RandomSampler does not use constraints")
    (note,) = sampler_note(limits, "optuna.samplers.GPSampler")
    assert note.startswith("GPSampler learns from trained trials")


TRIALS = [
    frozen_trial(0, value=0.5, params={"x": 1}, constraints={"a<1": -0.5}),
    frozen_trial(1, value=0.9, params={"x": 2}, constraints={"a<1": 0.5}, reason="infeasible: a is 2"),
    frozen_trial(
        2, "PRUNED", params={"x": 3}, constraints={"a<1": 2.0}, reason="infeasible: a is 3", seconds=1.0
    ),
    frozen_trial(3, value=0.6, params={"x": 4}, constraints={"a<1": 0.0}, first="default"),
]


def test_figures_tables_and_notes_show_what_is_infeasible(tmp_path: Path) -> None:
    best = best_of(TRIALS, maximize=True)
    assert best is not None
    assert best.number == 3
    drawn = history_data(TRIALS)
    assert (drawn.complete, drawn.infeasible, drawn.pruned) == (((0, 0.5), (3, 0.6)), ((1, 0.9),), ())
    assert [value for _, value in drawn.best] == [0.5, 0.6, 0.6]
    assert space_data(TRIALS).states == ("COMPLETE", "COMPLETE", INFEASIBLE)
    trials = [Trial(frozen) for frozen in TRIALS]
    assert [state_of(trial) for trial in trials] == ["complete", "infeasible", "infeasible", "complete"]
    assert lost_lines(trials) == [
        ("infeasible", "infeasible: a is 2", ["1"]),
        ("infeasible", "infeasible: a is 3", ["2"]),
    ]
    objective = Objective.of("val/acc", values=[0.5, 0.9])
    assert search_sentences(trials, objective, {})[0][1] == "Best: run 3, val/acc 60.00 %, with x 4."
    text = search_text(trials, objective, {})
    assert "2 trials complete, 0 pruned, 0 failed, 2 infeasible" in text
    assert "Constraints violated: a<1 by 2 trials" in text
    TRIALS[2].user_attrs["directory"] = "trial_0002"
    assert note_of(TRIALS[2], tmp_path).startswith("infeasible · 1 s")


def test_a_default_that_violates_a_constraint_is_said() -> None:
    default = frozen_trial(
        0, "PRUNED", params={"x": 3}, constraints={"a<1": 2.0}, reason="infeasible: a is 3", first="default"
    )
    text = search_text([Trial(default), Trial(TRIALS[0])], Objective.of("val/acc"), {})
    assert "The default setting is trial 0: infeasible: a is 3." in text


def test_a_run_of_this_projects_is_counted_before_it_is_trained(tmp_path: Path, tiny: list[str]) -> None:
    known = known_sizes(compose_config(tiny), {"parameters", "multiply_adds", "seconds"})
    assert known_sizes(compose_config(tiny), {"seconds"}) == {}
    record = run(tmp_path, tiny, "trainer.max_epochs=1").record
    assert known["parameters"] == record["parameters"]["total"]
    assert known["multiply_adds"] > known["parameters"]


def test_a_name_that_no_run_of_this_projects_has_is_refused(tiny: list[str]) -> None:
    config = compose_config(tiny)
    check_constrained(config, ["parameters", "multiply_adds", "epochs", "seconds", "val/loss"], ["happy"])
    with pytest.raises(
        ConfigError, match=r"hydra.sweeper.constraints=parameter: .* did you mean parameters\?"
    ):
        check_constrained(config, ["parameter"], ["happy"])
