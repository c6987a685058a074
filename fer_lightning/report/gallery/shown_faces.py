"""The pictures of the faces in a table, their copies in training, and the training faces that look most like them."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from fer_lightning.data.faces import SPLITS, Faces
from fer_lightning.data.fingerprint import digest
from fer_lightning.errors import DataError
from fer_lightning.report.gallery.face_table import FaceTable
from fer_lightning.runs.files import write_arrays

if TYPE_CHECKING:
    from fer_lightning.data.chosen_faces import ChosenFaces

NEAREST: Final = 3
"""Training faces that are shown with a face."""
STORED: Final = "nearest_faces.npz"


@dataclass(frozen=True, eq=False)
class ShownFaces:
    """N faces of a source.

    Attributes
    ----------
    faces
        All faces of the source.
    rows
        int64 ``[N]``, where the N faces stand among them.
    nearest
        int64 ``[N, K]``, where the training faces nearest to each stand; None where they were not looked for.
    correlations
        float32 ``[N, K]``, of their pixels; None likewise.
    copied
        bool ``[N]``: faces with an exact copy in training; None likewise.
    """

    faces: Faces
    rows: np.ndarray
    nearest: np.ndarray | None = None
    correlations: np.ndarray | None = None
    copied: np.ndarray | None = None

    @property
    def copies(self) -> np.ndarray | None:
        """2 for a face with an exact copy in training, 1 for one with a near copy, else 0: uint8 ``[N]``."""
        if self.copied is None or self.correlations is None:
            return None
        from fer_lightning.data.near_copies import NEAR  # it loads PyTorch

        nearly = (self.correlations >= NEAR).any(axis=1)
        return np.where(self.copied, 2, nearly).astype(np.uint8)


def shown_faces(table: FaceTable, data: ChosenFaces, folder: Path | None = None) -> ShownFaces:
    """Find the faces of a table in their data.

    Parameters
    ----------
    table
        Its faces are of the validation split.
    data
        That the runs were validated on. Under cross-validation each face is trained on by some runs: copies and
        nearest faces are not looked for.
    folder
        Where the nearest faces are kept (:data:`STORED`), so that they are looked for once; None keeps them nowhere.

    Raises
    ------
    DataError
        The data lack a face, label it otherwise, or have it in the test split.
    UserError
        The data cannot be read.
    """
    faces = data.faces
    rows = _rows(table, faces)
    if data.folds is not None or data.train_on != "train":
        return ShownFaces(faces, rows)
    of_split = {int(row): place for place, row in enumerate(faces.indices("val").tolist())}
    if not all(int(row) in of_split for row in rows):
        return ShownFaces(faces, rows)
    chosen = [of_split[int(row)] for row in rows]
    nearest, correlations, copied = _nearest(data, folder)
    return ShownFaces(faces, rows, nearest[chosen], correlations[chosen], copied[chosen])


def copies_in_training(data: ChosenFaces, folder: Path | None = None) -> np.ndarray | None:
    """Return `ShownFaces.copies` of all faces of the validation split; None where runs train on some of them."""
    if data.folds is not None or data.train_on != "train":
        return None
    return ShownFaces(data.faces, data.faces.indices("val"), *_nearest(data, folder)).copies


def _rows(table: FaceTable, faces: Faces) -> np.ndarray:
    names = tuple(faces.class_names)
    if names != table.class_names:
        raise DataError(f"the runs know {', '.join(table.class_names)}; the data {', '.join(names)}")
    known = {name: row for row, name in enumerate(np.asarray(faces.ids).tolist())}
    found = np.array([known.get(name, -1) for name in table.ids.tolist()], np.int64)
    for place in np.flatnonzero(found < 0)[:1]:
        raise DataError(f"the data have no face {table.ids[place]}, which the runs were validated on")
    other = np.asarray(faces.labels)[found] != table.labels
    for place in np.flatnonzero(other)[:1]:
        raise DataError(f"the data label the face {table.ids[place]} otherwise than the runs' validation did")
    for place in np.flatnonzero(np.asarray(faces.splits)[found] == SPLITS.index("test"))[:1]:
        raise DataError(f"the data have the face {table.ids[place]} in the test split, which is not shown")
    return found


def _nearest(data: ChosenFaces, folder: Path | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return positions, correlations and exact copies for the validation split, from the folder where they are kept."""
    faces = data.faces
    ids = digest(np.asarray(faces.ids).tobytes(), np.asarray(faces.splits).tobytes())
    key = digest("nearest", NEAREST, faces.fingerprint, ids)
    if folder is not None and (kept := _read(folder / STORED, key)) is not None:
        return kept
    found = (*data.nearest_in_training("val", NEAREST), data.copied_from_training("val"))
    if folder is not None:
        write_arrays(
            folder / STORED,
            key=np.array(key),
            positions=found[0].astype(np.int32),
            correlations=found[1],
            copied=found[2],
        )
    return found


def _read(path: Path, key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return what is kept under a key; None where nothing is, or where it is damaged or about other data."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            if str(stored["key"]) != key:
                return None
            return stored["positions"].astype(np.int64), stored["correlations"], stored["copied"]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None
