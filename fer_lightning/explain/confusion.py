"""What a classifier takes for what: the confusion matrix and the tables read off it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from fer_lightning.errors import ConfigError, DataError
from fer_lightning.runs.predictions import Predictions
from fer_lightning.training.metrics import confusion_matrix


@dataclass(frozen=True, eq=False)
class Confusion:
    """A confusion matrix.

    Attributes
    ----------
    counts
        int64 ``[C, C]`` faces; rows are the true classes, columns the predicted.
    class_names
        The C names.
    undecided
        Faces left out of ``counts`` because a logit of theirs is not a number.
    """

    counts: np.ndarray
    class_names: tuple[str, ...]
    undecided: int = 0

    @property
    def faces(self) -> np.ndarray:
        """Faces of each true class, int64 ``[C]``."""
        return np.asarray(self.counts.sum(axis=1))

    @property
    def rates(self) -> np.ndarray:
        """Row-normalised matrix, float64 ``[C, C]`` in [0, 1]; a class without faces is a row of NaN."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.counts / self.faces[:, None])

    @property
    def recall(self) -> np.ndarray:
        """Share of each class that is classified right, float64 ``[C]``; NaN for a class without faces."""
        return np.asarray(self.rates.diagonal())

    @property
    def accuracy(self) -> float:
        """Share of all faces that is classified right; NaN without faces."""
        total = int(self.counts.sum())
        return float(np.trace(self.counts)) / total if total else float("nan")


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes that are taken for each other: ``count`` and ``rate`` of one → other, and the way back.

    Rates are shares of the true class, in [0, 1].
    """

    one: str
    other: str
    count: int
    rate: float
    back_count: int
    back_rate: float

    @property
    def total(self) -> int:
        """Faces confused in either direction."""
        return self.count + self.back_count


def class_names_of(predictions: Predictions) -> tuple[str, ...]:
    """Return the names of the classes, or ``class 0`` … where they are not known."""
    count = predictions.logits.shape[1]
    return predictions.class_names or tuple(f"class {number}" for number in range(count))


def confusion(predictions: Predictions) -> Confusion:
    """Count what was taken for what.

    Raises
    ------
    DataError
        The number of names is not that of the logits, or a label is none of the classes.
    """
    names, classes = class_names_of(predictions), predictions.logits.shape[1]
    if len(names) != classes:
        raise DataError(f"{len(names)} class names for logits of {classes} classes: expected one each")
    labels = np.asarray(predictions.labels)
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        raise DataError(f"labels run from {labels.min()} to {labels.max()}: expected 0 to {classes - 1}")
    decided = ~np.isnan(predictions.logits).any(axis=1)
    counts = np.zeros((classes, classes), np.int64)
    if decided.any():
        logits = torch.from_numpy(np.ascontiguousarray(predictions.logits[decided]))
        counts = confusion_matrix(logits, torch.from_numpy(labels[decided].astype(np.int64))).numpy()
    return Confusion(counts, names, int((~decided).sum()))


def confused_pairs(matrix: Confusion, limit: int = 6, by: str = "count") -> list[ConfusedPair]:
    """Return the pairs of classes that are confused most, in both directions together; never a pair of zeros.

    Parameters
    ----------
    limit
        How many pairs at most.
    by
        ``count``: most faces first; ``rate``: largest sum of both directions' rates first, which brings a
        rare class forward.

    Raises
    ------
    ConfigError
        ``by`` is neither, or ``limit`` is under 1.
    """
    if by not in ("count", "rate"):
        raise ConfigError(f"by={by}: expected count or rate")
    if limit < 1:
        raise ConfigError(f"limit={limit}: expected at least 1")
    rates, pairs = np.nan_to_num(matrix.rates), []
    for i in range(len(matrix.class_names)):
        for j in range(i + 1, len(matrix.class_names)):
            # The direction with the larger rate is named first, for that is how people speak of it.
            a, b = (i, j) if rates[i, j] >= rates[j, i] else (j, i)
            pairs.append(
                ConfusedPair(
                    matrix.class_names[a],
                    matrix.class_names[b],
                    int(matrix.counts[a, b]),
                    float(rates[a, b]),
                    int(matrix.counts[b, a]),
                    float(rates[b, a]),
                )
            )
    pairs = [pair for pair in pairs if pair.total]
    pairs.sort(key=lambda pair: -pair.total if by == "count" else -(pair.rate + pair.back_rate))
    return pairs[:limit]


def counts_table(matrix: Confusion) -> tuple[list[str], list[list[str | int]]]:
    """Return header and rows of the counts, the true class first: for a CSV file or a W&B table."""
    rows: list[list[str | int]] = [
        [name, *(int(count) for count in row)]
        for name, row in zip(matrix.class_names, matrix.counts, strict=True)
    ]
    return ["true class", *matrix.class_names], rows
