"""What FER+'s people call single faces of FER2013, in FER2013's words: to compare labels with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from fer_lightning.data.fer_plus import FER_PLUS_CLASSES, read_votes, require_rows, target_of
from fer_lightning.errors import DataError

IN_FER2013 = dict(
    zip(
        FER_PLUS_CLASSES,
        ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt"),
        strict=True,
    )
)
"""FER2013's name of each class of FER+; it has no contempt."""
UNDECIDED = ""
_FIRST_LINE = 2  # of the faces in fer2013.csv, below the header


def majority_labels(ids: Sequence[str], path: Path) -> list[str]:
    """Return the class that more than half of FER+'s votes name for each face; `UNDECIDED` where none has so many.

    Parameters
    ----------
    ids
        Of faces of ``fer2013.csv``: its lines, or FER+'s names of files.
    path
        ``fer2013new.csv``.

    Raises
    ------
    DataError
        The file cannot be read, it lacks a face, or the ids do not tell the rows of ``fer2013.csv``.
    """
    rows = [_row(stem) for stem in require_rows(ids, path, "fer_plus")]
    try:
        counts = read_votes(path).counts
    except OSError as error:
        raise DataError(f"fer_plus={path}: cannot be read ({error.strerror or error})") from None
    if max(rows, default=0) >= len(counts):
        face = ids[rows.index(max(rows))]
        raise DataError(f"fer_plus={path}: has no row of {face}; it has {len(counts):,} rows")
    targets = [target_of(counts[row], "majority") for row in rows]
    return [
        UNDECIDED if target is None else IN_FER2013[FER_PLUS_CLASSES[int(target.argmax())]]
        for target in targets
    ]


def _row(stem: str) -> int:
    number = int(re.sub(r"\D", "", stem))
    return number - _FIRST_LINE if stem.startswith("line") else number
