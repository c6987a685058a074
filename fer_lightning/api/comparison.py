"""Verdicts on arms: what `compare`, `ablation` and `report` return."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes

from fer_lightning.config.typed import typed_path
from fer_lightning.plots.forest import plot_effects
from fer_lightning.plots.style import save_figure
from fer_lightning.report import cells
from fer_lightning.report.effects import effects_data
from fer_lightning.report.report_files import report_rows, write_report
from fer_lightning.report.text import table_cells, to_text
from fer_lightning.runs.notebook_html import lines_html, picture_html, table_html
from fer_lightning.stats.ablation import AblationReport

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Comparison:
    """Arms compared with a baseline; `str` of it is the table for a terminal, a notebook shows table and figure.

    Attributes
    ----------
    report
        Every number: its ``arms`` are the rows, the best first, and ``arm(name)`` is one of them.
    """

    report: AblationReport

    @property
    def verdicts(self) -> dict[str, str]:
        """The word for each arm, as in :func:`~fer_lightning.stats.verdict.verdict`, or ``baseline``."""
        return {row.arm: row.verdict for row in self.report.arms}

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know to read the numbers right."""
        return self.report.notes

    @property
    def tuned(self) -> Comparison | None:
        """The same arms, each at its own tuned settings, where that was asked for."""
        return None if self.report.tuned is None else Comparison(self.report.tuned)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One mapping an arm, with the columns of ``report.csv``; tuned arms follow."""
        return report_rows(self.report)

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a table, with the arms as its index."""
        import pandas as pd

        return pd.DataFrame(self.rows).set_index("arm")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw each arm's difference from the baseline with its interval."""
        return plot_effects(effects_data(self.report), ax)

    def write(self, folder: str | Path) -> dict[str, Path]:
        """Write ``report.txt``, ``.md``, ``.csv``, ``.json`` and ``effects.png``; return their paths by ending."""
        return write_report(self.report, typed_path(folder))

    def __repr__(self) -> str:
        return f"Comparison({self.report.objective.name}, {self.verdicts})"

    def __str__(self) -> str:
        return to_text(self.report)

    def _repr_html_(self) -> str:
        report = self.report
        lines = [cells.how_to_read(report), cells.cost_line(report), *cells.failure_lines(report)]
        lines += cells.single_run_lines(report)
        lines += [f"Note: {note}." for note in report.notes] + cells.seeds_lines(report)
        save_figure(self.plot(), picture := io.BytesIO())
        parts = [
            lines_html([cells.headline(report)]),
            table_html(*table_cells(report)),
            picture_html(picture.getvalue()),
            lines_html(lines),
        ]
        return "".join(parts) + ("" if self.tuned is None else self.tuned._repr_html_())
