"""The groups of a study's validation faces, by one of its checkpoints; kept beside its report."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.data.fingerprint import digest
from fer_lightning.data.labelled_pictures import SplitPictures
from fer_lightning.errors import DataError
from fer_lightning.explain.model_slices import GroupedFaces, grouped_faces
from fer_lightning.runs.files import write_arrays
from fer_lightning.runs.run import Run
from fer_lightning.training.checkpoints import load_classifier, read_checkpoint
from fer_lightning.training.module import CHECKPOINT_KEY

STORED: Final = "face_groups.npz"
_BUILT = ("model", "normalization", "module", "loss", "metrics")
_OWN = "fer_lightning."


def kept_groups(run: Run, data: FaceDataModule, count: int, folder: Path) -> GroupedFaces:
    """Return the groups of the validation faces, from the folder where they are kept or by a forward pass.

    Parameters
    ----------
    run
        With a checkpoint.
    data
        That it was validated on.
    count
        Groups; see `group_count`.
    folder
        Where they are kept (:data:`STORED`).

    Raises
    ------
    DataError
        The checkpoint would run code that is no part of this package, or does not fit the data.
    UserError
        It cannot be read, or the network has no features.
    """
    assert run.checkpoint is not None
    faces = data.faces
    rows = faces.indices("val")
    ids, labels = np.asarray(faces.ids)[rows], np.asarray(faces.labels)[rows].astype(np.int64)
    stamp = run.checkpoint.stat()
    key = digest("groups", count, faces.fingerprint, ids.tobytes(), stamp.st_size, stamp.st_mtime_ns)
    path = folder / STORED
    if (kept := _read(path, key)) is not None:
        return GroupedFaces(ids, labels, *kept)
    # Whoever looks at a study does not mean to run what its files name.
    config = read_checkpoint(run.checkpoint)[CHECKPOINT_KEY]["config"]
    if foreign := [name for key in _BUILT for name in _targets(config.get(key)) if not name.startswith(_OWN)]:
        raise DataError(
            f"{foreign[0]} is no part of this package; “evaluate checkpoint={run.checkpoint} output=DIR” runs it"
        )
    module = load_classifier(run.checkpoint).to("cuda" if torch.cuda.is_available() else "cpu")
    if module.class_names != faces.class_names:
        raise DataError(f"{run.checkpoint}: knows other classes than the data")
    grouped = grouped_faces(module, SplitPictures(data, "val").batches(), ids, labels, count)
    write_arrays(path, key=np.array(key), group=grouped.group, levels=grouped.levels)
    return grouped


def _read(path: Path, key: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return what is kept under a key; None where nothing is, or where it is damaged or about something else."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return (stored["group"], stored["levels"]) if str(stored["key"]) == key else None
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def _targets(node: Any) -> list[str]:
    """Return everything that a node of a configuration would build."""
    if isinstance(node, Mapping):
        own = [str(node["_target_"])] if node.get("_target_") else []
        return own + [name for value in node.values() for name in _targets(value)]
    if isinstance(node, Sequence) and not isinstance(node, str):
        return [name for value in node for name in _targets(value)]
    return []
