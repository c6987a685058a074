"""Runs that belong together as one row: means and standard deviations of what they measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from fer_lightning.errors import DataError
from fer_lightning.runs.table import Row, columns

DEVIATION = "{} sd"  # the column of a mean's standard deviation


def choose_columns(rows: Iterable[Row], patterns: Iterable[str]) -> list[str]:
    """Return the columns that a pattern names, such as ``seconds/train`` or ``dead_units/*``, in the patterns' order.

    A best epoch's metric is named with ``best/`` before it or without.

    Raises
    ------
    DataError
        A pattern names no column of any row.
    """
    known, found = columns(rows), []
    for pattern in patterns:
        fitting = [
            name
            for name in known
            if fnmatchcase(name, pattern) or fnmatchcase(name.removeprefix("best/"), pattern)
        ]
        if not fitting:
            raise DataError(f"columns={pattern}: no such column; expected one of {', '.join(known)}")
        found += [name for name in fitting if name not in found]
    return found


def group_rows(rows: Sequence[Row], by: str, names: Sequence[str]) -> list[Row]:
    """Return one row for each value of the column ``by``, and each study of several, in the order of first appearance.

    It holds the number of ``runs``, whether any was on ``synthetic`` faces, and of each of ``names`` the mean of
    the runs that have a number there and, of two or more, its standard deviation in a column of its own.
    Runs that are not complete are left out.

    Raises
    ------
    DataError
        No row has the column ``by``.
    """
    if not any(by in row for row in rows):
        raise DataError(f"by={by}: no such column; expected one of {', '.join(columns(rows))}")
    chosen = [row for row in rows if row.get("state") == "complete" and row.get(by) is not None]
    studies = {row.get("study") for row in chosen}
    groups: dict[tuple[object, str], list[Row]] = {}
    for row in chosen:
        groups.setdefault((row.get("study"), str(row[by])), []).append(row)
    found = []
    for (study, value), members in groups.items():
        group: Row = {
            **({"study": study} if len(studies) > 1 else {}),
            by: value,
            "runs": len(members),
            "synthetic": any(row.get("synthetic") for row in members),
        }
        for name in names:
            numbers = [row[name] for row in members if isinstance(row.get(name), (int, float))]
            if numbers:
                group[name] = statistics.mean(numbers)
            if len(numbers) > 1:
                group[DEVIATION.format(name)] = statistics.stdev(numbers)
        found.append(group)
    return found
