"""Judge groups of faces that were found without their errors: intervals that hold together, and what each contains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from fer_lightning.errors import DataError
from fer_lightning.runs.confusion_counts import class_names_of
from fer_lightning.runs.predictions import Predictions, same_faces
from fer_lightning.stats.calibration import probabilities
from fer_lightning.stats.slices import CONFIDENCE, FaceSlices, Slice


def simultaneous_intervals(
    wrong: np.ndarray, groups: np.ndarray, confidence: float = CONFIDENCE
) -> np.ndarray:
    """Return intervals of each group's mean error that hold all at once.

    They are Clopper and Pearson's (1934) at the level of Šidák's correction for as many groups: groups share no face.
    A face counts once, whatever number of runs was asked. Where its error is a share of several runs the interval is
    too wide rather than too narrow, for no variable between 0 and 1 with the same mean varies more than one that is 0
    or 1.

    Parameters
    ----------
    wrong
        float ``[N]``, each between 0 and 1.
    groups
        int64 ``[N]``, from 0 to K − 1, none of them empty.

    Returns
    -------
    numpy.ndarray
        float64 ``[K, 2]``.
    """
    faces = np.bincount(groups)
    level = 1 - confidence ** (1 / len(faces))
    total = np.clip(np.bincount(groups, wrong), 0, faces)
    return np.stack(proportion_confint(total, faces, level, method="beta"), axis=1)


def face_slices(
    runs: Sequence[Predictions],
    groups: np.ndarray,
    confidence: float = CONFIDENCE,
    *,
    source: str = "the model",
    notes: Sequence[str] = (),
) -> FaceSlices:
    """Judge groups of faces that were found without their errors.

    Parameters
    ----------
    runs
        At least one: of the same classes, on the same faces in the same order, with ids.
    groups
        int64 ``[N]``: see `face_groups`.
    confidence
        That all intervals hold.
    source, notes
        As in `FaceSlices`.

    Raises
    ------
    DataError
        The runs are not about the same faces, or have no ids.
    """
    first = runs[0]
    if first.ids is None or not all(same_faces(run, first) for run in runs):
        raise DataError("slices: the runs' predictions are not about the same named faces")
    table = np.stack([~run.correct for run in runs]).astype(np.float64)
    wrong, labels = table.mean(axis=0), first.labels
    places = np.unique(groups, return_inverse=True)[1]
    bounds, faces = simultaneous_intervals(wrong, places, confidence), np.bincount(places)
    order = np.argsort(-np.bincount(places, wrong) / faces, kind="stable")
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(1, len(order) + 1)
    error = float(wrong.mean())
    named = np.stack([run.logits.argmax(axis=1) for run in runs])
    sure = np.mean([probabilities(run.logits).max(axis=1) for run in runs], axis=0)
    names = class_names_of(first)
    in_class = np.bincount(labels, minlength=len(names))
    class_errors = np.bincount(labels, wrong, len(names)) / np.maximum(in_class, 1)
    slices = []
    for place in order:
        chosen, (low, high) = places == place, bounds[place].tolist()
        slices.append(
            Slice(
                number=int(number[place]),
                faces=int(faces[place]),
                error=float(wrong[chosen].mean()),
                low=low,
                high=high,
                expected=float(class_errors[labels[chosen]].mean()),
                run_errors=tuple(table[:, chosen].mean(axis=1).tolist()),
                confidence=float(sure[chosen].mean()),
                failing=low > error,
                **_classes(labels[chosen], named[:, chosen], names),
            )
        )
    return FaceSlices(
        slices=tuple(slices),
        ids=np.asarray(first.ids),
        labels=labels,
        group=number[places],
        predicted=np.array([np.bincount(column, minlength=len(names)).argmax() for column in named.T]),
        wrong=wrong,
        class_names=names,
        error=error,
        run_errors=tuple(table.mean(axis=1).tolist()),
        source=source,
        notes=tuple(notes),
    )


def _classes(labels: np.ndarray, named: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Return the most frequent class and mistake of labels ``[n]`` and predictions ``[S, n]``, with their shares."""
    counts = np.zeros((len(names), len(names)))
    np.add.at(counts, (np.broadcast_to(labels, named.shape), named), 1 / named.size)
    most = int(counts.sum(axis=1).argmax())
    mistakes = counts * ~np.eye(len(names), dtype=bool)
    true, taken = divmod(int(mistakes.argmax()), len(names))
    share = float(mistakes[true, taken])
    return {
        "label": names[most],
        "label_share": float(counts[most].sum()),
        "taken_for": (names[true], names[taken]) if share else None,
        "taken_share": share,
    }
