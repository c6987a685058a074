"""What two classifiers take for what, differently: the difference of their confusion matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from fer_lightning.config.values import OpenShare, checked
from fer_lightning.errors import DataError
from fer_lightning.runs.confusion_counts import Confusion, confusion
from fer_lightning.runs.predictions import Predictions


@dataclass(frozen=True, eq=False)
class ConfusionDifference:
    """The second classifier's row-normalised confusion matrix minus the first's.

    Attributes
    ----------
    first, second
        The two matrices.
    difference
        float64 ``[C, C]`` in [-1, 1]; NaN where either has no face of the class.
    low, high
        Interval of each difference over faces, all cells together at ``confidence`` (Bonferroni). Training
        again with another seed moves the rates too, and the interval does not know that.
    paired
        Whether both are about the same faces, so that each face is compared with itself.
    confidence
        Probability with which all intervals hold at once.
    """

    first: Confusion
    second: Confusion
    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    paired: bool
    confidence: float

    @property
    def decided(self) -> np.ndarray:
        """Whether a cell's interval leaves zero out, bool ``[C, C]``."""
        return np.asarray((self.low > 0) | (self.high < 0))


@checked()
def confusion_difference(
    first: Predictions, second: Predictions, confidence: OpenShare = 0.95
) -> ConfusionDifference:
    """Compare what two classifiers take for what.

    Over the same faces (same ids, in any order) the interval is that of a difference of matched proportions,
    else that of independent ones; both add two imaginary observations of each kind, without which a Wald
    interval is too narrow for rare confusions.

    Raises
    ------
    ConfigError
        ``confidence`` is not between 0 and 1.
    DataError
        The classes differ.

    Notes
    -----
    Agresti & Min (2005), https://doi.org/10.1002/sim.1781 (matched); Agresti & Caffo (2000),
    https://doi.org/10.1080/00031305.2000.10474560 (independent).
    """
    one, other = confusion(first), confusion(second)
    if one.class_names != other.class_names:
        raise DataError(
            f"the first model knows {', '.join(one.class_names)}; the second {', '.join(other.class_names)}"
        )
    cells = len(one.class_names) ** 2
    quantile = float(norm.ppf(1 - (1 - confidence) / 2 / cells))
    matched = _matched(first, second)
    if matched is None:
        centre, error = _independent(one, other)
    else:
        centre, error = _paired(first.logits, second.logits[matched], first.labels)
    difference = other.rates - one.rates
    low, high = np.clip(centre - quantile * error, -1, 1), np.clip(centre + quantile * error, -1, 1)
    low[np.isnan(difference)] = high[np.isnan(difference)] = np.nan
    return ConfusionDifference(one, other, difference, low, high, matched is not None, confidence)


def _matched(first: Predictions, second: Predictions) -> np.ndarray | None:
    """Return for each face of ``first`` its row in ``second``, or None where they are not the same faces."""
    if first.ids is None or second.ids is None or len(first.ids) != len(second.ids):
        return None
    here, there = np.argsort(first.ids, kind="stable"), np.argsort(second.ids, kind="stable")
    if not np.array_equal(first.ids[here], second.ids[there]) or len(np.unique(first.ids)) < len(first.ids):
        return None
    rows = np.empty(len(here), np.int64)
    rows[here] = there
    usable = ~(np.isnan(first.logits).any(axis=1) | np.isnan(second.logits[rows]).any(axis=1))
    return rows if np.array_equal(first.labels, second.labels[rows]) and usable.all() else None


def _paired(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre and standard error of each cell's difference, from faces that change from one cell to another."""
    classes = first.shape[1]
    faces = np.bincount(labels, minlength=classes)[:, None].astype(np.float64)
    was, now = first.argmax(axis=1), second.argmax(axis=1)
    gained, lost = np.zeros((2, classes, classes))
    moved = was != now
    np.add.at(gained, (labels[moved], now[moved]), 1)
    np.add.at(lost, (labels[moved], was[moved]), 1)
    # Agresti & Min: half an observation in each cell of the 2 × 2 table of (first, second).
    n, b, c = faces + 2, gained + 0.5, lost + 0.5
    return (b - c) / n, np.sqrt(np.maximum(b + c - (b - c) ** 2 / n, 0)) / n


def _independent(first: Confusion, second: Confusion) -> tuple[np.ndarray, np.ndarray]:
    """Centre and standard error of each cell's difference for two independent sets of faces."""
    parts = []
    for matrix in (first, second):
        # Agresti & Caffo: one more face in the cell and one more outside.
        n = matrix.faces[:, None] + 2.0
        p = (matrix.counts + 1.0) / n
        parts.append((p, p * (1 - p) / n))
    (p1, v1), (p2, v2) = parts
    return p2 - p1, np.sqrt(v1 + v2)
