"""A part of the page: figures, each with a sentence that says what is seen, and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_lightning.plots.style import save_figure
from fer_lightning.redact import redact, redact_text


@dataclass(frozen=True)
class Picture:
    """A figure's file, what it shows, and, of a saliency map, what the checks say of its method."""

    path: Path
    says: str
    verdict: str = ""


@dataclass(frozen=True)
class Table:
    """A table with its header and what it shows."""

    says: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass
class Section:
    """What a part found.

    Attributes
    ----------
    key, title
        Name of the part for ``only=…``, and its heading.
    folder
        Where its files lie.
    says
        Sentences at its beginning.
    pictures, tables
        In the order of the page.
    left_out
        Why the part, or something of it, could not be made.
    """

    key: str
    title: str
    folder: Path
    says: list[str] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def draw(self, drawn: Axes | Figure, name: str, says: str, verdict: str = "") -> None:
        """Write a figure as ``<name>.png`` and put it on the page."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # No empty bands at the edges.
        path = save_figure(drawn, self.folder / f"{name}.png", bbox_inches="tight", pad_inches=0.08)
        self.pictures.append(Picture(path, redact_text(says), redact_text(verdict)))

    def tabulate(self, says: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Put a table on the page."""
        self.tables.append(Table(says, list(header), redact([list(map(str, row)) for row in rows])))
