"""The confusion matrix of a run: what a classifier takes for what, counted from its predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fer_lightning.errors import DataError
from fer_lightning.runs.predictions import Predictions


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
    pairs = classes * labels[decided].astype(np.int64) + predictions.logits[decided].argmax(axis=1)
    counts = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
    return Confusion(counts, names, int((~decided).sum()))
