"""Several arms' errors in the slices in which one of them fails, and where an arm is better or worse there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from fer_lightning.runs.predictions import Predictions
from fer_lightning.stats.crossed import mean_squares, p_value
from fer_lightning.stats.slices import CONFIDENCE, ArmErrors, FaceSlices

FEWEST_SEEDS: Final = 3


def slice_arms(
    found: FaceSlices, arms: Mapping[str, Mapping[int, Predictions]], baseline: str
) -> tuple[ArmErrors, ...]:
    """Return each arm's errors in the slices that fail.

    An arm is called better or worse in a slice by the crossed analysis of seeds and images within it (see `crossed`),
    at Bonferroni's level for all slices of all arms: also those that do not fail, for which ones do was chosen by the
    baseline's errors on the same faces.

    Parameters
    ----------
    found
        The slices by the baseline's errors.
    arms
        Predictions by seed; those that are not of the slices' faces, in their order, are left out.
    """
    wrong = {name: _wrong(found, runs) for name, runs in arms.items()}
    wrong = {name: by_seed for name, by_seed in wrong.items() if by_seed}
    level = (1 - CONFIDENCE) / max(len(found.slices) * (len(wrong) - 1), 1)
    rows = []
    for name, by_seed in wrong.items():
        mean = np.mean(list(by_seed.values()), axis=0)
        errors, words = {}, {}
        for each in found.failing:
            chosen = found.group == each.number
            errors[each.number] = float(mean[chosen].mean())
            word = "" if name == baseline else _word(by_seed, wrong.get(baseline, {}), chosen, level)
            if word:
                words[each.number] = word
        rows.append(ArmErrors(name, len(by_seed), float(mean.mean()), errors, words))
    return tuple(rows)


def _wrong(found: FaceSlices, runs: Mapping[int, Predictions]) -> dict[int, np.ndarray]:
    """Return which of the slices' faces a run gets wrong, float ``[N]``, by seed."""
    return {
        seed: (~run.correct).astype(np.float64)
        for seed, run in runs.items()
        if run.ids is not None
        and np.array_equal(run.ids, found.ids)
        and np.array_equal(run.labels, found.labels)
    }


def _word(
    arm: Mapping[int, np.ndarray], baseline: Mapping[int, np.ndarray], chosen: np.ndarray, level: float
) -> str:
    seeds = sorted(set(arm) & set(baseline))
    if len(seeds) < FEWEST_SEEDS or chosen.sum() < 2:
        return ""
    squares = mean_squares(np.stack([arm[seed][chosen] - baseline[seed][chosen] for seed in seeds]))
    if not float(p_value(squares)) <= level:
        return ""
    return "worse" if float(squares.mean) > 0 else "better"
