"""The factorial part of a report: which factors matter, and which act differently together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fer_lightning.errors import DataError
from fer_lightning.stats.factorial import Anova, anova_table, crossed_pairs
from fer_lightning.stats.importance import factor_importance
from fer_lightning.stats.records import ArmRun

HEADER = ("term", "share of variance", "F", "p (Holm)")
EXPLANATION = (
    "Analysis of variance over the complete runs, seeds as blocks: a term with two factors is their interaction "
    "(they act differently together than apart). Its p-values speak of new seeds on the same images, and take the runs "
    "of all arms to vary alike."
)


@dataclass(frozen=True)
class FactorialPart:
    """Analysis of variance, and each factor's importance (fANOVA: share of the variance, the largest first)."""

    anova: Anova
    importance: dict[str, float]


def factorial_part(runs: Sequence[ArmRun]) -> tuple[FactorialPart | None, str | None]:
    """What a plan that crosses factors tells beyond its arms; None for other plans, with a note if it failed."""
    names = {tuple(sorted(run.levels)) for run in runs if run.complete}
    if len(names) != 1 or not crossed_pairs(runs):
        return None, None
    try:
        return FactorialPart(anova_table(runs), factor_importance(runs)), None
    except DataError as error:
        return None, f"no analysis of variance: {error}"


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
