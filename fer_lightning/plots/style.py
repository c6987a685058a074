"""How every figure looks, set for the time of one drawing and never as a side effect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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

_RC: dict[str, object] = {
    "font.family": "DejaVu Sans",
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
    with mpl.rc_context(_RC):  # type: ignore[arg-type]
        yield


def new_axes(width: float = 6.4, height: float = 4.0) -> Axes:
    """Give the axes of a new figure of `width` × `height` inches that no window system knows of.

    The figure is made without pyplot: no back end is chosen, nothing stays in memory after it is dropped.
    Call it within :func:`figure_style`.
    """
    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def save_figure(drawn: Axes | Figure, path: Path | str, dpi: float | None = None) -> Path:
    """Write a figure, or the one that holds the axes; the kind of file follows the ending."""
    path = Path(path)
    figure = drawn if isinstance(drawn, Figure) else drawn.get_figure(root=True)
    assert isinstance(figure, Figure)
    with figure_style():
        figure.savefig(path, dpi=dpi)
    return path
