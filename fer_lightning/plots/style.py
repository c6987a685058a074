"""How every figure looks, set for the time of one drawing and never as a side effect."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, fontManager, get_font

from fer_lightning.messages import say_once

Place = TypeVar("Place", Path, IO[bytes])

# Okabe & Ito (2008), "Color Universal Design": told apart with every common kind of colour blindness.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
)
GREY = "#6E6E6E"
SEQUENTIAL = "cividis"

# Fonts of Linux, macOS and Windows for what DejaVu Sans lacks; those that are installed are asked in this order.
_FALLBACKS = (
    *(
        "Noto Sans CJK SC",
        "Noto Sans CJK JP",
        "Noto Sans CJK KR",
        "Noto Sans SC",
        "Noto Sans JP",
        "Noto Sans KR",
    ),
    *("Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback", "IPAGothic"),
    *("Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic"),
    *(
        "Noto Sans Arabic",
        "Noto Sans Hebrew",
        "Noto Sans Devanagari",
        "Noto Sans Thai",
        "Geeza Pro",
        "Tahoma",
    ),
    *("Nirmala UI", "Leelawadee UI", "Arial Unicode MS", "Noto Emoji", "Segoe UI Emoji", "Segoe UI Symbol"),
    *("Symbola", "FreeSans", "Unifont"),
)
_NO_GLYPH = r"Glyph (\d+) .*missing from"
_RC: dict[str, object] = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "axes.prop_cycle": cycler(color=[BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY]),
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "lines.linewidth": 1.4,
    "figure.dpi": 100.0,
    "savefig.dpi": 150.0,
    "image.cmap": SEQUENTIAL,
    "text.parse_math": False,  # a dollar in a name is a dollar
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Within this context figures take the project's look; matplotlib's settings are as before afterwards."""
    with mpl.rc_context(_RC | {"font.family": families()}):  # type: ignore[arg-type]
        yield


@cache
def families() -> list[str]:
    """Return the fonts that are asked for a letter, in this order."""
    installed = set(fontManager.get_font_names())
    return ["DejaVu Sans", *(name for name in _FALLBACKS if name in installed)]


def new_axes(width: float = 6.4, height: float = 4.0) -> Axes:
    """Give the axes of a new figure of `width` × `height` inches that no window system knows of.

    The figure is made without pyplot: no back end is chosen, nothing stays in memory after it is dropped.
    Call it within :func:`figure_style`.
    """
    return Figure(figsize=(width, height), layout="constrained").add_subplot()


@cache
def known_letters() -> frozenset[int]:
    """Return the code points that one of the fonts has."""
    return frozenset().union(*(get_font(findfont(name)).get_charmap() for name in families()))


def say_lacking(letters: Iterable[str]) -> None:
    """Say, once in a process, which letters no font has."""
    shown = "".join(sorted(letters))
    if shown:
        say_once(f"figures show boxes for {shown}: no font that matplotlib finds has these letters", "glyphs")


def save_figure(drawn: Axes | Figure, place: Place, **options: Any) -> Place:
    """Write a figure, or the one that holds the axes; the kind of file follows the ending.

    Letters that no installed font has are said once, and drawn as boxes.
    """
    figure = drawn if isinstance(drawn, Figure) else drawn.get_figure(root=True)
    assert isinstance(figure, Figure)
    with figure_style(), warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", _NO_GLYPH)
        figure.savefig(place, **options)
    lacking = set()
    for item in caught:
        glyph = re.match(_NO_GLYPH, str(item.message))
        if glyph:
            lacking.add(chr(int(glyph[1])))
        else:
            warnings.warn_explicit(item.message, item.category, item.filename, item.lineno)
    say_lacking(lacking)
    return place
