"""One row of the ablation table for each arm: what is counted, what is inferred, and the verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fer_lightning.config.objective import Objective
from fer_lightning.stats.aligned import aligned_correctness
from fer_lightning.stats.paired import PairedEffect
from fer_lightning.stats.power import Spread, detectable, seeds_needed, spread_of
from fer_lightning.stats.records import ArmRun
from fer_lightning.stats.rules import Rules
from fer_lightning.stats.verdict import BASELINE, holm, mcnemar_p, verdict


@dataclass(frozen=True)
class Counts:
    """What is counted of an arm's runs; only complete runs enter the first five.

    Attributes
    ----------
    levels : factor → level
    seeds : of the complete runs
    mean, sd : of the metric over them (mean NaN without runs, sd NaN with one)
    seconds : their mean time, NaN if unknown
    n_pruned, n_failed, n_unfinished : runs that are left out of the inference
    failures : the distinct reasons of the failed runs
    """

    levels: dict[str, str]
    seeds: tuple[int, ...]
    mean: float
    sd: float
    seconds: float
    n_pruned: int
    n_failed: int
    n_unfinished: int
    failures: tuple[str, ...]


@dataclass(frozen=True)
class ArmSummary(Counts):
    """One row of the table. Shares are fractions, times are seconds.

    Attributes
    ----------
    arm : name
    effect : paired difference from the baseline; None for the baseline and where no seed is common
    p_holm : p-value corrected over the arms that are tested; NaN where the arm is not
    mcnemar : exact McNemar p-value, Holm-corrected over such arms, where one seed is common; else NaN. It
        speaks of the two trained models only.
    verdict : "better", "worse", "no difference found", "not enough seeds", "no spread between seeds" or
        "baseline"
    seeds_needed : seeds in all that would call the rules' smallest effect; None where 200 do not, or it has none
    """

    arm: str
    effect: PairedEffect | None
    p_holm: float
    mcnemar: float
    verdict: str
    seeds_needed: int | None


def count_runs(runs: Sequence[ArmRun], complete: Mapping[int, ArmRun]) -> Counts:
    """Count the runs of one arm; `complete` are its complete ones by seed."""
    values = np.array([run.value for run in complete.values()], dtype=np.float64)
    seconds = [run.seconds / max(1, len(run.parts)) for run in complete.values() if run.seconds is not None]
    left_out = [run for run in runs if not run.complete]
    # A run that "completed" without a finite value has failed, whatever its state says.
    failed = [run for run in left_out if run.state in ("FAIL", "COMPLETE")]
    reasons = (run.reason or ("no finite value" if run.state == "COMPLETE" else None) for run in failed)
    states = Counter(run.state for run in left_out)
    return Counts(
        levels=dict(runs[0].levels),
        seeds=tuple(complete),
        mean=float(values.mean()) if values.size else math.nan,
        sd=float(values.std(ddof=1)) if values.size > 1 else math.nan,
        seconds=float(np.mean(seconds)) if seconds else math.nan,
        n_pruned=states["PRUNED"],
        n_failed=len(failed),
        n_unfinished=len(left_out) - states["PRUNED"] - len(failed),
        failures=tuple(dict.fromkeys(reason for reason in reasons if reason)),
    )


def seeds_to_call(spread: Spread | None, size: float | None, rules: Rules, n_arms: int) -> int | None:
    """Seeds for one difference of a given size to be called among `n_arms` arms.

    Asked at the strictest of Holm's levels, so that it holds whichever of the arms it is.
    """
    if spread is None or size is None:
        return None
    return seeds_needed(
        spread,
        size,
        alpha=rules.alpha / max(n_arms, 1),
        target=rules.power,
        min_seeds=rules.min_seeds,
    )


def smallest_called(spread: Spread | None, effects: Sequence[PairedEffect], rules: Rules) -> float | None:
    """Smallest true difference that the seeds of the fullest arm call, one of as many arms as there are effects."""
    n_seeds = max((len(effect.seeds) for effect in effects), default=0)
    if spread is None or n_seeds * spread.folds < 2:
        return None
    return detectable(spread, n_seeds, alpha=rules.alpha / len(effects), target=rules.power)


def _single_run_p(
    arm: Mapping[int, ArmRun], base: Mapping[int, ArmRun], effect: PairedEffect | None
) -> float:
    if effect is None or effect.n_runs != 1 or not effect.n_images:
        return math.nan
    seed = effect.seeds[0]
    table, _ = aligned_correctness([arm[seed], base[seed]])
    return math.nan if table is None else mcnemar_p(table[0] > 0, table[1] > 0)


def summarize_arms(
    runs: Sequence[ArmRun],
    baseline: str,
    done: Mapping[str, Mapping[int, ArmRun]],
    effects: Mapping[str, PairedEffect | None],
    rules: Rules,
    objective: Objective,
) -> list[ArmSummary]:
    """One row an arm, in the order of `done` (complete runs by arm and seed)."""
    tested = {
        name: effect.p if effect is not None and effect.n_runs >= rules.min_seeds else math.nan
        for name, effect in effects.items()
    }
    single = {name: _single_run_p(done[name], done[baseline], effect) for name, effect in effects.items()}
    p_holm = dict(zip(tested, holm(list(tested.values())), strict=True))
    p_single = dict(zip(single, holm(list(single.values())), strict=True))
    rows, size = [], rules.smallest_of(objective)
    for name, complete in done.items():
        effect = effects.get(name)
        word = (
            BASELINE
            if name == baseline
            else verdict(effect, p_holm[name], rules, higher_is_better=objective.higher_is_better)
        )
        rows.append(
            ArmSummary(
                **vars(count_runs([run for run in runs if run.arm == name], complete)),
                arm=name,
                effect=effect,
                p_holm=p_holm.get(name, math.nan),
                mcnemar=p_single.get(name, math.nan),
                verdict=word,
                seeds_needed=seeds_to_call(spread_of([effect]), size, rules, len(effects))
                if effect
                else None,
            )
        )
    return rows
