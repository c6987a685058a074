"""FER+: ten people's votes on each face of FER2013 (Barsoum et al. 2016, arXiv 1608.01041)."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from fer_lightning.data.decode import selected
from fer_lightning.data.faces import RawFaces
from fer_lightning.data.splits import TEST, TRAIN, VAL, check_classes
from fer_lightning.errors import DataError

FER_PLUS_CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""The eight expressions that FER+ votes on."""
_COLUMNS = (*FER_PLUS_CLASSES, "unknown", "NF")
_USAGES = {"Training": TRAIN, "PublicTest": VAL, "PrivateTest": TEST}
_ROW_OF_CSV, _FILE_NAME = re.compile(r"line \d+"), re.compile(r"fer(\d{7})")
_SHARE, _MULTI_SHARE, _MOST_CLASSES = 0.75, 0.3, 3

LabelMode = Literal["majority", "probability", "multi_target"]
"""How votes become labels, as the paper calls it."""


@dataclass(frozen=True)
class Votes:
    """What is in ``fer2013new.csv``: one row for each row of ``fer2013.csv``.

    Attributes
    ----------
    splits
        uint8 ``[N]``, index into :data:`~fer_lightning.data.faces.SPLITS`.
    counts
        int64 ``[N, 10]``: votes for each of the eight classes, for "unknown" and for "no face".
    """

    splits: np.ndarray
    counts: np.ndarray


def read_votes(path: Path) -> Votes:
    """Read ``fer2013new.csv``.

    Raises
    ------
    DataError
        It lacks a column, or a row has another usage or other votes than expected.
    """
    splits, counts = [], []
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.DictReader(file)
        header = reader.fieldnames or []
        for name in ("Usage", *_COLUMNS):
            if name not in header:
                raise DataError(f"{path}: no column {name!r}; expected FER+'s fer2013new.csv")
        for row in reader:
            where = f"{path} line {reader.line_num}"
            if row["Usage"] not in _USAGES:
                raise DataError(f"{where}: Usage is {row['Usage']!r}; expected one of {', '.join(_USAGES)}")
            votes = [row[name] or "" for name in _COLUMNS]
            for name, vote in zip(_COLUMNS, votes, strict=True):
                if not vote.isdecimal():
                    raise DataError(f"{where}: {name} is {vote!r}; expected a number of votes")
            splits.append(_USAGES[row["Usage"]])
            counts.append([int(vote) for vote in votes])
    return Votes(np.array(splits, np.uint8), np.array(counts, np.int64).reshape(-1, len(_COLUMNS)))


def with_votes(raw: RawFaces, path: Path, mode: LabelMode) -> RawFaces:
    """Give FER2013's faces the labels of FER+, and leave out those on which it does not decide.

    Validation and test faces get the majority's class in every mode, as in the paper's program.

    Parameters
    ----------
    raw
        FER2013 with its own labels.
    path
        ``fer2013new.csv``.
    mode
        See :func:`target_of`.

    Raises
    ------
    DataError
        The faces are not in the order of ``fer2013.csv``, so that no votes can be told to be theirs.
    """
    votes = read_votes(path)
    rows = _rows_of(raw, votes, path)
    modes = [mode if split == TRAIN else "majority" for split in votes.splits[rows]]
    found = [target_of(votes.counts[row], each) for row, each in zip(rows, modes, strict=True)]
    kept = np.flatnonzero([target is not None for target in found])
    targets = np.array([target for target in found if target is not None], np.float32)
    targets = targets.reshape(-1, len(FER_PLUS_CLASSES))
    labels = targets.argmax(axis=1)
    if mode == "multi_target":  # all that are meant count alike
        targets = (targets > 0) / (targets > 0).sum(axis=1, keepdims=True).astype(np.float32)
    splits = votes.splits[rows][kept]
    check_classes(str(path), splits, labels, FER_PLUS_CLASSES)
    left_out = len(raw.images) - len(kept)
    note = f"labels of FER+ ({mode}); {left_out:,} of {len(raw.images):,} faces that it leaves undecided are left out"
    return replace(
        raw,
        images=selected(raw.images, kept),
        labels=labels,
        splits=splits,
        ids=raw.ids[kept],
        class_names=FER_PLUS_CLASSES,
        notes=(*raw.notes, note),
        targets=None if mode == "majority" else targets,
    )


def target_of(votes: np.ndarray, mode: LabelMode) -> np.ndarray | None:
    """Return the share of each of the eight classes in a face's label, float64 ``[8]``, or None where none is decided.

    As in the paper's program (github.com/microsoft/FERPlus, ``src/ferplus.py``): single votes do not count. A face is
    left out where what is chosen has no more than half of the votes, or is led by "unknown" or "no face".

    Parameters
    ----------
    votes
        int ``[10]``.
    mode
        ``majority`` takes the class with more than half of the votes. ``probability`` takes the most voted classes, at
        most three, until they have three quarters of the votes, each with its share. ``multi_target`` takes every class
        with 30 % of the votes or more.
    """
    votes = np.where(votes > 1, votes, 0)
    total = int(votes.sum())
    if mode == "majority":
        chosen = np.where(np.arange(len(votes)) == votes.argmax(), votes, 0)
    elif mode == "multi_target":
        chosen = np.where(votes >= _MULTI_SHARE * total, votes, 0)
    else:
        chosen = _most_voted(votes, total)
    if 2 * chosen.sum() <= total or chosen.argmax() >= len(FER_PLUS_CLASSES):
        return None
    classes: np.ndarray = chosen[: len(FER_PLUS_CLASSES)]
    return classes / classes.sum()


def _most_voted(votes: np.ndarray, total: int) -> np.ndarray:
    """Take classes by their votes, those of equal votes together, until they have enough or "unknown" has its turn."""
    chosen = np.zeros_like(votes)
    for most in sorted(set(votes[votes > 0].tolist()), reverse=True):
        if chosen.sum() >= _SHARE * total or np.count_nonzero(chosen) >= _MOST_CLASSES:
            break
        tied = votes == most
        if tied[len(FER_PLUS_CLASSES) :].any():  # it counts only where it comes first
            chosen[: len(FER_PLUS_CLASSES)][tied[: len(FER_PLUS_CLASSES)]] = most
            chosen = chosen if chosen.any() else np.where(tied, votes, 0)
            break
        chosen[tied] = most
    return chosen if np.count_nonzero(chosen) <= _MOST_CLASSES else np.zeros_like(votes)


def require_rows(ids: Sequence[str], path: Path, key: str = "data.labels") -> list[str]:
    """Return the names of faces without folders and endings, which must tell the row of each in ``fer2013.csv``.

    ``key`` is what named the file, for the message.

    Raises
    ------
    DataError
        They do not, as those of Kaggle's files.
    """
    stems = [PurePosixPath(name).stem for name in ids]
    if not any(all(map(pattern.fullmatch, stems)) for pattern in (_ROW_OF_CSV, _FILE_NAME)):
        raise DataError(
            f"{key}={path}: FER+ follows the rows of fer2013.csv, which file names do not tell "
            f"(the first is {stems[0]}); expected data.path=…/fer2013.csv, or files called fer0000000.png and so on"
        )
    return stems


def _rows_of(raw: RawFaces, votes: Votes, path: Path) -> np.ndarray:
    """Return the row of each face in ``fer2013.csv``: by the order of the table, or by FER+'s names of files."""
    stems = require_rows(raw.ids.tolist(), path)
    named = [_FILE_NAME.fullmatch(stem) for stem in stems]
    if all(named):
        rows = np.array([int(match[1]) for match in named if match])
        beyond = np.flatnonzero(rows >= len(votes.counts))
        if len(beyond):
            raise DataError(
                f"data.labels={path}: has no row of {stems[beyond[0]]}; it has {len(votes.counts):,} rows"
            )
        return rows
    if len(stems) != len(votes.counts):
        raise DataError(
            f"data.labels={path}: has {len(votes.counts):,} rows; expected one for each of {len(stems):,} faces"
        )
    differs = np.flatnonzero(raw.splits != votes.splits)
    if len(differs):
        usages = list(_USAGES)
        raise DataError(
            f"data.labels={path}: Usage of row {differs[0] + 1} is {usages[votes.splits[differs[0]]]}, of the face "
            f"({raw.ids[differs[0]]}) {usages[raw.splits[differs[0]]]}; expected the rows of fer2013.csv"
        )
    return np.arange(len(stems))
