"""A list of picture files with their classes, splits and groups: a CSV with ``path,label[,split][,group]``."""

from __future__ import annotations

import csv
from collections.abc import Iterator
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
from fer_lightning.errors import DataError

COLUMNS = ("path", "label", "split", "group")
_NEEDED = ("path", "label")


@dataclass(frozen=True)
class _Row:
    line: int
    path: str
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
        The list lacks a column, a row is wrong, names a file twice or one that is missing, or a file is broken.
    """
    rows = list(_rows(path))
    if not rows:
        raise DataError(f"{path}: has a header but no rows")
    members = FolderMembers(path.parent, [row.path for row in rows])
    for row in rows:
        if not (path.parent / row.path).is_file():
            raise DataError(
                f"{path} line {row.line}: path {row.path!r}: no such file in {legible(str(path.parent))}"
            )
    listing = Listing(
        [(row.path, row.label, row.split) for row in rows],
        [legible(row.path) for row in rows],
        ordered([row.label for row in rows]),
        [row.group for row in rows] if any(row.group for row in rows) else None,
    )
    return read_listing(members, listing, how, path.stem)


def _rows(path: Path) -> Iterator[_Row]:
    seen: dict[str, int] = {}
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, skipinitialspace=True)
        header = [name.strip().lower() for name in next(reader, [])]
        for name in _NEEDED:
            if name not in header:
                raise DataError(
                    f"{path}: no column {name!r} among {', '.join(map(repr, header[:8])) or 'nothing'}"
                )
        for name in header:
            if name not in COLUMNS or header.count(name) > 1:
                raise DataError(f"{path}: column {name!r}: expected {', '.join(COLUMNS)}, each once")
        grouped = "group" in header
        for fields in reader:
            line = reader.line_num
            if not any(field.strip() for field in fields):
                continue
            if len(fields) != len(header):
                raise DataError(
                    f"{path} line {line}: {len(fields)} fields; expected {len(header)} as in the header"
                )
            row = dict.fromkeys(COLUMNS, "") | dict(zip(header, map(str.strip, fields), strict=True))
            for name in (*_NEEDED, *(["group"] if grouped else [])):
                if not row[name]:
                    raise DataError(f"{path} line {line}: {name} is empty; expected a value")
            split = split_of(row["split"]) if row["split"] else UNSPLIT
            if split is None:
                raise DataError(
                    f"{path} line {line}: split is {row['split']!r}; expected {', '.join(SPLITS)}, or nothing"
                )
            first = seen.setdefault(row["path"], line)
            if first != line:
                raise DataError(
                    f"{path} line {line}: path {row['path']!r} stands in line {first} too; expected it once"
                )
            yield _Row(line, row["path"], row["label"], split, row["group"])


def _fingerprint(path: Path) -> str:
    """Give the digest of the list, and of the size and modification time of each file."""
    total = blake2b(path.read_bytes(), digest_size=16)
    for row in _rows(path):
        file = path.parent / row.path
        if file.is_file():
            stat = file.stat()
            total.update(f"{stat.st_size} {stat.st_mtime_ns}\n".encode())
    return total.hexdigest()
