"""A list of picture files with their classes, splits and groups: a CSV with ``path,label[,split][,group]``."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from fer_lightning.data.arrays import ordered
from fer_lightning.data.class_folders import split_of
from fer_lightning.data.faces import SPLITS, RawFaces
from fer_lightning.data.image_folder import Listing, read_listing
from fer_lightning.data.members import FolderMembers, legible
from fer_lightning.data.reading import Reading, Source
from fer_lightning.data.splits import UNSPLIT
from fer_lightning.data.table_text import separator_of, table_text
from fer_lightning.errors import DataError
from fer_lightning.messages import counted

COLUMNS = ("path", "label", "split", "group")
_NEEDED = ("path", "label")
_NAMED_AT_ONCE = 10


@dataclass(frozen=True)
class _Row:
    line: int
    path: str
    file: str  # the path as this system has it
    label: str
    split: int
    group: str


def find_list_source(path: Path) -> Source:
    """Look at what should be a list of files.

    Raises
    ------
    DataError
        It is no file.
    """
    if not path.is_file():
        raise DataError(f"{path}: not a file; expected a CSV with the columns {', '.join(_NEEDED)}")
    return Source(path, _fingerprint, read_file_list)


def read_file_list(path: Path, how: Reading) -> RawFaces:
    """Read the pictures of a list; paths are relative to it, or absolute, and are the faces' ids as they stand there.

    Raises
    ------
    DataError
        The list lacks a column, a row is wrong or names a file twice, or files are missing or broken and are not to be
        skipped.
    """
    rows = list(_rows(path))
    if not rows:
        raise DataError(f"{path}: has a header but no rows")
    members = FolderMembers(path.parent, [row.file for row in rows])
    missing = [row for row in rows if not (path.parent / row.file).is_file()]
    if missing and how.unreadable == "refuse":
        raise DataError(_missing(path, missing, len(rows)))
    listing = Listing(
        [(row.file, row.label, row.split) for row in rows],
        [legible(row.path) for row in rows],
        ordered([row.label for row in rows]),
        [row.group for row in rows] if any(row.group for row in rows) else None,
    )
    return read_listing(members, listing, how, path.stem)


def _missing(path: Path, rows: Sequence[_Row], count: int) -> str:
    folder = legible(str(path.parent))
    if len(rows) == 1:
        return (
            f"{path} line {rows[0].line}: path {legible(rows[0].path)!r}: no such file in {folder}; expected all files "
            "of the list, or data.unreadable=skip to leave it out"
        )
    shown = "; ".join(f"line {row.line} {legible(row.path)!r}" for row in rows[:_NAMED_AT_ONCE])
    more = len(rows) - _NAMED_AT_ONCE
    return (
        f"{path}: {len(rows):,} of {counted(count, 'file')} are not in {folder}: {shown}"
        f"{f'; and {more:,} more' if more > 0 else ''}; expected all of them, or "
        "data.unreadable=skip to leave these out"
    )


def _rows(path: Path) -> Iterator[_Row]:
    """Yield the rows of a list.

    Raises
    ------
    DataError
        At the first that is wrong.
    """
    text = io.StringIO(table_text(path), newline="")
    separator = separator_of(text.readline())
    text.seek(0)
    reader = csv.reader(text, skipinitialspace=True, delimiter=separator)
    header = [name.strip().lower() for name in next(reader, [])]
    for name in _NEEDED:
        if name not in header:
            raise DataError(
                f"{path}: no column {name!r} among {', '.join(map(repr, map(legible, header[:8]))) or 'nothing'}"
            )
    for name in header:
        if name not in COLUMNS or header.count(name) > 1:
            raise DataError(f"{path}: column {legible(name)!r}: expected {', '.join(COLUMNS)}, each once")
    seen: dict[str, int] = {}
    for fields in reader:
        if not any(field.strip() for field in fields):
            continue
        where = f"{path} line {reader.line_num}"
        if len(fields) != len(header):
            raise DataError(f"{where}: {len(fields)} fields; expected {len(header)} as in the header")
        row = _row(path, reader.line_num, dict(zip(header, map(str.strip, fields), strict=True)))
        first = seen.setdefault(os.path.normpath(path.parent / row.file), row.line)
        if first != row.line:
            raise DataError(
                f"{where}: path {legible(row.path)!r} stands in line {first} too; expected it once"
            )
        yield row


def _row(path: Path, line: int, cells: dict[str, str]) -> _Row:
    for name in (*_NEEDED, *(["group"] if "group" in cells else [])):
        if not cells[name]:
            raise DataError(f"{path} line {line}: {name} is empty; expected a value")
    told = cells.get("split", "")
    split = split_of(told) if told else UNSPLIT
    if split is None:
        raise DataError(
            f"{path} line {line}: split is {legible(told)!r}; expected {', '.join(SPLITS)}, or nothing"
        )
    typed, group = cells["path"], legible(cells.get("group", ""))
    return _Row(line, typed, _file_of(path.parent, typed), legible(cells["label"]), split, group)


def _file_of(folder: Path, typed: str) -> str:
    r"""Return a path as this system has it: as it stands, read as Latin-1, or with Windows's ``\`` as ``/``."""
    spellings = [typed, legible(typed), legible(typed).replace("\\", "/")]
    return next((each for each in spellings if (folder / each).is_file()), typed)


def _fingerprint(path: Path) -> str:
    """Give the digest of the list, and of the size and modification time of each file."""
    total = blake2b(path.read_bytes(), digest_size=16)
    for row in _rows(path):
        file = path.parent / row.file
        if file.is_file():
            stat = file.stat()
            total.update(f"{stat.st_size} {stat.st_mtime_ns}\n".encode())
    return total.hexdigest()
