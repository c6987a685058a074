"""Read the files of a run's teachers, whose predictions its loss mixes with the labels."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from fer_lightning.config.typed import typed_path
from fer_lightning.data.faces import Faces
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.runs.predictions import Predictions, read_predictions

HINT = "expected what evaluate split=train output=DIR writes for these data"


def read_teachers(asked: str | Sequence[str] | None) -> dict[str, Predictions]:
    """Read the logits files of ``loss.teacher``: one path, several, or none; by path.

    Raises
    ------
    ConfigError
        There is no such file.
    DataError
        A file is damaged, does not name its faces, or holds a logit that is no finite number.
    """
    paths = [] if asked is None else [asked] if isinstance(asked, str) else list(asked)
    teachers = {}
    for path in paths:
        if not typed_path(path).is_file():
            raise ConfigError(f"loss.teacher={path}: no such file; {HINT}")
        try:
            teachers[path] = read_predictions(typed_path(path))
        except DataError as error:
            raise DataError(f"loss.teacher: {error}") from None
        if teachers[path].ids is None:
            raise DataError(f"loss.teacher: {path}: does not name its faces; {HINT}")
        unknown = np.flatnonzero(~np.isfinite(teachers[path].logits).all(axis=1))
        if len(unknown):
            raise DataError(
                f"loss.teacher: {path}: not finite logits for {len(unknown):,} of {len(teachers[path].logits):,} "
                f"faces, the first {np.asarray(teachers[path].ids)[unknown[0]]}; expected finite ones"
            )
    return teachers


def fingerprint(teachers: dict[str, Predictions]) -> str | None:
    """Return the hex digest of what the teachers say, wherever their files lie; ``None`` without teachers."""
    if not teachers:
        return None
    total = blake2b(digest_size=16)
    for teacher in teachers.values():
        total.update(np.ascontiguousarray(teacher.logits).tobytes())
        total.update("\0".join(np.asarray(teacher.ids).tolist()).encode())
    return total.hexdigest()


def soft_targets(
    faces: Faces, positions: np.ndarray, teachers: dict[str, Predictions], share: float
) -> Tensor:
    """Return what to train each face on: float32 ``[N, C]``, rows that add up to 1.

    A net that learns from one like itself often becomes better than it (Furlanello et al., "Born-again neural
    networks", 2018; the idea is from Hinton et al., "Distilling the knowledge in a neural network", 2015).

    Parameters
    ----------
    faces
        All N faces of a source.
    positions
        int64 ``[M]``: those that are trained on. The other rows are their labels alone.
    teachers
        Of :func:`read_teachers`. A face's teachers are those whose files hold it, so that halves of the data may
        have different ones; the mean of their probabilities counts.
    share
        Of the teachers in the target, from 0 to 1; the label has the rest.

    Raises
    ------
    DataError
        A teacher knows other classes, or a face that is trained on has none that knows it under its label.
    """
    classes, ids = len(faces.class_names), np.asarray(faces.ids)
    # Some of FER2013's names stand for two faces, under different labels.
    row_of = {(str(ids[row]), int(faces.labels[row])): int(row) for row in positions}
    probabilities, count = np.zeros((len(faces), classes)), np.zeros(len(faces))
    for path, teacher in teachers.items():
        if teacher.class_names != faces.class_names:
            known = ", ".join(teacher.class_names) or "unnamed classes"
            raise DataError(f"loss.teacher: {path}: knows {known}; the data {', '.join(faces.class_names)}")
        names = zip(np.asarray(teacher.ids).tolist(), teacher.labels.tolist(), strict=True)
        rows = np.array([row_of.get(name, -1) for name in names], np.int64)
        held = rows >= 0
        probabilities[rows[held]] += torch.from_numpy(teacher.logits[held]).double().softmax(1).numpy()
        count[rows[held]] += 1
    missing = positions[count[positions] == 0]
    if len(missing):
        raise DataError(
            f"loss.teacher: {', '.join(teachers)}: {len(missing):,} of the {len(positions):,} faces to train on are "
            f"not there, the first {ids[missing[0]]} ({faces.class_names[faces.labels[missing[0]]]}); {HINT}"
        )
    targets = np.eye(classes)[faces.labels] if faces.targets is None else np.array(faces.targets, float)
    targets[positions] += share * (probabilities[positions] / count[positions, None] - targets[positions])
    return torch.from_numpy(targets).float()
