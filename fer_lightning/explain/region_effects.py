"""What each class loses when a region is covered: estimates, intervals over faces, and the finding in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fer_lightning.stats.bootstrap import resample_counts

ALL = "all"
LEAST_FACES = 5  # of a class; from fewer there is no interval worth drawing
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Estimate:
    """Means over faces with an interval each; rows are the classes and at last all faces, columns the regions.

    Attributes
    ----------
    mean, low, high
        float64 ``[C + 1, R]``; NaN for a class without faces, and without bounds for one of too few.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class RegionEffects:
    """What covering each region costs, in shares of the measure (0.1 is ten points).

    Attributes
    ----------
    rows, faces
        Names of the classes and ``all`` at last, and how many faces each has.
    regions
        Names of the R regions.
    lost, elsewhere, excess
        What is lost by covering the region, by covering boxes of the same size elsewhere, and the first minus the
        second, face by face. The intervals of each of them hold for all its cells together.
    untrained
        ``lost`` minus ``elsewhere`` of the same network with newly drawn weights.
    sensitivity, untrained_sensitivity
        ``[3, R]``: how far the logits move when the region is covered, over how far they move elsewhere, with the
        bounds of its interval. It needs no truth, so it can be compared with the untrained network's.
    """

    rows: tuple[str, ...]
    faces: np.ndarray
    regions: tuple[str, ...]
    lost: Estimate
    elsewhere: Estimate
    excess: Estimate
    untrained: Estimate
    sensitivity: np.ndarray
    untrained_sensitivity: np.ndarray
    measure: str
    fill: str
    confidence: float

    @property
    def decided(self) -> np.ndarray:
        """Whether a region costs more than a box of the same size elsewhere, bool ``[C + 1, R]``."""
        with np.errstate(invalid="ignore"):
            return np.asarray((self.excess.low > 0) & (self.lost.low > 0))


def region_effects(
    *,
    trained: Arrays,
    untrained: Arrays,
    labels: np.ndarray,
    class_names: tuple[str, ...],
    regions: tuple[str, ...],
    measure: str,
    fill: str,
    confidence: float,
    resamples: int,
    seed: int,
) -> RegionEffects:
    """Estimate from what each face loses: ``trained`` and ``untrained`` each hold four arrays float ``[N, R]``.

    These are what is lost in the region and elsewhere, and how far the logits move in the region and elsewhere.
    Faces are resampled within their classes; the interval of a cell is its mean ± a common multiple of its
    standard error, such that all cells are covered at once (the bootstrap's maximal deviate, Westfall & Young 1993).
    """
    rng = np.random.default_rng([seed, 2])
    members = [np.flatnonzero(labels == label) for label in range(len(class_names))]
    counts = [resample_counts(len(each), resamples, rng) if len(each) else None for each in members]

    def estimate(values: np.ndarray) -> Estimate:
        return _simultaneous(values, members, counts, confidence)

    here, elsewhere, moved, moved_elsewhere = trained
    return RegionEffects(
        rows=(*class_names, ALL),
        faces=np.array([*map(len, members), len(labels)]),
        regions=regions,
        lost=estimate(here),
        elsewhere=estimate(elsewhere),
        excess=estimate(here - elsewhere),
        untrained=estimate(untrained[0] - untrained[1]),
        sensitivity=_ratio(moved, moved_elsewhere, members, counts, confidence),
        untrained_sensitivity=_ratio(untrained[2], untrained[3], members, counts, confidence),
        measure=measure,
        fill=fill,
        confidence=confidence,
    )


def _simultaneous(
    values: np.ndarray, members: list[np.ndarray], counts: list[np.ndarray | None], confidence: float
) -> Estimate:
    regions, faces = values.shape[1], len(values)
    shape = (len(members) + 1, regions)
    mean, error = np.full(shape, np.nan), np.full(shape, np.nan)
    total, variance, deviates = np.zeros(regions), np.zeros(regions), []
    whole = None
    for row, (each, drawn) in enumerate(zip(members, counts, strict=True)):
        if drawn is None:
            continue
        part = values[each]
        mean[row] = part.mean(axis=0)
        total += part.sum(axis=0)
        resampled = drawn.astype(np.float64) @ (part - mean[row])
        whole = resampled if whole is None else whole + resampled
        if len(each) > 1:
            variance += len(each) * part.var(axis=0, ddof=1)
        if len(each) >= LEAST_FACES:
            error[row] = part.std(axis=0, ddof=1) / np.sqrt(len(each))
            deviates.append(_deviates(resampled / len(each), error[row]))
    mean[-1] = total / faces
    if faces >= LEAST_FACES and whole is not None:
        error[-1] = np.sqrt(variance) / faces
        deviates.append(_deviates(whole / faces, error[-1]))
    width = np.quantile(np.max(deviates, axis=0), confidence) if deviates else np.nan
    return Estimate(mean, mean - width * error, mean + width * error)


def _deviates(resampled: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Largest deviate over the regions of each resample, ``[B]``; a cell that never varies has none."""
    safe = np.where(error > 0, error, np.inf)
    return np.asarray((np.abs(resampled) / safe).max(axis=1))


def _ratio(
    here: np.ndarray,
    elsewhere: np.ndarray,
    members: list[np.ndarray],
    counts: list[np.ndarray | None],
    confidence: float,
) -> np.ndarray:
    """Mean of ``here`` over mean of ``elsewhere`` with its percentile interval, all regions together, ``[3, R]``."""
    above = sum(c.astype(np.float64) @ here[m] for m, c in zip(members, counts, strict=True) if c is not None)
    below = sum(
        c.astype(np.float64) @ elsewhere[m] for m, c in zip(members, counts, strict=True) if c is not None
    )
    tail = (1 - confidence) / 2 / here.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = np.nanquantile(above / below, [tail, 1 - tail], axis=0)
        return np.stack([here.sum(axis=0) / elsewhere.sum(axis=0), low, high])


def effect_sentence(effects: RegionEffects, row: str, region: str) -> str:
    """Say what covering one region costs one class (or ``all``), with interval and control."""
    i, j = effects.rows.index(row), effects.regions.index(region)
    kind = "of the true class's probability" if effects.measure == "probability" else "of accuracy"
    who = "all images" if row == ALL else row
    if np.isnan(effects.lost.low[i, j]):
        return f"covering the {region}: too few images of {who} ({effects.faces[i]}) to say"
    mean, low, high = (100 * each[i, j] for each in (effects.lost.mean, effects.lost.low, effects.lost.high))
    control = 100 * effects.elsewhere.mean[i, j]
    told = "more than" if effects.decided[i, j] else "with no difference found from"
    return (
        f"covering the {region} costs {who} {mean:.1f} points [{low:.1f}, {high:.1f}] {kind}, "
        f"{told} boxes of the same size elsewhere ({control:.1f})"
    )


def effect_cells(effects: RegionEffects) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the result as text, in points."""
    header = [
        "class",
        "images",
        "region",
        "lost [interval]",
        "elsewhere",
        "difference [interval]",
        "untrained",
        "more",
    ]
    rows = []
    for i, name in enumerate(effects.rows):
        for j, region in enumerate(effects.regions):
            lost, excess = _cell(effects.lost, i, j), _cell(effects.excess, i, j)
            other = _cell(effects.elsewhere, i, j).split(" ")[0]
            untrained = _cell(effects.untrained, i, j).split(" ")[0]
            told = "more" if effects.decided[i, j] else ""
            rows.append([name, f"{effects.faces[i]}", region, lost, other, excess, untrained, told])
    return header, rows


def _cell(estimate: Estimate, i: int, j: int) -> str:
    mean, low, high = (100 * each[i, j] for each in (estimate.mean, estimate.low, estimate.high))
    if np.isnan(mean):
        return "–"
    return f"{mean:.1f}" if np.isnan(low) else f"{mean:.1f} [{low:.1f}, {high:.1f}]"
