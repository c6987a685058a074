"""``python -m fer_lightning runs DIR``: every run below a folder as one table, without a server."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from fer_lightning.commands.arguments import FileName, parse_arguments, take_place
from fer_lightning.config.typed import shown
from fer_lightning.config.values import Name
from fer_lightning.errors import DataError, UserError
from fer_lightning.redact import redact_text
from fer_lightning.runs.files import write_text
from fer_lightning.runs.groups import choose_columns, group_rows
from fer_lightning.runs.listing import FORMATS, Format, render, render_groups
from fer_lightning.runs.table import Row, collect, sort_rows
from fer_lightning.sweeps.study.results import Trial, load_study, study_trials

EXAMPLE = "runs sort=-best/val/acc"


@dataclass
class Keys:
    """What may be asked of the command."""

    format: Format | None = None
    output: FileName | None = None
    sort: Name | None = None
    columns: Annotated[
        Any, Field(description="a column or a pattern of them, or several as columns=[a,b]")
    ] = None
    by: Name | None = None


def main(arguments: list[str]) -> int:
    """Print the runs at or below a folder, or write them to ``output``; with ``by`` the means of groups of them."""
    place, rest = take_place(
        arguments,
        Keys,
        "runs DIR: expected one folder with runs; then format=table|csv|json output=… sort=… columns=[…] by=…",
    )
    values, _ = parse_arguments(rest, Keys)
    output = None if values["output"] is None else Path(values["output"])
    form = values["format"] or _format_of(output)
    rows = with_studies(collect(place), Path(place))
    if values["sort"] is not None:
        rows = sort_rows(rows, values["sort"])
    asked = values["columns"]
    patterns = [str(word) for word in (asked if isinstance(asked, list) else [asked])]
    names = None if asked is None else choose_columns(rows, patterns)
    written = f"{len(rows)} runs"
    if values["by"] is None:
        text = render(rows, form, names)
    else:
        by, names = values["by"], names or choose_columns(rows, ["val/acc"])
        groups = group_rows(rows, by, names)
        written = f"{len(groups)} groups of {sum(group['runs'] for group in groups)} runs"
        text = render_groups(groups, form, by, names)
    if output is None:
        print(text)
    else:
        write_text(output, text + "\n")
        print(f"{written} written to {shown(output)}")
    return 0


def _format_of(output: Path | None) -> str:
    """Return the format that a file's name asks for."""
    suffix = "" if output is None else output.suffix.removeprefix(".")
    return suffix if suffix in FORMATS else "table"


def with_studies(rows: list[Row], root: Path) -> list[Row]:
    """Add what a study beside the runs knows of them: parameters, arm, number, state, reason, time of all attempts."""
    studies: dict[Path, dict[str, Row]] = {}
    found = []
    for row in rows:
        folder = (root / row["run"]).resolve()
        if folder.parent not in studies:
            studies[folder.parent] = _trials(folder.parent)
        known = studies[folder.parent].get(folder.name, {})
        found.append(known.get("params", {}) | row | known.get("trial", {}))
    return found


def _trials(folder: Path) -> dict[str, Row]:
    """Return the parameters and the row of each trial of the study in a folder, by the name of its run's folder."""
    try:
        study = load_study(folder)
        trials = study_trials(study, folder)
    except DataError:
        return {}  # none is there
    except UserError as error:
        print(f"fer_lightning: without what the study stores: {redact_text(str(error))}", file=sys.stderr)
        return {}
    return {
        trial.run.folder.name: {"params": trial.params, "trial": _of_trial(trial, study.study_name)}
        for trial in trials
        if trial.run.folder is not None
    }


def _of_trial(trial: Trial, study_name: str) -> Row:
    states = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "WAITING": "interrupted"}
    row: Row = {
        "study": study_name,
        "trial": trial.number,
        "arm": trial.arm,
        "state": states.get(trial.state),
        "reason": trial.reason,
        "seconds": trial.seconds,
    }
    return {key: value for key, value in row.items() if value is not None}
