"""Pixels written as decimal numbers: blocks of text are parsed at once, doubtful ones number by number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_lightning.errors import DataError

_SPACE, _ZERO = 32, 48
_PAD = b"   "  # so that the digits before a number's last one can be looked up at its very beginning


def parse_pixels(rows: Sequence[bytes], lines: Sequence[int], side: int, where: str) -> np.ndarray:
    """Parse rows of space-separated grey levels to uint8 [len(rows), side, side].

    Parameters
    ----------
    rows
        The pixel field of each row.
    lines
        Line number of each row, for messages.
    side
        Height and width in pixels: `side` * `side` numbers are expected in each row.
    where
        Name of the file, for messages.

    Raises
    ------
    DataError
        For the first row with another count of numbers, or with one that is no whole number from 0 to 255.
    """
    values = _parse_at_once(rows, side * side)
    if values is None:
        values = np.stack(
            [_parse_exactly(row, side, f"{where} line {line}") for row, line in zip(rows, lines, strict=True)]
        )
    return values.reshape(len(rows), side, side)


def _parse_at_once(rows: Sequence[bytes], count: int) -> np.ndarray | None:
    """Parse to uint8 [len(rows), count], or give None if anything is not exactly as it should be.

    A number ends where a digit is followed by none; its value is that digit, plus ten times the one before if
    that is a digit, plus a hundred times the one before that. All of it is arithmetic on whole arrays.
    """
    text = np.frombuffer(_PAD + b" ".join(rows) + b" ", np.uint8)
    digits = text - np.uint8(_ZERO)
    is_digit = digits < 10
    ends = np.flatnonzero(is_digit[:-1] > is_digit[1:])
    if len(ends) != count * len(rows):
        return None
    row_ends = np.cumsum([len(row) + 1 for row in rows]) + len(_PAD) - 1
    if (np.searchsorted(ends, row_ends) != count * np.arange(1, len(rows) + 1)).any():
        return None
    has_tens = is_digit[ends - 1]
    has_hundreds = has_tens & is_digit[ends - 2]
    values = digits[ends].astype(np.uint16)
    values += digits[ends - 1] * has_tens * np.uint16(10)
    values += digits[ends - 2] * has_hundreds * np.uint16(100)
    only_digits_and_spaces = np.count_nonzero(is_digit) + np.count_nonzero(text == _SPACE) == len(text)
    longer = (has_hundreds & is_digit[ends - 3]).any()
    if not only_digits_and_spaces or longer or values.max(initial=0) > 255:
        return None
    return values.astype(np.uint8).reshape(len(rows), count)


def _parse_exactly(row: bytes, side: int, where: str) -> np.ndarray:
    """Parse one row to uint8 [side * side], or say what is wrong with it."""
    numbers = row.split()
    if len(numbers) != side * side:
        raise DataError(f"{where}: {len(numbers)} pixel values; expected {side * side} ({side}×{side})")
    values = np.empty(side * side, np.uint8)
    for i, number in enumerate(numbers):
        # int() alone would also take "1_0" and "+7", and a cut file deserves no such leniency.
        value = int(number) if number.isdigit() and len(number) < 20 else None
        if value is None or value > 255:
            text = number[:20].decode("utf-8", "replace")
            raise DataError(f"{where}: pixel {i + 1} is {text!r}; expected a whole number from 0 to 255")
        values[i] = value
    return values
