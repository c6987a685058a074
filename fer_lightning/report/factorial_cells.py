"""How the factorial part of a report reads, in the terminal, in Markdown and on the page."""

from __future__ import annotations

import math

from fer_lightning.stats.factorial import FactorialPart

HEADER = ("term", "share of variance", "F", "p (Holm)")
EXPLANATION = (
    "Analysis of variance over the complete runs, seeds as blocks: a term with two factors is their interaction "
    "(they act differently together than apart). Its p-values speak of new seeds on the same images, and take the runs "
    "of all arms to vary alike."
)


def factorial_cells(part: FactorialPart) -> list[list[str]]:
    """Rows of the table as text, under `HEADER`."""

    def shown(value: float, form: str) -> str:
        return "–" if math.isnan(value) else format(value, form)

    return [
        [
            " × ".join(row.term),
            f"{100 * row.share:.1f} %",
            shown(row.f, ".2f"),
            "<0.001" if row.p_holm < 0.001 else shown(row.p_holm, ".3f"),
        ]
        for row in part.anova.rows
    ]


def importance_line(part: FactorialPart) -> str:
    """The fANOVA importances in one line."""
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in part.importance.items())
    return f"Importance (fANOVA): {shares}."
