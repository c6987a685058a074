"""Read the files of a run's teachers, whose predictions its loss mixes with the labels."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from fer_lightning.config.typed import typed_path
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
