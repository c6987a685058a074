"""``python -m fer_lightning runs DIR``: every run below a folder as one table, without a server."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from fer_lightning.commands.arguments import FileName, parse_arguments, take_place
from fer_lightning.config.typed import shown
from fer_lightning.config.values import Name
from fer_lightning.errors import DataError, UserError
from fer_lightning.messages import counted
from fer_lightning.redact import redact_text
from fer_lightning.runs.files import write_text
from fer_lightning.runs.groups import choose_columns, group_rows
from fer_lightning.runs.listing import FORMATS, Format, render, render_groups
from fer_lightning.runs.table import Row, collect, columns, sort_rows
from fer_lightning.sweeps.study.place import STORED_IN
from fer_lightning.sweeps.study.results import Trial, load_study, study_trials

EXAMPLE = "runs sort=-best/val/acc"
# The trials of the study in a folder, by the names of their own.
TrialsIn = Callable[[Path], dict[str, Row]]


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
    trials = functools.cache(_trials)  # a folder's study is opened once
    rows = with_studies(collect(place, required=False), Path(place), trials)
    others, objectives = other_trials(rows, Path(place), trials)
    if not rows and not others:
        collect(place)
    names = None if rows else [name for name in columns(others) if name not in ("study", "trial")]
    rows = [*rows, *others]
    if values["sort"] is not None:
        rows = sort_rows(rows, values["sort"])
    asked = values["columns"]
    patterns = [str(word) for word in (asked if isinstance(asked, list) else [asked])]
    names = names if asked is None else choose_columns(rows, patterns)
    written = counted(len(rows), "run")
    if values["by"] is None:
        text = render(rows, form, names)
    else:
        by = values["by"]
        if asked is None or names is None:
            names = choose_columns(rows, objectives or ["val/acc"])
        groups = group_rows(rows, by, names)
        written = (
            f"{counted(len(groups), 'group')} of {counted(sum(group['runs'] for group in groups), 'run')}"
        )
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


def with_studies(rows: list[Row], root: Path, trials: TrialsIn) -> list[Row]:
    """Add what a study beside the runs knows of them: parameters, arm, number, state, reason, time of all attempts."""
    found = []
    for row in rows:
        folder = (root / row["run"]).resolve()
        known = trials(folder.parent).get(folder.name, {})
        found.append(known.get("params", {}) | row | known.get("trial", {}))
    return found


def other_trials(rows: Sequence[Row], root: Path, trials: TrialsIn) -> tuple[list[Row], list[str]]:
    """Return a row for each trial of another program's studies, which has no run of ours, and their objectives."""
    known = {(root / row["run"]).resolve() for row in rows}
    found: list[Row] = []
    objectives: list[str] = []
    for place, _, files in os.walk(root):
        if not STORED_IN & set(files):
            continue
        folder = Path(place).resolve()
        for name, trial in trials(folder).items():
            # Of a copied study, which knows the folders of the first, too.
            if not known & {trial["folder"], folder / name}:
                found.append({"run": os.path.relpath(trial["folder"], root.resolve()), **trial["params"]})
                found[-1] |= trial["trial"] | trial["values"]
                objectives += [name for name in trial["values"] if name not in objectives]
    return found, objectives


def _trials(folder: Path) -> dict[str, Row]:
    """Return what the study in a folder knows of its trials, by the name of each run's folder."""
    try:
        study = load_study(folder)
        trials = study_trials(study, folder)
    except DataError:
        return {}  # none is there
    except UserError as error:
        print(f"fer_lightning: without what the study stores: {redact_text(str(error))}", file=sys.stderr)
        return {}
    return {
        trial.run.folder.name: {
            "params": trial.params,
            "trial": _of_trial(trial, study.study_name),
            "values": dict(zip(study.user_attrs.get("objectives", []), trial.values, strict=False)),
            "folder": trial.run.folder.resolve(),
        }
        for trial in trials
        if trial.run.folder is not None
    }


def _of_trial(trial: Trial, study_name: str) -> Row:
    states = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "WAITING": "interrupted"}
    row: Row = {
        "study": study_name,
        "trial": trial.number,
        "arm": trial.arm,
        "seed": trial.seed,
        "state": "infeasible" if trial.infeasible else states.get(trial.state),
        "reason": trial.reason,
        "seconds": trial.seconds,
    }
    return {key: value for key, value in row.items() if value is not None}
