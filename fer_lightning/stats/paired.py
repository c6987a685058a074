"""The difference of an arm from the baseline, paired by seed and by image, with its interval and p-value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from fer_lightning.stats.aligned import aligned_correctness
from fer_lightning.stats.bootstrap import hierarchical_bootstrap
from fer_lightning.stats.cross_validation import aligned_folds, corrected_t, fold_differences
from fer_lightning.stats.crossed import (
    MeanSquares,
    components,
    folded_mean_squares,
    interval_half_width,
    mean_squares,
    p_value,
)
from fer_lightning.stats.records import ArmRun

SEEDS_AND_IMAGES = "seeds and images"
SEEDS_ONLY = "seeds only"
_ROUNDING = 1e-12  # share of the values by which equal differences differ
SAME_DIFFERENCE = "every seed gives the same difference"


@dataclass(frozen=True)
class PairedEffect:
    """Arm minus baseline over the seeds that both completed. Shares are fractions (0.01 is one point).

    Attributes
    ----------
    arm : name
    seeds : the common seeds
    differences : arm minus baseline for each of them
    mean, sd : mean and standard deviation of the differences (sd is NaN for one seed)
    low, high : confidence interval; NaN with fewer than two seeds
    p : two-sided p-value of "no difference"; NaN with fewer than two seeds
    method : "seeds and images" (crossed random effects) or "seeds only" (paired t; no logits)
    seed_sd : spread of the difference between seeds beyond what the finite set of images makes
    image_sd : spread of the difference between images that all seeds share
    rest_sd : spread left over; NaN (and seed_sd = sd) where there are no logits
    n_images : images a run; 0 without logits
    bootstrap_low, bootstrap_high : percentiles of the hierarchical bootstrap, for comparison: with few
        seeds it is too wide or too narrow, see ``docs/statistics.md``; NaN without logits
    note : why the images could not be counted, or why there is no interval; None where there is nothing to say
    folds : runs a seed, on the folds of a cross-validation; 1 without one
    """

    arm: str
    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    mean: float
    sd: float
    method: str
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    seed_sd: float = math.nan
    image_sd: float = math.nan
    rest_sd: float = math.nan
    n_images: int = 0
    bootstrap_low: float = math.nan
    bootstrap_high: float = math.nan
    note: str | None = None
    folds: int = 1

    @property
    def n_runs(self) -> int:
        """Independent runs of each of the two arms."""
        return len(self.seeds) * self.folds


def paired_effect(
    arm: Mapping[int, ArmRun],
    baseline: Mapping[int, ArmRun],
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    use_logits: bool = True,
) -> PairedEffect | None:
    """Difference of an arm from the baseline over their common seeds.

    The estimand is the expected difference over new training seeds and new images of the same kind. The
    interval and the p-value come from the crossed random-effects analysis of the stored per-image results;
    where logits are missing, from scipy's paired t-test over seeds, which says nothing of other images. Under
    cross-validation new images are trained on, too: the analysis is that of the out-of-fold results, or without
    logits `corrected_t`.

    Parameters
    ----------
    arm, baseline : complete runs by seed (see :func:`~fer_lightning.stats.records.complete_by_seed`)
    confidence : of the interval
    n_resamples : resamples of the bootstrap shown beside the interval; 0 leaves it out
    use_logits : False where the metric is not the accuracy of the stored logits

    Returns
    -------
    None where the two have no seed in common.
    """
    seeds = tuple(sorted(set(arm) & set(baseline)))
    if not seeds:
        return None
    pairs = [arm[s] for s in seeds] + [baseline[s] for s in seeds]
    table, note = aligned_correctness(pairs) if use_logits else (None, None)
    name = arm[seeds[0]].arm
    if any(run.parts for run in pairs):
        return _from_folds(name, seeds, pairs, table, confidence, note)
    if table is None:
        values = np.array([run.value for run in pairs], dtype=np.float64)
        return _from_values(name, seeds, values[: len(seeds)], values[len(seeds) :], confidence, note)
    return _from_images(name, seeds, table[: len(seeds)] - table[len(seeds) :], confidence, n_resamples)


def _sd(differences: np.ndarray) -> float:
    return float(differences.std(ddof=1)) if differences.size > 1 else math.nan


def _from_values(
    name: str, seeds: tuple[int, ...], arm: np.ndarray, base: np.ndarray, confidence: float, note: str | None
) -> PairedEffect:
    differences = arm - base
    mean, sd = float(differences.mean()), _sd(differences)
    low = high = p = math.nan
    rounding = _ROUNDING * np.abs([arm, base]).max()
    if len(seeds) > 1 and sd > rounding:
        result = stats.ttest_rel(arm, base)
        bounds = result.confidence_interval(confidence)
        low, high, p = float(bounds.low), float(bounds.high), float(result.pvalue)
    elif len(seeds) > 1 and abs(mean) <= rounding:
        low, high, p = 0.0, 0.0, 1.0
    elif len(seeds) > 1:
        # Equal differences other than zero: the values are too coarse to show the spread there must be.
        note = SAME_DIFFERENCE
    return PairedEffect(
        arm=name,
        seeds=seeds,
        differences=tuple(map(float, differences)),
        mean=mean,
        sd=sd,
        method=SEEDS_ONLY,
        low=low,
        high=high,
        p=p,
        seed_sd=sd,
        note=note,
    )


def _from_folds(
    name: str,
    seeds: tuple[int, ...],
    pairs: list[ArmRun],
    table: np.ndarray | None,
    confidence: float,
    note: str | None,
) -> PairedEffect:
    """Difference under cross-validation; `pairs` are the arm's seeds, then the baseline's, each with all its folds."""
    if table is not None:
        folds, reason = aligned_folds(pairs)
        if folds is not None:
            differences = table[: len(seeds)] - table[len(seeds) :]
            return _crossed(name, seeds, differences, folded_mean_squares(differences, folds), confidence)
        note = reason
    by_fold = fold_differences(pairs)
    n_folds, sd = by_fold.shape[1], float(by_fold.std(ddof=1))
    low, high, p = corrected_t(by_fold, confidence)
    if math.isnan(p):
        note = SAME_DIFFERENCE
    return PairedEffect(
        arm=name,
        seeds=seeds,
        differences=tuple(map(float, by_fold.mean(axis=1))),
        mean=float(by_fold.mean()),
        sd=_sd(by_fold.mean(axis=1)),
        low=low,
        high=high,
        p=p,
        method=SEEDS_ONLY,
        seed_sd=sd / math.sqrt(n_folds),
        note=note,
        folds=n_folds,
    )


def _from_images(
    name: str, seeds: tuple[int, ...], table: np.ndarray, confidence: float, n_resamples: int
) -> PairedEffect:
    if len(seeds) < 2 or table.shape[1] < 2:
        differences = table.mean(axis=1, dtype=np.float64)
        return PairedEffect(
            arm=name,
            seeds=seeds,
            differences=tuple(map(float, differences)),
            mean=float(differences.mean()),
            sd=_sd(differences),
            method=SEEDS_AND_IMAGES,
            n_images=table.shape[1],
        )
    effect = _crossed(name, seeds, table, mean_squares(table), confidence)
    if not n_resamples:
        return effect
    tail = 50 * (1 - confidence)
    bounds = np.percentile(hierarchical_bootstrap(table, n_resamples), [tail, 100 - tail])
    return replace(effect, bootstrap_low=float(bounds[0]), bootstrap_high=float(bounds[1]))


def _crossed(
    name: str, seeds: tuple[int, ...], table: np.ndarray, ms: MeanSquares, confidence: float
) -> PairedEffect:
    """Effect of a table of differences [S, N] by its analysis of variance."""
    differences = table.mean(axis=1, dtype=np.float64)
    mean, half = float(differences.mean()), float(interval_half_width(ms, confidence))
    seed_sd, image_sd, rest_sd = (float(x) for x in components(ms))
    return PairedEffect(
        arm=name,
        seeds=seeds,
        differences=tuple(map(float, differences)),
        mean=mean,
        sd=_sd(differences),
        low=mean - half,
        high=mean + half,
        p=float(p_value(ms)),
        method=SEEDS_AND_IMAGES,
        seed_sd=seed_sd,
        image_sd=image_sd,
        rest_sd=rest_sd,
        n_images=table.shape[1],
        folds=ms.folds,
    )
