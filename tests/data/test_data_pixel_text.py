from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fer_lightning.data.pixel_text import parse_pixels
from fer_lightning.errors import DataError


def naive(rows: list[bytes], side: int) -> list[list[int]] | None:
    """The same, number by number; None where something is wrong."""
    parsed = []
    for row in rows:
        numbers = row.split()
        if len(numbers) != side * side or any(not n.isdigit() or int(n) > 255 for n in numbers):
            return None
        parsed.append([int(n) for n in numbers])
    return parsed


def spelled(value: int, zeros: int, spaces: int) -> bytes:
    return b"0" * zeros + str(value).encode() + b" " * spaces


NUMBER = st.builds(spelled, st.integers(0, 255), st.integers(0, 2), st.integers(1, 3))
ROW = st.lists(NUMBER, min_size=4, max_size=4).map(b"".join)


@settings(deadline=None)
@given(st.lists(ROW, min_size=1, max_size=5))
def test_numbers_are_read_as_by_the_naive_parser(rows: list[bytes]) -> None:
    parsed = parse_pixels(rows, range(2, 2 + len(rows)), 2, "f.csv")
    assert parsed.dtype == np.uint8
    assert parsed.reshape(len(rows), 4).tolist() == naive(rows, 2)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text("0123456789 -.x\t", max_size=12).map(str.encode), min_size=1, max_size=3))
@example([b"1 2 3", b"4 5 6 7 8"])  # the right number of numbers, in the wrong rows
@example([b"1 2 3 4", b"1 2 3 256"])
@example([b"1 2 3 1000"])
@example([b"1 2 3 -4"])
@example([b"1 2 3 4x"])
@example([b"1 2 3 0004"])
@example([b"1\t2 3 4"])
@example([b""])
def test_any_text_is_either_read_right_or_refused(rows: list[bytes]) -> None:
    expected = naive(rows, 2)
    if expected is None:
        with pytest.raises(DataError, match=r"^f\.csv line \d+: "):
            parse_pixels(rows, range(2, 2 + len(rows)), 2, "f.csv")
    else:
        assert parse_pixels(rows, range(2, 2 + len(rows)), 2, "f.csv").reshape(-1, 4).tolist() == expected


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (b"1 2 3", "f.csv line 8: 3 pixel values; expected 4 (2×2)"),
        (b"1 2 3 4 5", "f.csv line 8: 5 pixel values; expected 4 (2×2)"),
        (b"1 2 300 4", "f.csv line 8: pixel 3 is '300'; expected a whole number from 0 to 255"),
        (b"1 -2 3 4", "f.csv line 8: pixel 2 is '-2'; expected a whole number from 0 to 255"),
        (b"1 2 3 4.0", "f.csv line 8: pixel 4 is '4.0'; expected a whole number from 0 to 255"),
        (b"abc 2 3 4", "f.csv line 8: pixel 1 is 'abc'; expected a whole number from 0 to 255"),
        (
            b"9" * 5000 + b" 2 3 4",
            f"f.csv line 8: pixel 1 is '{'9' * 20}'; expected a whole number from 0 to 255",
        ),
    ],
)
def test_the_message_names_line_and_value(bad: bytes, message: str) -> None:
    with pytest.raises(DataError) as error:
        parse_pixels([b"1 2 3 4", bad, b"1 2 3 4"], [7, 8, 9], 2, "f.csv")
    assert str(error.value) == message
