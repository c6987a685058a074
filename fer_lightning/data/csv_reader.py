"""FER2013 as text: fer2013.csv, icml_face_data.csv and the competition's train.csv."""

from __future__ import annotations

import csv
import difflib
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from fer_lightning.data.faces import FER_CLASSES, RawFaces
from fer_lightning.data.pixel_text import parse_pixels
from fer_lightning.data.splits import TEST, TRAIN, VAL, Splitting
from fer_lightning.data.table_text import separator_of
from fer_lightning.errors import DataError

CSV_SIDE = 48
"""Height and width of the faces in FER2013's tables, in pixels."""

_REQUIRED = ("emotion", "pixels")
_LABELS = {str(i).encode(): i for i in range(len(FER_CLASSES))}
_USAGES = {b"Training": TRAIN, b"PublicTest": VAL, b"PrivateTest": TEST}
_BATCH = 16  # rows parsed at once: about 130 kB, which stays in the processor's cache
_OUTER = b" \t\r\n"


def header_columns(line: bytes) -> list[str]:
    """Give the column names in a table's first line, without byte-order mark, quotes and outer spaces."""
    text = line.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").strip()
    return [name.strip() for name in _parse_line(text, separator_of(text))]


def is_fer_header(line: bytes) -> bool:
    """Say whether a first line has the columns `emotion` and `pixels`."""
    return b"\0" not in line and set(_REQUIRED) <= {name.lower() for name in header_columns(line)}


def read_fer_csv(file: BinaryIO, where: str, splitting: Splitting) -> RawFaces:
    """Read a table with the columns emotion, pixels and, where there is one, Usage.

    Parameters
    ----------
    file
        Open for reading bytes, at its beginning.
    where
        Name of the file, for messages.
    splitting
        For a table without Usage or without validation rows. Such a table gets no test split.

    Returns
    -------
    RawFaces
        Images of 48×48 in the order of the rows; ids are ``line 2`` and so on, the header being line 1.

    Raises
    ------
    DataError
        At the first thing that is wrong, with the line's number and what was expected.
    """
    header = file.readline()
    if not header.strip():
        raise DataError(f"{where}: is empty: expected a table with the columns emotion, pixels and Usage")
    rows = _Rows(where, _find_columns(header, where))
    for line, text in enumerate(file, start=2):
        if text.strip(_OUTER):
            rows.add(line, text)
    images = rows.images()
    if not len(images):
        if b"\r" in header.strip():
            raise DataError(
                f"{where}: its lines end in CR alone; expected LF or CR LF (tr '\\r' '\\n' converts it)"
            )
        raise DataError(f"{where}: has a header but no rows")
    labels, splits = np.array(rows.labels, np.int64), np.array(rows.splits, np.uint8)
    notes: list[str] = []
    splits = splitting.complete(where, splits, labels, FER_CLASSES, notes=notes)
    ids = np.char.add("line ", np.array(rows.lines).astype(np.str_))
    return RawFaces(images, labels, splits, ids, FER_CLASSES, "fer2013", notes=tuple(notes))


@dataclass(frozen=True)
class _Columns:
    emotion: int
    pixels: int
    usage: int | None
    count: int
    separator: str


def _find_columns(header: bytes, where: str) -> _Columns:
    found = header_columns(header)
    lower = [name.lower() for name in found]
    for name in _REQUIRED:
        if name not in lower:
            shown = ", ".join(repr(column[:20]) for column in found[:8])
            near = difflib.get_close_matches(name, lower, n=1)
            hint = f"; the nearest is {found[lower.index(near[0])]!r}" if near else ""
            raise DataError(f"{where}: no column {name!r} among {shown}{hint}")
    usage = lower.index("usage") if "usage" in lower else None
    separator = separator_of(header.decode("utf-8", "replace"))
    return _Columns(lower.index("emotion"), lower.index("pixels"), usage, len(found), separator)


class _Rows:
    """Rows read so far; pixels are parsed a batch at a time."""

    def __init__(self, where: str, columns: _Columns) -> None:
        self.where, self.columns = where, columns
        self.lines: list[int] = []
        self.labels: list[int] = []
        self.splits: list[int] = []
        self._pending: list[bytes] = []
        self._parsed: list[np.ndarray] = []

    def add(self, line: int, text: bytes) -> None:
        columns = self.columns
        fields = _split_fields(text, columns.separator)
        if len(fields) != columns.count:
            raise DataError(
                f"{self.where} line {line}: {len(fields)} fields; expected {columns.count} as in the header"
            )
        self.lines.append(line)
        self.labels.append(self._value(line, "emotion", fields[columns.emotion], _LABELS))
        if columns.usage is None:
            # The competition's table: train and val only. Its test faces came without labels.
            self.splits.append(TRAIN)
        else:
            self.splits.append(self._value(line, "Usage", fields[columns.usage], _USAGES))
        self._pending.append(fields[columns.pixels].strip(_OUTER))
        if len(self._pending) == _BATCH:
            self._parse_pending()

    def images(self) -> np.ndarray:
        """Give all faces, uint8 [N, 48, 48]."""
        self._parse_pending()
        return np.concatenate(self._parsed) if self._parsed else np.empty((0, CSV_SIDE, CSV_SIDE), np.uint8)

    def _parse_pending(self) -> None:
        if self._pending:
            lines = self.lines[-len(self._pending) :]
            self._parsed.append(parse_pixels(self._pending, lines, CSV_SIDE, self.where))
            self._pending = []

    def _value(self, line: int, column: str, field: bytes, allowed: dict[bytes, int]) -> int:
        value = allowed.get(field.strip(_OUTER))
        if value is None:
            shown = field.strip(_OUTER)[:20].decode("utf-8", "replace")
            expected = ", ".join(name.decode() for name in allowed)
            classes = f" ({', '.join(FER_CLASSES)})" if column == "emotion" else ""
            raise DataError(
                f"{self.where} line {line}: {column} is {shown!r}; expected one of {expected}{classes}"
            )
        return value


def _split_fields(text: bytes, separator: str) -> list[bytes]:
    if b'"' not in text:
        return text.split(separator.encode())
    return [field.encode() for field in _parse_line(text.decode("utf-8", "replace").strip(), separator)]


def _parse_line(text: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([text], skipinitialspace=True, delimiter=separator), [])
    except csv.Error:  # a stray carriage return or a giant field, as in files that are no tables
        return text.split(separator)
