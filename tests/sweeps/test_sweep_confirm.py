"""A search that ends in a verdict: its best settings and the default run again over seeds that it did not use."""

from __future__ import annotations

import math
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
from omegaconf import DictConfig
from optuna import TrialPruned

from fer_lightning.errors import ConfigError, DataError, RunsFailedError
from fer_lightning.study.study_report import report_study
from fer_lightning.sweeps import attach
from fer_lightning.sweeps.study.results import Trial, load_trials
from foreign_program import Program
from sweep_runner import epochs, finish, output, start

SEARCH = (
    "hydra/sweeper/sampler=random",
    "hydra.sweeper.n_trials=6",
    "x=interval(0.0,4.0)",
    "choice=a,b",
)
CONFIRM = ("hydra.sweeper.confirm=2", "hydra.sweeper.confirm_seeds=4")


def job(config: DictConfig) -> float:
    """Best at x = 3 with b; a seed adds luck, which differs from setting to setting."""
    bonus = 0.5 if config.choice == "b" else 0.0
    return bonus - (config.x - 3) ** 2 + 0.05 * math.sin(config.seed * (1 + 3 * config.x))


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    found = Program(tmp_path, monkeypatch)
    found.write("x: 1.0\nseed: 0\nchoice: a")
    return found


def searched(trials: list[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.stage != "confirm"]


def confirming(trials: list[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.stage == "confirm"]


def cells(trials: list[Trial]) -> list[tuple[str | None, int | None]]:
    return sorted((trial.arm, trial.seed) for trial in confirming(trials))  # type: ignore[type-var]


def best_two(trials: list[Trial]) -> list[Trial]:
    return sorted(searched(trials)[1:], key=lambda trial: -(trial.value or 0.0))[:2]


def test_the_best_and_the_default_are_run_again_over_new_seeds_and_judged(program: Program) -> None:
    trials = program.run(job, *SEARCH, *CONFIRM)
    assert len(searched(trials)) == 6
    best = best_two(trials)
    arms = ("default", *(f"setting {trial.number}" for trial in best))
    assert cells(trials) == sorted((arm, seed) for arm in arms for seed in (1, 2, 3, 4))
    again = next(trial for trial in confirming(trials) if trial.arm == arms[1])
    assert again.params == best[0].params
    ran = program.seen[again.number]
    assert (ran["x"], ran["choice"], ran["seed"]) == (*best[0].params.values(), again.seed)

    folder = program.folder / "sweep"
    found = report_study(folder, folder, page=True)
    assert found.confirmed is not None
    first = best[0]
    claim = found.confirmed.claims[0]
    values = [t.value or 0.0 for t in confirming(trials) if t.arm == arms[1]]
    assert (claim.arm, claim.claimed) == (arms[1], first.value)
    assert claim.confirmed == pytest.approx(sum(values) / 4)
    text = (folder / "report.md").read_text()
    assert re.search(rf"Setting {first.number} is better than the default by \+[0-9.]+ \\\[\+", text)
    assert f"for setting {first.number} in one run; over 4 new seeds it is" in text
    assert "Winner's curse: on average the search's values of these 2 settings were" in text
    assert "better than the default by" in found.text
    assert "is better than the default by" in (folder / "report.html").read_text()
    assert "default" in (folder / "report.csv").read_text()
    # What the search found is still what it alone has measured.
    assert found.text.count(f"\n{first.number:>6}  ") == 1
    assert f"best_value: {first.value}" in (folder / "optimization_results.yaml").read_text()


def test_a_finished_search_is_confirmed_by_the_same_command_with_confirm(program: Program) -> None:
    before = program.run(job, *SEARCH)
    after = program.run(job, *SEARCH, *CONFIRM)
    assert searched(after)[-1].number == before[-1].number == 5
    assert len(confirming(after)) == 12
    # Again: nothing is left; one setting more: its seeds alone; a longer search: its own best join.
    assert len(program.run(job, *SEARCH, *CONFIRM)) == len(after)
    wider = program.run(job, *SEARCH, "hydra.sweeper.confirm=3", CONFIRM[1])
    assert len(confirming(wider)) == 16
    longer = program.run(job, *SEARCH, "hydra.sweeper.n_trials=8", "hydra.sweeper.confirm=3", CONFIRM[1])
    assert len(searched(longer)) == 8
    assert {trial.number for trial in searched(longer)} - {trial.number for trial in before} == {22, 23}
    assert set(cells(wider)) <= set(cells(longer))


def test_a_finite_search_is_confirmed_without_its_default_among_the_best(program: Program) -> None:
    program.write("x: 3\nseed: 5\nchoice: b")
    trials = program.run(job, "x=1,2,3", "hydra.sweeper.confirm=1", "hydra.sweeper.confirm_seeds=[7,9,11]")
    assert sorted(trial.params["x"] for trial in searched(trials)) == [1, 2, 3]
    (second,) = (trial for trial in searched(trials) if trial.params["x"] == 2)
    assert cells(trials) == sorted(
        (arm, seed) for arm in ("default", f"setting {second.number}") for seed in (7, 9, 11)
    )


def test_a_confirming_trial_is_never_pruned(program: Program) -> None:
    program.write("x: 1.0\nseed: 0", defaults="  - override hydra/sweeper/pruner: median")

    def reports(config: DictConfig) -> float:
        trial = attach()
        assert trial is not None
        for step in range(4):
            # A confirming run looks bad at first, worse than every one of the search.
            trial.report(config.x - (100 if config.seed else 0) * (3 - step), step)
            if trial.should_prune():
                raise TrialPruned
        return float(config.x)

    words = ("hydra/sweeper/sampler=random", "hydra.sweeper.pruner.n_startup_trials=1", "x=interval(0.0,4.0)")
    trials = program.run(reports, *words, "hydra.sweeper.n_trials=12", *CONFIRM)
    assert {trial.state for trial in confirming(trials)} == {"COMPLETE"}
    assert "PRUNED" in {trial.state for trial in searched(trials)}


def test_a_failed_confirming_run_is_tried_again_on_demand(program: Program) -> None:
    def fails(config: DictConfig) -> float:
        if config.seed == 2 and not Path("mended").exists():
            raise ValueError("seed 2")
        return job(config)

    trials = program.run(fails, *SEARCH, *CONFIRM)
    assert sorted(trial.seed or 0 for trial in trials if trial.state == "FAIL") == [2, 2, 2]
    (program.folder / "mended").touch()
    assert len(program.run(fails, *SEARCH, *CONFIRM)) == len(trials)
    again = program.run(fails, *SEARCH, *CONFIRM, "hydra.sweeper.retry_failed=true")
    assert len(again) == len(trials) + 3
    assert len({(t.arm, t.seed) for t in confirming(again) if t.state == "COMPLETE"}) == 12


def test_a_confirmation_of_which_every_run_of_a_setting_fails_is_a_failure(program: Program) -> None:
    def fails(config: DictConfig) -> float:
        if config.seed and config.x != 1.0:
            raise ValueError("only the default runs again")
        return job(config)

    with pytest.raises(
        RunsFailedError, match=r"every run failed of setting \d, setting \d: .*only the default"
    ):
        program.run(fails, *SEARCH, *CONFIRM)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hydra.sweeper.confirm=0"], r"hydra.sweeper.confirm=0: expected a whole number of at least 1"),
        (["hydra.sweeper.confirm=2", "hydra.sweeper.confirm_seeds=[0,1]"], "the search chooses by seed 0"),
        (["hydra.sweeper.confirm=2", "hydra.sweeper.confirm_seeds=[1,1]"], "a seed is listed twice"),
        (["hydra.sweeper.confirm=2", "seed=1,2"], "seed is searched"),
        (["hydra.sweeper.confirm=2", "hydra.sweeper.seed_key=sed"], "has no such key"),
        (
            ["hydra.sweeper.confirm=2", "hydra.sweeper.objective=[a,b]", "hydra.sweeper.direction=[max,min]"],
            "several objectives",
        ),
        (["+hydra.sweeper.confrim=2"], "did you mean hydra.sweeper.confirm?"),
    ],
)
def test_a_mistake_is_named_before_any_run(program: Program, words: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said) if "?" in said else said):
        program.run(job, *SEARCH, *words)
    assert program.seen == []


@pytest.mark.slow
def test_killed_in_the_middle_of_the_confirmation_every_run_is_there_once(tmp_path: Path) -> None:
    words = [
        "optimizer.lr=interval(0.0,1.0)",
        *("trainer.seconds=0.05", "hydra.sweeper.max_deaths=50", "hydra.sweeper.workers=2"),
        *("hydra.sweeper.confirm=2", "hydra.sweeper.confirm_seeds=3"),
    ]
    process = start(tmp_path, *words)
    deadline = time.monotonic() + 300
    begun = False
    while not begun:
        assert time.monotonic() < deadline, output(tmp_path)[-3000:]
        time.sleep(0.05)
        with suppress(DataError):  # no study yet
            begun = bool(confirming(load_trials(tmp_path / "sweep")))
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    trials = finish(tmp_path, *words)
    assert len(searched(trials)) == 4
    assert len(cells(trials)) == len(set(cells(trials))) == 9
    for trial in trials:
        assert trial.state == "COMPLETE"
        assert sorted(set(epochs(trial))) == [0, 1, 2, 3]
    assert "Traceback" not in output(tmp_path)
