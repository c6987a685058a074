"""What searches claimed of their best settings, and what new seeds confirmed: the winner's curse, measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from fer_lightning.config.objective import study_objective
from fer_lightning.stats.winners_curse import Confirmed
from fer_lightning.study.confirmed import judge_confirmation
from fer_lightning.sweeps.study.results import load_study, load_trials


def read_confirmed(folder: Path) -> Confirmed | None:
    """What a study's confirmation found; None where it has none."""
    return judge_confirmation(load_trials(folder), study_objective(load_study(folder)))


def claim_rows(found: Mapping[int, Confirmed]) -> list[dict[str, str | int]]:
    """The table: a row for each search's chosen settings, the search's best first. Values are fractions."""
    table: list[dict[str, str | int]] = []
    for seed, confirmed in found.items():
        arms = {row.arm: row for row in confirmed.report.arms}
        default = arms[confirmed.report.baseline]
        for claim in confirmed.claims:
            effect = arms[claim.arm].effect
            low, high = (math.nan, math.nan) if effect is None else (effect.low, effect.high)
            table.append(
                {
                    "seed": seed,
                    "setting": claim.arm,
                    "claimed": f"{claim.claimed:.4f}",
                    "seeds": claim.n_seeds,
                    "confirmed": f"{claim.confirmed:.4f}",
                    "too_good": f"{confirmed.too_good(claim):.4f}",
                    "default": f"{default.mean:.4f}",
                    "difference": f"{claim.confirmed - default.mean:.4f}",
                    "low": f"{low:.4f}",
                    "high": f"{high:.4f}",
                    "verdict": arms[claim.arm].verdict,
                }
            )
    return table


def mean_curse(found: Sequence[Confirmed], confidence: float = 0.95) -> tuple[float, float, float]:
    """By how much claims were too good: the mean over searches and its t interval (NaN for one search)."""
    each = np.array([value for confirmed in found if (value := confirmed.mean_too_good) is not None])
    mean, half = float(each.mean()), math.nan
    if len(each) > 1:
        scale = each.std(ddof=1) / math.sqrt(len(each))
        half = float(stats.t.ppf((1 + confidence) / 2, len(each) - 1) * scale)
    return mean, mean - half, mean + half
