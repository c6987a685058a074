"""Runs on the folds of a cross-validation: joined to one run of their seed, and the test where there are no logits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from fer_lightning.stats.records import ArmRun


def out_of_fold(parts: Sequence[ArmRun], n_folds: int) -> ArmRun:
    """Join an arm's runs of one seed on the folds of a cross-validation: every face is judged by the run without it.

    The value is the mean over the faces, or over the folds where logits are missing. The joined run is complete when
    all of its folds are; else its state is that of the first one that is not.

    Parameters
    ----------
    parts : by fold, as many as have been begun
    n_folds : of the cross-validation
    """
    first = parts[0]
    missing = next((part for part in parts if not part.complete), None)
    seconds = [part.seconds for part in parts if part.seconds is not None]
    state, reason = ("COMPLETE", None) if missing is None else (missing.state, missing.reason)
    complete = missing is None and len(parts) == n_folds
    value = None
    if complete:
        sizes = [len(part.predictions.labels) for part in parts if part.predictions is not None]
        weights = sizes if len(sizes) == len(parts) else None
        value = float(np.average([part.value or 0.0 for part in parts], weights=weights))
    return ArmRun(
        first.arm,
        first.seed,
        state=state if complete or missing is not None else "WAITING",
        levels=first.levels,
        value=value,
        seconds=sum(seconds) if seconds else None,
        reason=reason,
        parts=tuple(parts),
    )


def aligned_folds(runs: Sequence[ArmRun]) -> tuple[np.ndarray | None, str | None]:
    """Say which fold judged each image in the runs of each seed, int [S, N] with images in one common order.

    Parameters
    ----------
    runs : the arm's seeds, then the baseline's, whose correctness `aligned_correctness` could align

    Returns
    -------
    The table, or None and the reason why there is none.
    """
    rows = []
    for run in runs:
        sizes = [len(part.predictions.labels) for part in run.parts if part.predictions is not None]
        folds, predictions = np.repeat(np.arange(len(sizes)), sizes), run.predictions
        assert predictions is not None
        if predictions.ids is not None:
            folds = folds[np.argsort(predictions.ids, kind="stable")]
        rows.append(folds)
    half = len(rows) // 2
    if not all(np.array_equal(one, other) for one, other in zip(rows[:half], rows[half:], strict=True)):
        return None, "the arm and the baseline were validated on other folds"
    return np.stack(rows[:half]), None


def fold_differences(runs: Sequence[ArmRun]) -> np.ndarray:
    """Arm minus baseline in each fold of each seed, [S, K]; `runs` are the arm's seeds, then the baseline's."""
    values = np.array([[part.value for part in run.parts] for run in runs], dtype=np.float64)
    return np.asarray(values[: len(runs) // 2] - values[len(runs) // 2 :])


def corrected_t(differences: np.ndarray, confidence: float = 0.95) -> tuple[float, float, float]:
    """Interval and p-value of the mean difference over repeats and folds: the corrected resampled t-test.

    The runs share most of their training images, so their spread is too small for what another data set would give; the
    variance of their mean is taken for ``(1/(S K) + 1/(K - 1))`` of theirs, as many images being tested on as are
    trained on, to one (Nadeau & Bengio 2003, https://doi.org/10.1023/A:1024068626366).

    Parameters
    ----------
    differences : [S, K]

    Returns
    -------
    Both ends and the two-sided p-value; NaN where all differences are the same and not zero.
    """
    n_folds, mean = differences.shape[1], float(differences.mean())
    error = math.sqrt(differences.var(ddof=1) * (1 / differences.size + 1 / (n_folds - 1)))
    if error <= 1e-12 * abs(mean):  # but for rounding
        return (0.0, 0.0, 1.0) if mean == 0 else (math.nan, math.nan, math.nan)
    df = differences.size - 1
    half = float(stats.t.ppf((1 + confidence) / 2, df)) * error
    return mean - half, mean + half, float(2 * stats.t.sf(abs(mean) / error, df))
