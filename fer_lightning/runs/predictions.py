"""The logits of a split with the faces' ids: what statistics and ensembles are made from."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fer_lightning.errors import DataError
from fer_lightning.messages import counted
from fer_lightning.runs.files import write_arrays

# The predictions of a run on its validation faces at the best epoch.
LOGITS_FILE = "val_logits.npz"


@dataclass(frozen=True, eq=False)
class Predictions:
    """Logits of one split.

    Attributes
    ----------
    logits
        float32 ``[N, C]``.
    labels
        int64 ``[N]``.
    ids
        str ``[N]``: names of the faces in their source; ``None`` where they are not known.
    class_names
        The C names; empty where they are not known.

    Raises
    ------
    DataError
        The arrays do not belong together.
    """

    logits: np.ndarray
    labels: np.ndarray
    ids: np.ndarray | None = None
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Take lists and tensors as arrays, and refuse arrays that do not belong together."""
        for name in ("logits", "labels", "ids"):
            if (given := getattr(self, name)) is not None and not isinstance(given, np.ndarray):
                try:
                    object.__setattr__(self, name, np.asarray(given))
                except (
                    TypeError,
                    ValueError,
                    RuntimeError,
                ) as error:  # ragged lists, tensors that need a gradient
                    raise DataError(f"{name}: {str(error).splitlines()[0]}; expected an array") from None
        if self.logits.ndim != 2 or self.labels.shape != self.logits.shape[:1]:
            raise DataError(
                f"logits of shape {self.logits.shape} with labels of shape {self.labels.shape}: expected [N, C] and [N]"
            )
        if self.logits.dtype.kind not in "fiu":
            raise DataError(f"logits of type {self.logits.dtype}: expected numbers")
        if self.labels.dtype.kind not in "iu" or len(self.labels) == 0:
            raise DataError(
                f"{len(self.labels)} labels of type {self.labels.dtype}: expected whole numbers, at least one"
            )
        if self.ids is not None and self.ids.shape != self.labels.shape:
            raise DataError(
                f"{self.ids.shape} ids for labels of shape {self.labels.shape}: expected one each"
            )

    def __repr__(self) -> str:
        return f"Predictions({counted(len(self.labels), 'face')}, {self.logits.shape[1]} classes)"

    @property
    def correct(self) -> np.ndarray:
        """Whether each face is classified right, bool ``[N]``; a row with a NaN logit counts as wrong."""
        right = self.logits.argmax(axis=1) == self.labels
        return np.asarray(right & ~np.isnan(self.logits).any(axis=1))

    def only(self, kept: np.ndarray) -> Predictions:
        """Return those of some of the faces: ``kept`` is bool ``[N]``."""
        ids = None if self.ids is None else self.ids[kept]
        return replace(self, logits=self.logits[kept], labels=self.labels[kept], ids=ids)


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write a compressed ``.npz``, whole or not at all."""
    ids = np.arange(len(predictions.labels)).astype(str) if predictions.ids is None else predictions.ids
    write_arrays(
        path,
        logits=predictions.logits.astype(np.float32),
        labels=predictions.labels.astype(np.int64),
        ids=ids,
        class_names=np.array(predictions.class_names),
    )


def read_predictions(path: str | Path) -> Predictions:
    """Read what :func:`write_predictions` wrote.

    Raises
    ------
    DataError
        The file is missing, damaged or lacks an array.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            names = stored.get("class_names")
            return Predictions(
                logits=stored["logits"],
                labels=stored["labels"],
                ids=stored.get("ids"),
                class_names=() if names is None else tuple(str(name) for name in names),
            )
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected an .npz file of logits") from None
    except KeyError as error:
        raise DataError(f"{path}: {error.args[0]}; expected the arrays logits and labels") from None
    except (ValueError, EOFError, zipfile.BadZipFile, TypeError, AttributeError):
        # NumPy takes what it does not know for a pickle and says how to load that; a .npy is no file of arrays.
        raise DataError(f"{path}: cannot be read; expected a .npz of logits that is whole") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def average(parts: Sequence[Predictions]) -> Predictions:
    """Average the class probabilities of several models over the same faces.

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
        if part.class_names != first.class_names or not same_faces(part, first):
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


def joined(parts: Sequence[Predictions]) -> Predictions:
    """Put predictions on different faces of the same classes behind each other."""
    ids = [part.ids for part in parts if part.ids is not None]
    return Predictions(
        logits=np.concatenate([part.logits for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        ids=np.concatenate(ids) if len(ids) == len(parts) else None,
        class_names=parts[0].class_names,
    )


def same_faces(one: Predictions, other: Predictions) -> bool:
    """Say whether both are about the same faces in the same order, by name where names are known."""
    if one.ids is None or other.ids is None:
        return np.array_equal(one.labels, other.labels)
    return np.array_equal(one.ids, other.ids)
