"""The faces whose label is probably wrong, by the out-of-sample probabilities of all runs of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from fer_lightning.messages import counted
from fer_lightning.runs.confusion_counts import class_names_of
from fer_lightning.runs.predictions import Predictions
from fer_lightning.stats.calibration import probabilities
from fer_lightning.stats.confident_learning import (
    confident_joint,
    doubtful,
    joint_distribution,
    margin,
    suggested_classes,
)

Labels = Literal["all", "trusted"]
"""Faces by which arms are judged: all, or those whose label is not doubted."""


@dataclass(frozen=True)
class DoubtfulFace:
    """A face whose label is probably wrong.

    Attributes
    ----------
    rank
        From 1, the most doubtful first.
    id, label, suggested
        Name of the face, and of the two classes.
    score
        Mean probability of the label minus that of the most probable other class, -1 to 1: the less, the more doubtful.
    disagree
        Share of the runs that predict another class than the label.
    runs
        How many have judged the face.
    fer_plus
        What FER+ calls the face, empty where it does not decide; None where that was not asked.
    """

    rank: int
    id: str
    label: str
    suggested: str
    score: float
    disagree: float
    runs: int
    fer_plus: str | None = None


@dataclass(frozen=True)
class LabelDoubts:
    """What a study says of its labels.

    Attributes
    ----------
    faces
        The doubtful ones, the most doubtful first.
    n_faces, n_runs
        Faces that were judged, and runs that judged them.
    class_names
        The C classes.
    class_faces
        Faces that were judged, of each label.
    counts
        Doubtful faces by label (rows) and suggested class (columns), ``[C, C]``.
    noise
        Share of wrong labels that the confident joint estimates; it takes what the nets cannot tell for wrong, too.
    accuracy
        Of the mean probabilities of all runs.
    notes
        What a reader must know: runs that were left out, or why no label can be doubted.
    """

    faces: tuple[DoubtfulFace, ...]
    n_faces: int
    n_runs: int
    class_names: tuple[str, ...]
    class_faces: tuple[int, ...]
    counts: tuple[tuple[int, ...], ...]
    noise: float
    accuracy: float
    notes: tuple[str, ...] = field(default=())

    @property
    def ids(self) -> frozenset[str]:
        """Names of the doubtful faces."""
        return frozenset(face.id for face in self.faces)


@dataclass(frozen=True, eq=False)
class PooledPredictions:
    """Several models' opinions of each face: ``[N]`` or ``[N, C]``, by the faces' names in ascending order."""

    ids: np.ndarray
    labels: np.ndarray
    mean: np.ndarray
    disagree: np.ndarray
    runs: np.ndarray


def pooled(predictions: Sequence[Predictions]) -> PooledPredictions:
    """Average the probabilities that models have for each face, whichever of them have judged it.

    Parameters
    ----------
    predictions
        With ids, finite, of the same classes and labels; a face once in each.
    """
    names = [np.asarray(each.ids) for each in predictions]
    ids, first, places = np.unique(np.concatenate(names), return_index=True, return_inverse=True)
    labels = np.concatenate([each.labels for each in predictions])
    total = np.zeros((len(ids), predictions[0].logits.shape[1]))
    np.add.at(total, places, np.concatenate([probabilities(each.logits) for each in predictions]))
    runs = np.bincount(places, minlength=len(ids))
    wrong = np.bincount(places, np.concatenate([~each.correct for each in predictions]), len(ids))
    return PooledPredictions(ids, labels[first], total / runs[:, None], wrong / runs, runs)


def label_doubts(predictions: Sequence[Predictions]) -> LabelDoubts:
    """Name the faces whose label is probably wrong.

    Parameters
    ----------
    predictions
        Logits of runs, each on faces that it was not trained on. Those without ids, with logits that are no numbers,
        or of other classes or labels than most, are left out, which `LabelDoubts.notes` says.
    """
    usable, notes = _usable(predictions)
    if not usable:
        return LabelDoubts((), 0, 0, (), (), (), 0.0, 0.0, (*notes, "no run left logits to judge labels by"))
    found, names = pooled(usable), class_names_of(usable[0])
    labels, mean = found.labels, found.mean
    in_class = np.bincount(labels, minlength=len(names))
    accuracy, majority = float((mean.argmax(axis=1) == labels).mean()), float(in_class.max() / len(labels))
    chosen, noise = np.zeros(len(labels), bool), 0.0
    if accuracy > majority:
        chosen = doubtful(mean, labels)
        noise = 1 - float(np.trace(joint_distribution(confident_joint(mean, labels), labels)))
    else:
        notes += (
            "no label is doubted: the runs together are no better than the most frequent class "
            f"({100 * accuracy:.1f} and {100 * majority:.1f} %)",
        )
    suggested = suggested_classes(mean, labels)
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (labels[chosen], suggested[chosen]), 1)
    return LabelDoubts(
        faces=_ranked(found, chosen, suggested, names),
        n_faces=len(labels),
        n_runs=len(usable),
        class_names=names,
        class_faces=tuple(in_class.tolist()),
        counts=tuple(map(tuple, counts.tolist())),
        noise=noise,
        accuracy=accuracy,
        notes=notes,
    )


def _ranked(
    found: PooledPredictions, chosen: np.ndarray, suggested: np.ndarray, names: Sequence[str]
) -> tuple[DoubtfulFace, ...]:
    score, faces = margin(found.mean, found.labels), np.flatnonzero(chosen)
    return tuple(
        DoubtfulFace(
            rank=rank,
            id=str(found.ids[face]),
            label=names[found.labels[face]],
            suggested=names[suggested[face]],
            score=float(score[face]),
            disagree=float(found.disagree[face]),
            runs=int(found.runs[face]),
        )
        for rank, face in enumerate(faces[np.argsort(score[faces], kind="stable")], start=1)
    )


def _usable(predictions: Sequence[Predictions]) -> tuple[list[Predictions], tuple[str, ...]]:
    """Return the predictions that can be averaged, and a note on those that cannot."""
    finite = [each for each in predictions if each.ids is not None and np.isfinite(each.logits).all()]
    kinds = [class_names_of(each) for each in finite]
    most = max(set(kinds), key=kinds.count, default=())
    kept: list[Predictions] = []
    known: dict[str, int] = {}
    for each, kind in zip(finite, kinds, strict=True):
        own = dict(zip(map(str, each.ids if each.ids is not None else ()), each.labels.tolist(), strict=True))
        if kind == most and all(known.get(name, label) == label for name, label in own.items()):
            kept.append(each)
            known |= own
    left_out = len(predictions) - len(kept)
    if not left_out:
        return kept, ()
    return kept, (
        f"{counted(left_out, 'run')} of {len(predictions)} left out of the judgement of labels: without ids, with "
        "logits that are no numbers, or with other classes or labels",
    )
