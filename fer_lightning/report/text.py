"""The ablation table for the terminal, at most 110 columns wide."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence

from fer_lightning.messages import aligned
from fer_lightning.report import cells
from fer_lightning.report.factorial_cells import EXPLANATION, HEADER, factorial_cells, importance_line
from fer_lightning.report.label_cells import WORDS
from fer_lightning.report.sections import report_sections
from fer_lightning.report.tuning_cells import tuning_lines, tuning_table
from fer_lightning.report.what_next import Step, steps_text
from fer_lightning.stats.ablation import AblationReport

WIDTH = 110
_GAP = "  "


def wrap_name(name: str, width: int) -> list[str]:
    """Break a long arm name into lines, after one of ``, + = / _ .`` or a space, the later ones indented."""
    lines: list[str] = []
    rest, indent = name, ""
    while len(indent + rest) > width:
        room = width - len(indent)
        # The best break is after a whole factor; one in the first third would leave a ragged stub.
        ends = [[m.end() for m in re.finditer(kind, rest[:room])][-1:] for kind in (r"[,+ ]", r"[=/_.]")]
        at = next((end[0] for end in ends if end and end[0] > room // 3), room)
        lines.append(indent + rest[:at].rstrip())
        rest, indent = rest[at:], "  "
    return [*lines, indent + rest]


def table_cells(report: AblationReport) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table as text."""
    level = f"{100 * report.rules.confidence:g} %"
    header = [
        "arm",
        "seeds",
        report.objective.heading,
        f"difference [{level}]",
        "p (Holm)",
        "verdict",
    ]
    rows = [
        [
            row.arm,
            cells.repeats(report, row),
            cells.mean_sd(report, row),
            cells.difference(report, row),
            cells.p_value(row.p_holm),
            row.verdict,
        ]
        for row in report.arms
    ]
    if not all(math.isnan(row.seconds) for row in report.arms):  # results of another program have none
        header.append("s/run")
        for line, row in zip(rows, report.arms, strict=True):
            line.append(cells.seconds(row.seconds))
    if any(cells.left_out(row) != cells.NONE for row in report.arms):
        header.append("left out")
        for line, row in zip(rows, report.arms, strict=True):
            line.append(cells.left_out(row))
    return header, rows


def wrapped_table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int = WIDTH) -> list[str]:
    """Lines of an aligned table: the first column takes what room is left and is wrapped."""
    widths = [max(len(line[i]) for line in (header, *rows)) for i in range(len(header))]
    room = width - sum(widths[1:]) - len(_GAP) * (len(header) - 1)
    widths[0] = min(widths[0], max(room, 12))
    table = [header, ["-" * w for w in widths]]
    for row in rows:
        first, *more = wrap_name(row[0], widths[0])
        table.append([first, *row[1:]])
        table.extend([line, *[""] * (len(row) - 1)] for line in more)
    # Words are set left, numbers right.
    words = ("verdict", "left out", "term", "chosen", *WORDS)
    return aligned(table, left=[i for i, title in enumerate(header) if title in words])


def to_text(report: AblationReport, width: int = WIDTH, steps: Sequence[Step] | None = None) -> str:
    """The report for the terminal; commands stand on a line of their own and are not broken.

    With `steps`, of which adding seeds is one, it ends with them.
    """
    first = [cells.headline(report), ""]
    # A row that is wider than the terminal stays one line, so that its words stand under their titles.
    table = wrapped_table(*table_cells(report), width=width)
    lines = ["", cells.how_to_read(report), cells.cost_line(report)]
    if report.tuning is not None:
        lines += ["", *wrapped_table(*tuning_table(report, report.tuning), width=width)]
        lines += ["", *tuning_lines(report, report.tuning)]
    if report.factorial is not None:
        lines += ["", *wrapped_table(HEADER, factorial_cells(report.factorial), width)]
        lines += ["", EXPLANATION, importance_line(report.factorial)]
    for section in report_sections(report):
        rows = wrapped_table(section.header, section.rows, width) if section.rows else [f"{section.title}:"]
        lines += ["", *map(_Row, rows), "", *section.lines, ""]
    if any(row.n_pruned or row.n_failed or row.n_unfinished for row in report.arms):
        lines.append("Left out: P pruned, F failed, U unfinished.")
    lines += cells.failure_lines(report) + cells.single_run_lines(report)
    lines += [f"Note: {note}." for note in report.notes]
    lines += cells.seeds_lines(report, command=steps is None)
    out = [*_wrapped(first, width), *table, *_wrapped(lines, width)]
    text = "\n".join(out) + "\n"
    if report.tuned is not None:
        text = f"{text}\n{to_text(report.tuned, width, None if steps is None else ())}"
    return text + steps_text(steps or ())


class _Row(str):
    """A line of a table, which stays whole, so that its words stand under their titles."""


def _wrapped(lines: Sequence[str], width: int) -> list[str]:
    """Break long lines, except commands and rows of tables."""
    out: list[str] = []
    for line in lines:
        if isinstance(line, _Row):
            out.append(line)
        elif line.startswith("To run "):
            label, command = line.split(": ", 1)
            out += [f"{label}:", f"  {command}"]
        else:
            out += textwrap.wrap(line, width, break_on_hyphens=False) if len(line) > width else [line]
    return out
