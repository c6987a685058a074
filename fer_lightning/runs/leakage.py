"""Which faces of a split have a copy in training, kept beside the logits: accuracies and verdicts without them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final, Literal

import numpy as np

from fer_lightning.errors import DataError
from fer_lightning.runs.files import write_arrays

Judged = Literal["all", "no_copy", "no_near_copy"]
WITHOUT: Final[dict[str, str]] = {
    "all": "",
    "no_copy": ", without faces that have a copy in training",
    "no_near_copy": ", without faces that have a copy or near copy in training",
}
"""Faces that are judged, and what is said of them: all, those without an exact copy, or without a near one either."""


def write_copies(path: Path, copied: np.ndarray, nearly: np.ndarray) -> None:
    """Write for each face of a split whether it has an exact copy in training, and a near one: bool ``[N]`` each."""
    write_arrays(path, copied=copied, nearly=nearly)


def read_kept(path: Path, faces: str, count: int) -> np.ndarray:
    """Say which faces of a split are judged: bool ``[N]``.

    Parameters
    ----------
    path
        A file of :func:`write_copies`; not read where all faces are judged.
    faces
        A key of :data:`WITHOUT`.
    count
        The N faces of the split.

    Raises
    ------
    DataError
        There is no such file, it is damaged, or it is about another number of faces.
    """
    if faces == "all":
        return np.ones(count, bool)
    name = {"no_copy": "copied", "no_near_copy": "nearly"}[faces]
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = np.asarray(stored[name])
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; faces={faces} needs what evaluate … output=DIR writes: evaluate it again"
        ) from None
    except (KeyError, ValueError, EOFError, OSError, zipfile.BadZipFile, TypeError, AttributeError):
        raise DataError(f"{path}: cannot be read; expected a whole file of evaluate … output=DIR") from None
    if found.dtype != bool or found.shape != (count,):
        raise DataError(
            f"{path}: {found.dtype} of shape {found.shape}; expected bool, one for each of {count} faces"
        )
    return ~found
