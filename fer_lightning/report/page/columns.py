"""The columns by which the page's table sorts and filters: parameters, metrics, and what a run took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fer_lightning.config.metric_table import own_values, shares_first, single_values
from fer_lightning.config.objective import Objective, known_direction
from fer_lightning.redact import MASK, redact
from fer_lightning.report.page.chart_data import rounded


@dataclass(frozen=True)
class Column:
    """One column of all runs.

    Attributes
    ----------
    name : dotted key or metric
    kind : "number" or "level"
    group : "parameter", "metric" or "run"
    cells : one value a run; None where there is none
    log : whether a number was searched on a logarithmic scale
    unit : "%", "s", another text or nothing
    scale : what a value is multiplied by where it is shown
    digits : decimals of a metric as it is shown
    higher : of a metric whether more is better; None where that is not known, and of all other columns
    """

    name: str
    kind: str
    group: str
    cells: tuple[float | str | None, ...]
    log: bool = False
    unit: str = ""
    scale: float = 1.0
    digits: int = 4
    higher: bool | None = None

    def as_plain(self) -> dict[str, Any]:
        """The column as the page reads it; levels in their order of size or name."""
        levels = sorted({cell for cell in self.cells if cell is not None}, key=str)
        return vars(self) | {"cells": list(self.cells), "levels": levels if self.kind == "level" else None}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def parameter_columns(params: Sequence[Mapping[str, Any]], log: frozenset[str] = frozenset()) -> list[Column]:
    """One column for each parameter in the order of first use; numbers only where every value is one."""
    columns = []
    for name in dict.fromkeys(name for row in params for name in row):
        if name == "seed":
            continue
        # A parameter may be named like a credential.
        values = [
            row.get(name) for row in redact([{name: row[name]} if name in row else {} for row in params])
        ]
        present = [value for value in values if value is not None]
        if present and all(map(_is_number, present)):
            cells: list[float | str | None] = [rounded(value, 8) for value in values]
            columns.append(Column(name, "number", "parameter", tuple(cells), name in log))
        else:
            absent = [row.get(name, ...) is ... for row in params]
            shown = [None if a else _word(v) for v, a in zip(values, absent, strict=True)]
            columns.append(Column(name, "level", "parameter", tuple(shown)))
    return columns


def _word(value: Any) -> str:
    return {None: "null", True: "true", False: "false"}.get(value, str(value)) if value != MASK else MASK


def metric_columns(objective: Objective, values: Sequence[float | None], best: Sequence[Any]) -> list[Column]:
    """The objective of each run, then the other measures of its best epoch, where any run has them."""
    columns = [_metric(objective, tuple(map(rounded, values)))]
    own = own_values(key for row in best for key in row or {})
    for name in [f"val/{each}" for each in [*shares_first(single_values()), *own]]:
        cells = tuple(rounded((row or {}).get(name)) for row in best)
        if name != objective.name and any(cell is not None for cell in cells):
            measured = Objective.of(name, values=[cell for cell in cells if cell is not None])
            columns.append(replace(_metric(measured, cells), higher=known_direction(name)))
    return columns


def _metric(objective: Objective, cells: tuple[float | None, ...]) -> Column:
    return Column(
        objective.name,
        "number",
        "metric",
        cells,
        unit=objective.symbol,
        scale=objective.scale,
        digits=objective.digits,
        higher=objective.higher_is_better,
    )


def cost_columns(records: Sequence[Mapping[str, Any]], seconds: Sequence[float | None]) -> list[Column]:
    """The best epoch (from 1), epochs, parameters where they vary, and seconds of each run."""
    best = [(record.get("best") or {}).get("epoch") for record in records]
    epochs = [record.get("epochs") for record in records]
    sizes = [(record.get("parameters") or {}).get("total") for record in records]
    found = [
        ("best epoch", [None if epoch is None else epoch + 1 for epoch in best], ""),
        ("epochs", epochs, ""),
        ("weights", sizes if len({size for size in sizes if size is not None}) > 1 else [], ""),
        ("time", [None if value is None else round(value, 1) for value in seconds], "s"),
    ]
    return [
        Column(name, "number", "run", tuple(rounded(cell, 8) for cell in cells), unit=unit)
        for name, cells, unit in found
        if any(cell is not None for cell in cells)
    ]
