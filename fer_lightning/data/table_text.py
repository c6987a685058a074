"""The text of tables that spreadsheets and other systems write: their encoding, and what separates their columns."""

from __future__ import annotations

import codecs
from pathlib import Path

_SEPARATORS = ",;\t"


def table_text(path: Path) -> str:
    """Return a table's text: UTF-8 with or without a byte-order mark, or UTF-16 with one.

    Bytes that are neither are kept as surrogates, as in the names of files.
    """
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "surrogateescape")


def separator_of(header: str) -> str:
    """Return what separates the columns of a table, by its first line: a comma, a semicolon or a tab."""
    return max(_SEPARATORS, key=header.count)
