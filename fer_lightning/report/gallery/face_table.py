"""What every run takes every validation face for, face by face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from fer_lightning.runs.confusion_counts import class_names_of
from fer_lightning.runs.predictions import Predictions, same_faces

UNDECIDED: Final = 254
"""Stands for a predicted class where a logit is not a number."""
UNSEEN: Final = 255
"""Stands for a predicted class where a run was not validated on a face."""
MOST_CLASSES: Final = 254


@dataclass(frozen=True, eq=False)
class FaceTable:
    """The predictions of R runs on N faces of C classes.

    Attributes
    ----------
    ids
        str ``[N]``, the faces' names in their source, each once.
    labels
        uint8 ``[N]``, the true classes.
    class_names
        The C names.
    runs
        Positions of the R runs among those that were given.
    predicted
        uint8 ``[N, R]``: the predicted classes, :data:`UNDECIDED` or :data:`UNSEEN`.
    probabilities
        uint8 ``[N, R, C]``, in 255ths; 0 where ``predicted`` is no class.
    """

    ids: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    runs: tuple[int, ...]
    predicted: np.ndarray
    probabilities: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def confidence(self) -> np.ndarray:
        """The probability of the predicted class in 255ths, uint8 ``[N, R]``."""
        return np.asarray(self.probabilities.max(axis=2))

    def mean_probabilities(self, members: Sequence[int]) -> np.ndarray:
        """Return the mean of some of the R runs, in 255ths: uint8 ``[N, C]``; 0 where none of them saw a face."""
        seen = self.predicted[:, list(members)] < UNDECIDED
        total = self.probabilities[:, list(members)].sum(axis=1, dtype=np.int64)
        return np.rint(total / np.maximum(seen.sum(axis=1), 1)[:, None]).astype(np.uint8)

    def only(self, rows: np.ndarray) -> FaceTable:
        """Return some of the faces, by their positions."""
        return replace(
            self,
            ids=self.ids[rows],
            labels=self.labels[rows],
            predicted=self.predicted[rows],
            probabilities=self.probabilities[rows],
        )


def face_table(runs: Sequence[Predictions | None], class_names: Sequence[str]) -> FaceTable | None:
    """Put the predictions of several runs on the same faces, by their ids, beside each other.

    Parameters
    ----------
    runs
        None for a run that left none. Left out are runs without ids, of other classes, and those that label a face
        otherwise than the first run does: they are not about the same faces.
    class_names
        Of the study.

    Returns
    -------
    FaceTable or None
        Its faces are all that any run was validated on, in the order in which they first come; None where no run has
        predictions, or where there are more than :data:`MOST_CLASSES` classes.
    """
    if not 0 < len(class_names) <= MOST_CLASSES:
        return None
    faces = _Faces({}, [])
    found: list[tuple[int, np.ndarray, Predictions]] = []
    for number, run in enumerate(runs):
        if run is None or run.ids is None or class_names_of(run) != tuple(class_names):
            continue
        last = found[-1] if found else None
        if last is not None and same_faces(run, last[2]) and np.array_equal(run.labels, last[2].labels):
            rows: np.ndarray | None = last[1]
        else:
            rows = faces.places(run.ids.tolist(), run.labels.tolist())
        if rows is not None:
            found.append((number, rows, run))
    if not found:
        return None
    shape = (len(faces.labels), len(found))
    table = FaceTable(
        np.array(list(faces.rows)),
        np.array(faces.labels, np.uint8),
        tuple(class_names),
        tuple(number for number, _, _ in found),
        np.full(shape, UNSEEN, np.uint8),
        np.zeros((*shape, len(class_names)), np.uint8),
    )
    for column, (_, rows, run) in enumerate(found):
        table.predicted[rows, column], table.probabilities[rows, column] = _quantized(run.logits)
    return table


@dataclass(frozen=True)
class _Faces:
    """The faces that were met so far: where each stands, and its label."""

    rows: dict[str, int]
    labels: list[int]

    def places(self, names: Sequence[str], labels: Sequence[int]) -> np.ndarray | None:
        """Return where faces stand, new ones last; None where a label differs or a name comes twice."""
        pairs = list(zip(names, labels, strict=True))
        if len(set(names)) < len(names):
            return None
        if any(name in self.rows and self.labels[self.rows[name]] != label for name, label in pairs):
            return None
        for name, label in pairs:
            if name not in self.rows:
                self.rows[name] = len(self.labels)
                self.labels.append(label)
        return np.array([self.rows[name] for name in names])


def _quantized(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return predicted classes, uint8 ``[N]``, and probabilities in 255ths, uint8 ``[N, C]``."""
    decided = ~np.isnan(logits).any(axis=1)
    known = np.where(decided[:, None], logits.astype(np.float64), 0)
    odds = np.exp(known - known.max(axis=1, keepdims=True))
    shares = odds / odds.sum(axis=1, keepdims=True)
    return (
        np.where(decided, known.argmax(axis=1), UNDECIDED).astype(np.uint8),
        (np.rint(255 * shares) * decided[:, None]).astype(np.uint8),
    )
