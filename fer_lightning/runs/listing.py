"""A table of runs as text, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

from fer_lightning.config.factors import FACTORS
from fer_lightning.config.metric_table import own_values, shares_first, single_values
from fer_lightning.data.label import SYNTHETIC
from fer_lightning.messages import aligned, counted
from fer_lightning.redact import redact
from fer_lightning.runs.groups import DEVIATION
from fer_lightning.runs.table import Row, columns

Format = Literal["table", "csv", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
WIDEST = 44
_OF_BEST = "values are of each run's best epoch; epochs count from 1"
# What the table calls the column, for it counts from 1 as every text does; CSV and JSON have it as metrics.csv, from 0.
_HEADS = {"best/epoch": "best epoch"}


def render(rows: Sequence[Row], form: str, names: Sequence[str] | None = None) -> str:
    """Return rows as ``table``, ``csv`` or ``json``.

    ``names`` are the columns; without it they are what fits a terminal in a table, and every one elsewhere.
    """
    rows = [redact(row) for row in rows]
    if form == "table":
        lines = _layout(rows, names or listing_columns(rows))
        return "\n".join([*lines, "", _summary(rows)])
    names = names or columns(rows)
    if form == "json":
        plain = [{key: _finite(row[key]) for key in names if key in row} for row in rows]
        return json.dumps(plain, indent=2, ensure_ascii=False)
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")


def render_groups(groups: Sequence[Row], form: str, by: str, names: Sequence[str]) -> str:
    """Return groups of runs in a form of `render`; in a table a mean and its deviation share a cell."""
    first = [name for name in ("study", by) if any(name in group for group in groups)]
    first = list(dict.fromkeys(first))
    if form != "table":
        pairs = [column for name in names for column in (name, DEVIATION.format(name))]
        return render(groups, form, [*first, "runs", *pairs, "synthetic"])
    shown = []
    for group in redact(list(groups)):
        row = {name: group.get(name) for name in (*first, "runs")}
        for name in names:
            if name in group:
                mean, deviation = _counted_from_1(group[name], name), group.get(DEVIATION.format(name))
                text = f"{mean:.4g}" if abs(mean) < 1e4 else f"{mean:.0f}"
                row[name] = text + (f" ± {deviation:.2g}" if deviation else "")
        shown.append(row)
    lines = _layout(shown, [*first, "runs", *names])
    note = "mean ± standard deviation over a group's complete runs"
    if any(name.startswith("best/") for name in names):
        note += f"; {_OF_BEST}"
    if any(group["synthetic"] for group in groups):
        note += f"; on {SYNTHETIC}"
    return "\n".join([*lines, "", note])


def _counted_from_1(value: Any, name: str) -> Any:
    """Return the number of an epoch as a text has it; a cell that is a text, and any other column, as it is."""
    return value + 1 if name in _HEADS and isinstance(value, (int, float)) else value


def _finite(value: Any) -> Any:
    """Return a value that JSON has: not-a-number is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _layout(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """Return a line of heads and a line a row, columns aligned; numbers to the right."""
    cells = [[_cell(_counted_from_1(row.get(name), name), name) for name in names] for row in rows]
    heads = [_HEADS.get(name, name.removeprefix("best/")) for name in names]
    words = [
        column for column, name in enumerate(names) if not all(_is_number(row.get(name)) for row in rows)
    ]
    return aligned([heads, *cells], left=words)


def _summary(rows: Sequence[Row]) -> str:
    states = {state: sum(row.get("state") == state for row in rows) for state in _in_order(rows)}
    by_state = ", ".join(f"{count} {state}" for state, count in states.items())
    synthetic = sum(bool(row.get("synthetic")) for row in rows)
    kind = f"; {synthetic} on {SYNTHETIC}" if synthetic else ""
    ours = any(key.startswith("best/") for row in rows for key in row)
    return f"{counted(len(rows), 'run')}: {by_state}{kind}" + (f"; {_OF_BEST}" if ours else "")


def _in_order(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(str(row["state"]) for row in rows if row.get("state")))


def listing_columns(rows: Sequence[Row]) -> list[str]:
    """Return the columns for a terminal: identity, what differs between the runs, headline metrics, how it went."""
    known = columns(rows)
    settings = [name for name in known if "." in name and "/" not in name]
    varied = [
        name
        for name in (*FACTORS, "model", *settings, "lr", "data")
        if len({str(row.get(name)) for row in rows}) > 1
    ]
    headline = [*shares_first(single_values(headline=True)), *own_values(known, "best/val/")]
    measured = [f"best/val/{name}" for name in headline]
    wanted = ["run", "state", "arm", *varied, "seed", *measured, "best/epoch"]
    return [name for name in (*wanted, "epochs", "seconds", "reason") if name in known]


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, (int, float))


def _cell(value: Any, name: str) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4f}" if name.startswith("best/val") else f"{value:.4g}"
    text = " ".join(str(value).split())
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
