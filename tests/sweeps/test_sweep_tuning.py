"""Tuning each arm of a plan: the points, the choice, and the study that runs them."""

from __future__ import annotations

import dataclasses
import json
import math
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc

from fer_lightning.config.objective import Objective
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.report.text import to_text
from fer_lightning.runs.run import Run
from fer_lightning.study.arms import arm_runs, tuned_runs
from fer_lightning.study.verdicts import judge
from fer_lightning.sweeps.plan.parse_plan import parse_plan
from fer_lightning.sweeps.plan.plan import Plan
from fer_lightning.sweeps.plan.tuning import choose, value_at
from fer_lightning.sweeps.space.parse_space import parse_parameter
from fer_lightning.sweeps.study.results import Trial, load_study, load_trials
from frozen_trials import frozen_trial
from sweep_runner import PLAN, epochs, finish, output, run_here, start

FACTORS: dict[str, Any] = {
    "activation": {"key": "model.activation", "levels": ["selu"], "baseline": "relu"},
    "dropout": {"key": "model.dropout", "levels": [0.0], "baseline": 0.2},
    "net": {"levels": {"deep": ["model.layers=[8]", "optimizer.lr=0.01"], "flat": []}, "baseline": "flat"},
}
LR = {"key": "optimizer.lr", "type": "float", "low": 0.001, "high": 1.0, "log": True}
DROPOUT = {"key": "model.dropout", "type": "float", "low": 0.0, "high": 0.5}
NODE: dict[str, Any] = {"n_trials": 4, "seed": 1000, "parameters": {"lr": LR, "dropout": DROPOUT}}


def plan(node: Any = NODE, seeds: tuple[int, ...] = (0, 1)) -> Plan:
    return parse_plan({"factors": FACTORS, "tuning": node}, seeds)


def test_points_are_the_first_of_a_scrambled_sobol_sequence_over_the_ranges() -> None:
    tuning = plan().tuning
    assert tuning is not None
    drawn = qmc.Sobol(2, scramble=True, rng=1000).random_base2(2)[:3]
    assert len(tuning.points) == 3
    for point, (u, v) in zip(tuning.points, drawn, strict=True):
        assert point["lr"] == pytest.approx(0.001 * 1000**u, rel=0.006)
        assert point["dropout"] == pytest.approx(0.5 * v, rel=0.006)
    assert plan().tuning == tuning
    assert dataclasses.replace(tuning, seed=1001).points != tuning.points


def test_every_arm_tries_the_same_points_beside_its_own_settings() -> None:
    made = plan()
    tuning = made.tuning
    assert tuning is not None
    by_arm: dict[str, list[Any]] = {}
    for cell in made.tuning_trials:
        assert (cell.seed, cell.stage) == (1000, "tuning")
        by_arm.setdefault(cell.arm.name, []).append(cell)
    assert {name: len(cells) for name, cells in by_arm.items()} == dict.fromkeys(
        ("baseline", "activation=selu", "dropout=0.0", "net=deep"), 4
    )
    for name, tuned in (("baseline", ["lr", "dropout"]), ("dropout=0.0", ["lr"]), ("net=deep", ["dropout"])):
        own, *others = by_arm[name]
        assert (own.point, own.drawn, own.changes) == (0, {}, ())
        assert own.overrides == [*own.arm.overrides, "seed=1000"]
        assert [dict(c.settings) for c in others] == [{k: p[k] for k in tuned} for p in tuning.points]
    # What makes the arm stays; what it only has in common with the baseline is replaced.
    assert "model.dropout=0.0" in by_arm["dropout=0.0"][2].overrides
    assert "optimizer.lr=0.01" in by_arm["net=deep"][2].overrides
    assert [t for t in by_arm["baseline"][2].overrides if t.startswith("model.dropout")] == [
        f"model.dropout={tuning.points[1]['dropout']!r}"
    ]


def test_a_tuned_arm_runs_under_every_seed_and_one_with_its_own_settings_not_again() -> None:
    made = plan()
    arm = made.arms[1]
    cells = made.tuned_trials(arm, 3)
    assert [(c.seed, c.stage, c.overrides[-1]) for c in cells] == [
        (0, "tuned", "seed=0"), (1, "tuned", "seed=1"),
    ]  # fmt: skip
    assert made.tuning is not None
    assert dict(cells[0].settings) == made.tuning.points[2]
    assert cells[0].params == {
        "activation": "selu", "dropout": 0.2, "net": "flat", "seed": 0,
        "tuning.lr": made.tuning.points[2]["lr"], "tuning.dropout": made.tuning.points[2]["dropout"],
    }  # fmt: skip
    assert made.tuned_trials(arm, 0) == []
    assert made.size == 4 * 2 + 4 * 4 + 4 * 2
    assert len({cell.key for cell in (*made.plain_trials, *made.tuning_trials, *cells)}) == 8 + 16 + 2


def test_an_arm_that_sets_every_tuned_key_is_not_tuned_and_equal_points_run_once() -> None:
    made = plan({**NODE, "parameters": {"dropout": {"key": "model.dropout", "choices": [0.1, 0.4]}}})
    assert not [cell for cell in made.tuning_trials if cell.arm.name == "dropout=0.0"]
    found = [dict(c.settings) for c in made.tuning_trials if c.arm.name == "baseline"]
    assert sorted(found[1:], key=repr) == [{"dropout": 0.1}, {"dropout": 0.4}]
    assert made.size == 8 + 3 * 3 + 3 * 2


@given(st.floats(0, 1, exclude_max=True))
def test_values_lie_in_their_range_and_shares_are_spread_evenly(share: float) -> None:
    log = parse_parameter("lr", LR)
    assert 0.001 <= value_at(log, share) <= 1.0
    assert math.log10(value_at(log, share)) == pytest.approx(3 * share - 3, abs=0.003)
    ints = parse_parameter("n", {"type": "int", "low": 2, "high": 5})
    assert value_at(ints, share) == 2 + int(4 * share)
    steps = parse_parameter("x", {"type": "float", "low": 0.0, "high": 1.0, "step": 0.5})
    assert value_at(steps, share) == [0.0, 0.5, 1.0][int(3 * share)]
    words = parse_parameter("c", {"choices": ["a", "b"]})
    assert value_at(words, share) == "ab"[int(2 * share)]
    many = parse_parameter("n", {"type": "int", "low": 1, "high": 1000, "log": True})
    assert value_at(many, share) == round(1000**share)


STATES = st.sampled_from(["COMPLETE", "FAIL", "PRUNED"])


@settings(deadline=None)
@given(st.lists(st.tuples(STATES, st.sampled_from([0.1, 0.2, 0.3, math.nan])), min_size=1, max_size=6))
def test_the_best_complete_point_is_chosen_and_the_first_of_equals(results: list[tuple[str, float]]) -> None:
    tries = [(point, state, value) for point, (state, value) in enumerate(results)]
    done = {point: value for point, state, value in tries if state == "COMPLETE" and not math.isnan(value)}
    best = choose(reversed(tries), maximize=True)
    if done:
        assert best == min(point for point in done if done[point] == max(done.values()))
        least = choose(tries, maximize=False)
        assert least == min(point for point in done if done[point] == min(done.values()))
    else:
        assert best == 0
    for state in ("RUNNING", "WAITING"):
        assert choose([*tries, (9, state, None)], maximize=True) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_trials": 1}, r"ablation\.tuning\.n_trials=1: expected a whole number of at least 2"),
        ({"n_trials": True}, r"n_trials=true: expected a whole number"),
        ({"seed": 1}, r"ablation\.tuning\.seed=1: is one of seeds=\[0, 1\]"),
        ({"seed": None}, r"ablation\.tuning\.seed=null: expected a whole number from 0"),
        ({"trials": 3}, r"ablation\.tuning\.trials: no such key; did you mean ablation\.tuning\.n_trials"),
        ({"parameters": {}}, r"ablation\.tuning\.parameters=\{\}: expected at least one range"),
        ({"parameters": {"lr": {**LR, "low": 2.0}}}, r"ablation\.tuning\.parameters\.lr: "),
        ({"parameters": {"lr": {**LR, "when": {"a": 1}}}}, r"parameters\.lr\.when: a tuned parameter cannot"),
        ({"parameters": {"lr": LR, "rate": LR}}, r"parameters\.rate: optimizer\.lr is tuned twice"),
        ({"parameters": {"s": {**DROPOUT, "key": "seed"}}}, r"parameters\.s: the seed cannot be tuned"),
    ],
)
def test_a_wrong_tuning_is_named_in_one_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        plan({**NODE, **change})
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"ablation\.tuning=small: expected a mapping"):
        plan("small")


# The toy program is best at a learning rate of 0.3 and no dropout, and its own are 0.1 and 0.2. The arms are the
# baseline, selu, leaky_relu and flavour=rich.
TUNING = (
    "tuning:{n_trials:3,seed:1000,parameters:{"
    "lr:{key:optimizer.lr,type:float,low:0.0,high:1.0},drop:{key:model.dropout,type:float,low:0.1,high:0.4}}}"
)
TUNED_PLAN = PLAN[:-1] + f",{TUNING}}}"
ALL = ["seeds=[0,1]", "hydra.sweeper.n_trials=null"]
ARMS = ["baseline", "activation=selu", "activation=leaky_relu", "flavour=rich"]


def loss_of(settings: Any) -> float:
    """What the toy program's score loses by its settings."""
    return (settings["lr"] - 0.3) ** 2 + 0.1 * settings["drop"]


def by_stage(records: list[Trial], stage: str) -> list[Trial]:
    return [record for record in records if record.stage == stage]


def assert_tuned(records: list[Trial], seeds: list[int]) -> None:
    """Every cell once and complete, each arm compared at the best of its points."""
    assert {record.state for record in records} == {"COMPLETE"}
    tries = by_stage(records, "tuning")
    assert len(tries) == 12
    assert {record.seed for record in tries} == {1000}
    cells = [(r.stage, r.arm, r.seed, r.attrs["point"] if r.stage == "tuning" else 0) for r in records]
    assert len(set(cells)) == len(cells)
    for arm in ARMS:
        points = {r.attrs["point"]: r.attrs["settings"] for r in tries if r.arm == arm}
        assert points[0] == {"lr": 0.1, "drop": 0.2}
        best = min(points, key=lambda point: loss_of(points[point]))
        tuned = [r for r in by_stage(records, "tuned") if r.arm == arm]
        assert sorted(r.seed for r in tuned if r.seed is not None) == ([] if best == 0 else seeds)
        plain = {r.seed: r.value for r in by_stage(records, "plain") if r.arm == arm}
        assert sorted(plain) == seeds
        for record in tuned:
            assert record.attrs["settings"] == points[best]
            gain = loss_of(points[0]) - loss_of(points[best])
            assert record.value == pytest.approx(plain[record.seed] + gain)


@pytest.fixture
def sweep(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):  # type: ignore[no-untyped-def]
    return partial(run_here, monkeypatch, tmp_path)


def test_tuning_is_added_to_a_study_and_seeds_to_both(sweep, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    plain = sweep(PLAN, *ALL)
    assert len(plain) == 8
    records = sweep(TUNED_PLAN, *ALL)
    assert records[:8] == plain
    assert_tuned(records, [0, 1])
    # The second of the three points (learning rate 0.2…0.5) is better than the arms' own: nothing is left to chance.
    assert by_stage(records, "tuned")
    assert sweep(TUNED_PLAN, *ALL) == records
    more = sweep(TUNED_PLAN, "seeds=[0,1,2]", "hydra.sweeper.n_trials=null")
    assert more[: len(records)] == records
    assert_tuned(more, [0, 1, 2])
    with pytest.raises(ConfigError, match=r"exists with ablation\.tuning\.n_trials=3, this command has .*=4"):
        sweep(TUNED_PLAN.replace("n_trials:3", "n_trials:4"), *ALL)
    assert load_trials(tmp_path / "sweep") == more
    assert load_study(tmp_path / "sweep").user_attrs["tuning"]["seed"] == 1000


def test_the_runs_of_both_tables(sweep) -> None:  # type: ignore[no-untyped-def]
    records = sweep(TUNED_PLAN.replace("low:0.0,high:1.0", "low:0.2,high:0.4"), *ALL)
    assert [(r.arm, r.seed) for r in arm_runs(records)] == [(a, s) for s in (0, 1) for a in ARMS]
    found = tuned_runs(records)
    assert found is not None
    runs, part = found
    assert [(r.arm, r.seed, r.state) for r in runs] == [(a, s, "COMPLETE") for s in (0, 1) for a in ARMS]
    assert (part.seed, part.parameters) == (1000, ("lr", "drop"))
    assert part.unchanged == ()
    for arm in part.arms:
        assert (arm.n_complete, arm.n_pruned, arm.n_failed, arm.n_unfinished) == (3, 0, 0, 0)
        assert arm.value is not None
        assert arm.own_value is not None
        assert arm.value - arm.own_value == pytest.approx(0.04 + 0.02 - loss_of(arm.settings))
        for run in runs:
            if run.arm == arm.arm:
                plain = next(r for r in arm_runs(records) if (r.arm, r.seed) == (run.arm, run.seed))
                assert run.value - plain.value == pytest.approx(arm.value - arm.own_value)
                assert run.levels == plain.levels
    assert tuned_runs(by_stage(records, "plain")) is None


def test_an_arm_whose_own_settings_are_best_is_not_run_again(sweep) -> None:  # type: ignore[no-untyped-def]
    records = sweep(TUNED_PLAN.replace("low:0.0,high:1.0", "low:0.8,high:0.9"), *ALL)
    assert by_stage(records, "tuned") == []
    assert len(records) == 8 + 12
    runs, part = tuned_runs(records) or ([], None)
    assert part is not None
    assert list(part.unchanged) == ARMS
    assert [(r.arm, r.seed, r.value) for r in runs] == [(r.arm, r.seed, r.value) for r in arm_runs(records)]


def test_failed_tries_are_counted_and_not_chosen(sweep) -> None:  # type: ignore[no-untyped-def]
    records = sweep(
        TUNED_PLAN, *ALL, "trouble=no_number", "hydra.sweeper.retry_failed=true", fails="of activation=selu"
    )
    tries = [r for r in by_stage(records, "tuning") if r.arm == "activation=selu"]
    assert [r.state for r in tries] == ["FAIL"] * 3
    _, part = tuned_runs(records) or ([], None)
    assert part is not None
    selu = part.arm("activation=selu")
    assert (selu.point, selu.n_complete, selu.n_failed, selu.value) == (0, 0, 3, None)
    assert selu.failures == ("objective val/acc is nan",)
    assert not [r for r in by_stage(records, "tuned") if r.arm == "activation=selu"]
    assert [r for r in by_stage(records, "tuned") if r.arm == "baseline"]
    # What is asked to be tried again is the comparison, not the choice.
    again = sweep(
        TUNED_PLAN, *ALL, "trouble=no_number", "hydra.sweeper.retry_failed=true", fails="of activation=selu"
    )
    assert [(r.stage, r.arm) for r in again[len(records) :]] == [("plain", "activation=selu")] * 2


def test_a_budget_ends_in_the_middle_and_the_rest_is_unfinished(sweep) -> None:  # type: ignore[no-untyped-def]
    records = sweep(TUNED_PLAN, "seeds=[0,1]", "hydra.sweeper.n_trials=17")
    assert [r.state for r in records].count("COMPLETE") == 17
    runs, part = tuned_runs(records) or ([], None)
    assert part is not None
    # Point by point: the third point of the baseline has run and no other arm's.
    assert [arm.n_unfinished for arm in part.arms] == [0, 1, 1, 1]
    assert [arm.point is None for arm in part.arms] == [False, True, True, True]
    assert {r.state for r in runs if r.arm == "activation=selu"} == {"WAITING"}
    assert_tuned(sweep(TUNED_PLAN, *ALL), [0, 1])


def test_the_command_to_add_seeds_is_the_one_that_tunes(tmp_path: Path) -> None:
    def record(number: int, arm: str, seed: int, value: float, command: str, **attrs: Any) -> Trial:
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps({"command": command, "metric": "val/acc", "mode": "max"}))
        attrs |= {"arm": arm, "seed": seed, "seconds": 1.0}
        frozen = frozen_trial(number, value=value, params={"activation": arm, "seed": seed}, **attrs)
        return Trial(frozen, Run(folder))

    plain = [record(n, arm, 0, 0.5, "run seeds=[0]") for n, arm in enumerate(("relu", "selu"))]
    assert judge(plain, Objective()).command == "run seeds=[0]"
    assert judge(plain, Objective()).tuned is None
    tuning = {"stage": "tuning", "settings": {"lr": 0.1}}
    tries = [
        record(2 + n, arm, 9, 0.4 + 0.1 * n * point, "run tune seeds=[0]", point=point, **tuning)
        for n, (arm, point) in enumerate([("relu", 0), ("selu", 0), ("relu", 1), ("selu", 1)])
    ]
    tuned = [
        record(6 + n, a, 0, 0.6 + 0.1 * n, "run tune seeds=[0]", stage="tuned", point=1)
        for n, a in enumerate(("relu", "selu"))
    ]
    report = judge([*plain, *tries, *tuned], Objective())
    assert report.command == "run tune seeds=[0]"
    assert "  run tune 'seeds=[0,1,2]'" in to_text(report).splitlines()
    assert report.arm("selu").effect.mean == 0
    assert report.tuned.arm("selu").effect.mean == pytest.approx(0.1)
    assert report.total_seconds == 2.0
    assert report.tuned.tuning.seconds == 4.0


def test_a_tuned_key_that_an_arm_lacks_is_named(sweep) -> None:  # type: ignore[no-untyped-def]
    wrong = TUNED_PLAN.replace("key:optimizer.lr", "key:optimizer.rate")
    with pytest.raises(ConfigError, match=r"ablation\.tuning, arm baseline, cannot be composed: .*rate"):
        sweep(wrong, *ALL)


def done(folder: Path, stage: str) -> int:
    try:
        records = load_trials(folder / "sweep")
    except DataError:
        return 0
    return sum(r.stage == stage and r.state == "COMPLETE" for r in records)


def wait_for(folder: Path, stage: str) -> None:
    """Wait until a trial of the stage is complete."""
    deadline = time.monotonic() + 120
    while not done(folder, stage):
        assert time.monotonic() < deadline, output(folder)[-3000:]
        time.sleep(0.05)


@pytest.mark.slow
def test_two_workers_killed_in_the_middle_run_every_cell_exactly_once(tmp_path: Path) -> None:
    arguments = [TUNED_PLAN, *ALL, "trainer.seconds=0.05", "hydra.sweeper.max_deaths=50"]
    arguments += ["hydra.sweeper.workers=2"]
    for stage, signal_number in (("tuning", signal.SIGKILL), ("tuned", signal.SIGTERM)):
        process = start(tmp_path, *arguments)
        wait_for(tmp_path, stage)
        process.send_signal(signal_number)
        process.wait(timeout=60)
    records = finish(tmp_path, *arguments)
    assert_tuned(records, [0, 1])
    for record in records:
        assert sorted(set(epochs(record))) == [0, 1, 2, 3]
    assert "Traceback" not in output(tmp_path)
