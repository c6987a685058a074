"""The logits of a split with the faces' ids: what statistics and ensembles are made from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_lightning.errors import DataError


@dataclass(frozen=True)
class Predictions:
    """Logits of one split.

    Attributes
    ----------
    logits
        float32 ``[N, C]``.
    labels
        int64 ``[N]``.
    ids
        str ``[N]``: names of the faces in their source.
    class_names
        The C names.
    """

    logits: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    class_names: tuple[str, ...]

    @property
    def correct(self) -> np.ndarray:
        """Whether each face's largest logit is its label's, bool ``[N]``."""
        return self.logits.argmax(1) == self.labels


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write a compressed ``.npz``, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as stream:
        np.savez_compressed(
            stream,
            logits=predictions.logits.astype(np.float32),
            labels=predictions.labels.astype(np.int64),
            ids=predictions.ids,
            class_names=np.array(predictions.class_names),
        )
    partial.replace(path)


def read_predictions(path: str | Path) -> Predictions:
    """Read what :func:`write_predictions` wrote.

    Raises
    ------
    DataError
        The file is missing or no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Predictions(
                logits=stored["logits"],
                labels=stored["labels"],
                ids=stored["ids"],
                class_names=tuple(str(name) for name in stored["class_names"]),
            )
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{path}: expected a file of stored logits ({error})") from error


def average(parts: Sequence[Predictions]) -> Predictions:
    """Average the class probabilities of several models over the same faces (R2's ensemble).

    Returns
    -------
    Predictions
        Its ``logits`` are the logarithms of the mean probabilities.

    Raises
    ------
    DataError
        The parts are not about the same faces in the same order.
    """
    if not parts:
        raise DataError("an ensemble needs at least one model's predictions")
    first = parts[0]
    for part in parts[1:]:
        if part.class_names != first.class_names or not np.array_equal(part.ids, first.ids):
            raise DataError("the models' predictions are not about the same faces and classes")
    shifted = [part.logits - part.logits.max(1, keepdims=True) for part in parts]
    probabilities = [np.exp(logits) / np.exp(logits).sum(1, keepdims=True) for logits in shifted]
    mean = np.mean(probabilities, axis=0)
    return Predictions(
        logits=np.log(np.maximum(mean, 1e-30)).astype(np.float32),
        labels=first.labels,
        ids=first.ids,
        class_names=first.class_names,
    )
