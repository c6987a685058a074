"""From paired effects to words: Holm's correction over the arms, McNemar's test for single runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from fer_lightning.stats.paired import SAME_DIFFERENCE, PairedEffect
from fer_lightning.stats.rules import Rules

BETTER = "better"
WORSE = "worse"
NO_DIFFERENCE = "no difference found"
NOT_ENOUGH = "not enough seeds"
NO_SPREAD = "no spread between seeds"
BASELINE = "baseline"


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm-corrected p-values; NaNs (arms that are not tested) stay NaN and do not count."""
    p = np.asarray(p_values, dtype=np.float64)
    tested = ~np.isnan(p)
    corrected = np.full(p.shape, math.nan)
    if tested.any():
        corrected[tested] = multipletests(p[tested], method="holm")[1]
    return [float(x) for x in corrected]


def verdict(effect: PairedEffect | None, p_holm: float, rules: Rules, *, higher_is_better: bool) -> str:
    """The word for an arm, from its paired effect and its corrected p-value (NaN where it is not tested)."""
    if effect is None or effect.n_runs < rules.min_seeds:
        return NOT_ENOUGH
    if math.isnan(p_holm):
        return NO_SPREAD if effect.note == SAME_DIFFERENCE else NOT_ENOUGH
    if p_holm > rules.alpha or effect.mean == 0:
        return NO_DIFFERENCE
    return BETTER if (effect.mean > 0) == higher_is_better else WORSE


def mcnemar_p(arm_correct: np.ndarray, baseline_correct: np.ndarray) -> float:
    """Exact McNemar test of two trained models on the same images (bool [N] each).

    It speaks of these two models only: another seed would have given two others.
    """
    arm, base = np.asarray(arm_correct, bool), np.asarray(baseline_correct, bool)
    table = [
        [int((arm & base).sum()), int((arm & ~base).sum())],
        [int((~arm & base).sum()), int((~arm & ~base).sum())],
    ]
    return float(mcnemar(table, exact=True).pvalue)
