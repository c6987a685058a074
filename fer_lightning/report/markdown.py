"""The ablation table as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from fer_lightning.report import cells
from fer_lightning.report.factorial_cells import EXPLANATION, HEADER, factorial_cells, importance_line
from fer_lightning.report.label_cells import WORDS
from fer_lightning.report.sections import report_sections
from fer_lightning.report.text import table_cells
from fer_lightning.report.tuning_cells import tuning_lines, tuning_table
from fer_lightning.report.what_next import Step, steps_markdown
from fer_lightning.stats.ablation import AblationReport


def escaped(text: str) -> str:
    """A name as Markdown text that cannot break the table."""
    for character in "\\`*_|<[":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


def to_markdown(report: AblationReport, steps: Sequence[Step] | None = None) -> str:
    """The report as a Markdown section; each arm's verdict in bold where it is better or worse.

    With `steps`, of which adding seeds is one, it ends with them.
    """
    header, rows = table_cells(report)
    lines = [f"## {escaped(report.title)}", ""]
    data = cells.data_line(report)
    lines += [f"**{data}**" if report.synthetic else data, ""] if data else []
    align = [":--" if title in ("arm", "verdict", "left out") else "--:" for title in header]
    lines += [f"| {' | '.join(header)} |", f"| {' | '.join(align)} |"]
    for row in rows:
        name, verdict = escaped(row[0]), row[5]
        shown = f"**{verdict}**" if verdict in ("better", "worse") else verdict
        lines.append(f"| {' | '.join([name, *row[1:5], shown, *row[6:]])} |")
    lines += ["", cells.how_to_read(report), "", cells.cost_line(report), ""]
    if report.tuning is not None:
        names, settings = tuning_table(report, report.tuning)
        align = [":--" if name in ("arm", "chosen", "left out") else "--:" for name in names]
        lines += [f"| {' | '.join(map(escaped, names))} |", f"| {' | '.join(align)} |"]
        lines += [f"| {' | '.join(map(escaped, row))} |" for row in settings]
        lines += ["", *(f"- {escaped(line)}" for line in tuning_lines(report, report.tuning)), ""]
    if report.factorial is not None:
        lines += [f"| {' | '.join(HEADER)} |", "|:--|--:|--:|--:|"]
        lines += [f"| {' | '.join(map(escaped, row))} |" for row in factorial_cells(report.factorial)]
        lines += ["", f"{EXPLANATION} {escaped(importance_line(report.factorial))}", ""]
    for section in report_sections(report):
        lines += [f"### {section.title}", ""]
        if section.rows:
            align = [":--" if name in WORDS else "--:" for name in section.header]
            lines += [f"| {' | '.join(section.header)} |", f"| {' | '.join(align)} |"]
            lines += [f"| {' | '.join(map(escaped, row))} |" for row in section.rows]
            lines.append("")
        lines += [*(f"- {escaped(line)}" for line in section.lines), ""]
    details = cells.failure_lines(report) + cells.single_run_lines(report)
    lines += [f"- {escaped(line)}" for line in details]
    lines += [f"- {escaped(note)}" for note in report.notes]
    for line in cells.seeds_lines(report, command=steps is None):
        label, _, command = line.partition(": ")
        lines.append(f"- {label}: `{command}`" if line.startswith("To run ") else f"- {line}")
    text = "\n".join(lines) + "\n"
    if report.tuned is not None:
        text = f"{text}\n{to_markdown(report.tuned, None if steps is None else ())}"
    return text + steps_markdown(steps or ())
