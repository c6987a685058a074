"""What a report ends with: a search's verdicts in sentences, the winner's curse, and the commands for what is open."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fer_lightning.config.objective import Objective
from fer_lightning.report.confirmation_text import confirmation_sentences, curse_lines
from fer_lightning.report.markdown import to_markdown
from fer_lightning.report.text import to_text
from fer_lightning.report.what_next import (
    Step,
    ablation_steps,
    search_steps,
    steps_markdown,
    steps_text,
    with_key,
)
from fer_lightning.runs.run import Run
from fer_lightning.stats.ablation import ablation_report
from fer_lightning.stats.records import ArmRun
from fer_lightning.stats.winners_curse import Confirmed, claims_of
from fer_lightning.sweeps.study.results import Trial
from frozen_trials import frozen_trial

SEARCH = "python -m fer_lightning +experiment=search hydra.sweeper.confirm=3"
ABLATION = "python -m fer_lightning +experiment=ablation 'seeds=[0,1,2]'"
DEFAULT = (0.60, 0.61, 0.59, 0.60, 0.61)


def confirmed(
    *,
    objective: Objective | None = None,
    claimed: Mapping[str, float] | None = None,
    **arms: tuple[float, ...],
) -> Confirmed:
    values = {"default": DEFAULT} | {arm.replace("_", " "): given for arm, given in arms.items()}
    runs = [
        ArmRun(arm, seed, value=value, seconds=1.0)
        for arm, given in values.items()
        for seed, value in enumerate(given, start=1)
    ]
    report = ablation_report(runs, "default", objective)
    return Confirmed(report, claims_of(report, list((claimed or {}).items())))


def sentence(found: Confirmed) -> str:
    return confirmation_sentences(found)[0][1]


def test_each_verdict_has_its_sentence() -> None:
    better = confirmed(
        setting_17=tuple(
            value + gain for value, gain in zip(DEFAULT, (0.04, 0.05, 0.05, 0.06, 0.05), strict=True)
        )
    )
    assert sentence(better).startswith("Setting 17 is better than the default by +5.00 [+4.")
    assert sentence(better).endswith("] points, over 5 seeds.")
    worse = confirmed(
        setting_3=tuple(
            value - gain for value, gain in zip(DEFAULT, (0.04, 0.05, 0.05, 0.06, 0.05), strict=True)
        )
    )
    assert sentence(worse).startswith("Setting 3 is worse than the default by -5.00 [")
    open_ = confirmed(
        setting_4=tuple(
            value + gain for value, gain in zip(DEFAULT, (0.04, -0.05, 0.05, -0.06, 0.03), strict=True)
        )
    )
    assert sentence(open_).startswith("No difference found between setting 4 and the default: +0.20 [")
    few = confirmed(setting_5=(0.7, 0.7))
    assert (
        sentence(few)
        == "Not enough seeds to judge setting 5: 2 in common with the default, of 3 that it takes."
    )
    same = confirmed(setting_6=tuple(value + 0.125 for value in (0.5,) * 5), default=(0.5,) * 5)
    assert sentence(same).startswith(
        "Every seed gives the same difference between setting 6 and the default: +12.50"
    )


def test_the_winners_curse_is_the_claim_against_the_mean_of_new_seeds() -> None:
    found = confirmed(
        claimed={"setting 1": 0.70, "setting 2": 0.66, "setting 9": 0.9},
        setting_1=(0.66, 0.67, 0.68, 0.67, 0.67),
        setting_2=(0.67, 0.67, 0.67, 0.68, 0.66),
    )
    assert [claim.arm for claim in found.claims] == ["setting 1", "setting 2"]
    assert found.mean_too_good == pytest.approx((0.03 - 0.01) / 2)
    first, second, mean = curse_lines(found)
    assert "The search claimed 70.00 % for setting 1 in one run; over 5 new seeds it is 67.00 ± 0.71" in first
    assert first.endswith(", 3.00 points worse than claimed.")
    assert second.endswith(", 1.00 points better than claimed.")
    assert mean.endswith("were 1.00 points better than what was confirmed.")


def test_where_less_is_better_a_low_claim_was_too_good() -> None:
    loss = Objective("val/loss", higher_is_better=False, unit="")
    found = confirmed(objective=loss, claimed={"setting 1": 0.40}, setting_1=(0.5, 0.51, 0.49, 0.5, 0.5))
    assert found.mean_too_good == pytest.approx(0.1)
    assert sentence(found).startswith("Setting 1 is better than the default by -0.1")
    assert curse_lines(found)[0].endswith("0.1000 worse than claimed.")


def trials(*states: str, **attrs: Any) -> list[Trial]:
    return [
        Trial(frozen_trial(number, state, 0.5 if state == "COMPLETE" else None, **attrs))
        for number, state in enumerate(states)
    ]


def commands(steps: list[Step]) -> list[list[str]]:
    return [shlex.split(step.command) for step in steps]


def test_a_key_is_set_once() -> None:
    assert with_key("run a.b=1 'c=[1,2]' +c=3", "c", "[4,5]") == "run a.b=1 'c=[4,5]'"


def test_a_search_is_to_be_confirmed_and_then_given_more_seeds() -> None:
    plain = "python program.py -m hydra.sweeper.n_trials=9"
    (step,) = search_steps(trials("COMPLETE"), None, plain, "studies/s")
    assert step.command == f"{plain} hydra.sweeper.confirm=3"
    undecided = confirmed(setting_4=(0.64, 0.56, 0.64, 0.54, 0.64))
    (step,) = search_steps(trials("COMPLETE"), undecided, SEARCH, "studies/s")
    *same, last = shlex.split(step.command)
    assert same == shlex.split(SEARCH)
    key, _, value = last.partition("=")
    seeds = [int(seed) for seed in value.strip("[]").split(",")]
    assert key == "hydra.sweeper.confirm_seeds"
    assert seeds == list(range(1, len(seeds) + 1))
    assert len(seeds) > 5
    assert step.purpose == f"To confirm over {len(seeds)} seeds"
    assert search_steps(trials("COMPLETE"), None, None, "studies/s") == []


def test_the_best_setting_is_offered_as_an_experiment_unless_it_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: 0")
    (tmp_path / "run.json").write_text('{"status": "done"}')
    own = [Trial(frozen_trial(0, value=0.5), run=Run(tmp_path))]
    better = confirmed(setting_4=tuple(value + 0.01 for value in DEFAULT))
    worse = confirmed(setting_4=tuple(value - 0.01 for value in DEFAULT))
    purposes = [
        [step.purpose for step in search_steps(own, found, None, "studies/my s")]
        for found in (None, better, worse)
    ]
    assert purposes == [
        ["To write the best setting, which is not confirmed, as an experiment"],
        ["To write setting 4 as an experiment"],
        [],
    ]
    (step,) = search_steps(own, better, None, "studies/my s")
    assert step.command == "python -m fer_lightning report 'studies/my s' experiment=best.yaml"


def test_what_is_missing_and_what_failed_comes_first() -> None:
    steps = search_steps(
        trials("COMPLETE", "WAITING", "FAIL", arm="setting 1", seed=1), None, SEARCH, "studies/s"
    )
    assert commands(steps)[:2] == [
        shlex.split(SEARCH),
        [*shlex.split(SEARCH), "hydra.sweeper.retry_failed=true"],
    ]
    assert "1 run is missing" in steps[0].purpose


def test_an_ablation_is_given_seeds_and_tuned_arms_once_in_all_its_outputs() -> None:
    runs = [
        ArmRun(arm, seed, value=value, seconds=1.0)
        for arm, given in {"base": (0.6, 0.61, 0.59), "other": (0.601, 0.607, 0.592)}.items()
        for seed, value in enumerate(given)
    ]
    report = ablation_report(runs, "base", command=ABLATION)
    steps = ablation_steps(report, [], ABLATION, "studies/a")
    seeds, tuning = commands(steps)
    assert seeds[:-1] == shlex.split(ABLATION)[:-1]
    assert seeds[-1].startswith("seeds=[0,1,2,3,")
    assert tuning == [*shlex.split(ABLATION), "ablation/tuning=small"]
    text, markdown = to_text(report, steps=steps), to_markdown(report, steps)
    for whole in (text, markdown):
        assert whole.count(steps[0].command) == 1
        assert whole.index("What next") < whole.index(steps[0].command)
    assert text.endswith(f"  {steps[1].command}\n")
    # Another program has no group of that name.
    foreign = ablation_report(runs, "base", command="python program.py -m")
    assert len(ablation_steps(foreign, [], "python program.py -m", "studies/a")) == 1


def test_nothing_is_said_where_nothing_is_next() -> None:
    assert steps_text([]) == steps_markdown([]) == ""
