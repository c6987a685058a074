"""Results of any other program, one row a run or one row an image, as the runs that the statistics compare."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from fer_lightning.config.typed import typed_path
from fer_lightning.data.table_text import separator_of
from fer_lightning.errors import DataError, nearest
from fer_lightning.runs.predictions import Predictions, read_predictions
from fer_lightning.stats.records import ArmRun

# What a table may say of an arm's run with a seed, by the column that says it.
FORMS: Final = {
    "value": ("arm", "seed", "value"),
    "correct": ("arm", "seed", "id", "correct"),
    "logits": ("arm", "seed", "logits"),
}
_EXPECTED: Final = ", ".join(",".join(columns) for columns in FORMS.values()).replace(", arm", " or arm")
# A pandas column of whole numbers is one of decimals where a cell is, or was, empty.
_RIGHT: Final = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
_Rows: TypeAlias = Iterable[tuple[int, Mapping[str, Any]]]


@dataclass(frozen=True)
class ResultsTable:
    """The runs of a table.

    Attributes
    ----------
    runs
        One for each arm and seed, in the order of the rows.
    by_image
        Whether they say which images are classified right, and ``value`` is their share.
    unread
        Columns that say nothing to the statistics.
    """

    runs: tuple[ArmRun, ...]
    by_image: bool
    unread: tuple[str, ...]


def read_results(path: str | Path) -> ResultsTable:
    """Read CSV with a header of ``arm,seed,value``, ``arm,seed,id,correct`` or ``arm,seed,logits``.

    ``correct`` is 1 or 0 (true or false); ``logits`` names an ``.npz`` file with the arrays ``logits`` and ``labels``
    and, where it has them, ``ids``, relative to the CSV. Further columns are not read. Row 1 is the header.
    Columns may be separated by commas, tabs or semicolons, with which values may have a decimal comma.

    Raises
    ------
    DataError
        The file cannot be read, or a cell is not what its column takes; the message names file, row and column.
    """
    path = typed_path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            separator = separator_of(stream.readline())
            stream.seek(0)
            reader = csv.reader(stream, delimiter=separator)
            header = [name.strip() for name in next(reader, [])]
            rows = _rows(str(path), header, reader)
            if separator == ";":  # as spreadsheets save a table where fractions have a comma
                rows = (
                    (number, row | {"value": row.get("value", "").replace(",", ".")}) for number, row in rows
                )
            return _read(str(path), header, rows, path.parent)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected CSV with the columns {_EXPECTED}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: is no text in UTF-8; expected CSV with the columns {_EXPECTED}") from None
    except csv.Error as error:
        raise DataError(f"{path}: cannot be read ({error}); expected CSV") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def results_of_rows(
    columns: Sequence[str], rows: Iterable[Mapping[Any, Any]], name: str = "table"
) -> ResultsTable:
    """Return the runs of rows that are in memory; the columns are those of :func:`read_results`, rows count from 1."""
    return _read(name, list(columns), enumerate(rows, start=1), Path())


def _rows(name: str, header: list[str], reader: Any) -> Iterable[tuple[int, dict[str, str]]]:
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise DataError(
                f"{name}: row {reader.line_num}: {len(cells)} cells; expected {len(header)}, one for each of "
                f"{','.join(header)}"
            )
        yield reader.line_num, dict(zip(header, (cell.strip() for cell in cells), strict=True))


def _read(name: str, header: list[str], rows: _Rows, folder: Path) -> ResultsTable:
    told = [column for column in FORMS if column in header]
    if len(told) > 1:
        raise DataError(f"{name}: has the columns {' and '.join(told)}; expected one of them")
    form = told[0] if told else None
    missing = [column for column in FORMS[form or "value"] if column not in header]
    if form is None or missing:
        raise DataError(
            f"{name}: no column {missing[0]} in {','.join(header) or 'an empty file'}; expected the columns {_EXPECTED}"
        )
    twice = next((column for column in header if header.count(column) > 1), None)
    if twice is not None:
        raise DataError(f"{name}: two columns are called {twice}; expected one")
    runs = _by_image(name, rows) if form == "correct" else _by_run(name, form, rows, folder)
    if not runs:
        raise DataError(f"{name}: has no rows below its header; expected one for each arm and seed at least")
    return ResultsTable(
        tuple(runs), form != "value", tuple(column for column in header if column not in FORMS[form])
    )


def _by_run(name: str, form: str, rows: _Rows, folder: Path) -> list[ArmRun]:
    runs: list[ArmRun] = []
    seen: dict[tuple[str, int], int] = {}
    for number, row in rows:
        arm, seed = _arm_and_seed(name, number, row)
        if (before := seen.setdefault((arm, seed), number)) != number:
            raise DataError(
                f"{name}: row {number}: arm {arm}, seed {seed} stands in row {before} already; expected one row for "
                "each arm and seed"
            )
        if form == "value":
            runs.append(ArmRun(arm, seed, value=_finite(name, number, row["value"])))
            continue
        runs.append(_run_of_file(f"{name}: row {number}, column logits", arm, seed, row, folder))
    return runs


def _run_of_file(cell: str, arm: str, seed: int, row: Mapping[str, Any], folder: Path) -> ArmRun:
    written = _text(row, "logits")
    if not written:
        raise DataError(f"{cell}: is empty; expected the name of an .npz file")
    path = folder / typed_path(written)
    try:
        return run_of_logits(arm, seed, read_predictions(path), str(path))
    except DataError as error:
        raise DataError(f"{cell}: {error}") from None


def run_of_logits(arm: str, seed: int, found: Predictions, name: str) -> ArmRun:
    """Return the run that left these logits; ``name`` tells in a message where they are from.

    Raises
    ------
    DataError
        Two images have one id.
    """
    if found.ids is not None and len(np.unique(found.ids)) < len(found.ids):
        ids, counts = np.unique(found.ids, return_counts=True)
        raise DataError(f"{name}: id {ids[counts > 1][0]} stands there twice; expected one for each image")
    return ArmRun(
        arm,
        seed,
        value=float(found.correct.mean()),
        logits=found.logits,
        labels=found.labels,
        ids=found.ids,
        class_names=found.class_names,
    )


def _by_image(name: str, rows: _Rows) -> list[ArmRun]:
    found: dict[tuple[str, int], dict[str, tuple[bool, int]]] = {}
    for number, row in rows:
        images = found.setdefault(_arm_and_seed(name, number, row), {})
        image, said = _text(row, "id"), _text(row, "correct").lower()
        if not image:
            raise DataError(f"{name}: row {number}, column id: is empty; expected the name of an image")
        if said not in _RIGHT:
            raise DataError(f"{name}: row {number}, column correct: {row['correct']!r}; expected 1 or 0")
        if image in images:
            arm, seed = row["arm"], row["seed"]
            raise DataError(
                f"{name}: row {number}: id {image} of arm {arm}, seed {seed} stands in row {images[image][1]} already; "
                "expected one row for each image of a run"
            )
        images[image] = (_RIGHT[said], number)
    return [
        ArmRun(arm, seed, value=float(right.mean()), correct=right, ids=np.array(list(images)))
        for (arm, seed), images in found.items()
        for right in [np.array([each for each, _ in images.values()], bool)]
    ]


def _arm_and_seed(name: str, number: int, row: Mapping[str, Any]) -> tuple[str, int]:
    arm, seed = _text(row, "arm"), _text(row, "seed")
    if not arm:
        raise DataError(f"{name}: row {number}, column arm: is empty; expected the name of an arm")
    try:
        return arm, int(seed.removesuffix(".0"))
    except ValueError:
        raise DataError(f"{name}: row {number}, column seed: {seed!r}; expected a whole number") from None


def _text(row: Mapping[str, Any], column: str) -> str:
    """Return what a cell says; nothing where pandas has a missing value."""
    cell = row[column]
    return "" if cell is None or cell is pd.NA or cell != cell else str(cell).strip()


def _finite(name: str, number: int, text: Any) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value) or isinstance(text, (bool, np.bool_)):
        raise DataError(
            f"{name}: row {number}, column value: {str(text)!r}; expected a finite number, and no row for a run that "
            "has none"
        )
    return value


def require_arms(runs: Sequence[ArmRun], baseline: str | None) -> str:
    """Return the arm that the others are compared with: the given one, else the first.

    Raises
    ------
    DataError
        There is one arm only, or the given one is not among them.
    """
    arms = list(dict.fromkeys(run.arm for run in runs))
    if baseline is not None and baseline not in arms:
        raise DataError(f"baseline={baseline}: no such arm; {nearest(baseline, arms)}")
    if len(arms) < 2:
        raise DataError(f"{arms[0]} is the only arm; expected at least two, the baseline first")
    return arms[0] if baseline is None else baseline


def unpaired_notes(runs: Sequence[ArmRun], baseline: str) -> list[str]:
    """Return a sentence for each arm that lacks a seed of the baseline's, or has one that the baseline lacks."""
    seeds: dict[str, set[int]] = {}
    for run in runs:
        seeds.setdefault(run.arm, set()).add(run.seed)
    notes = []
    for arm, own in seeds.items():
        parts = [
            f"{which} has no run with seed {', '.join(map(str, sorted(lacking)))}"
            for which, lacking in ((arm, seeds[baseline] - own), (baseline, own - seeds[baseline]))
            if lacking
        ]
        if parts:
            common = len(own & seeds[baseline])
            pairs = f"{common or 'no'} pair{'s' * (common != 1)} of {arm} and {baseline}"
            notes.append(f"{' and '.join(parts)}: {pairs}")
    return notes
