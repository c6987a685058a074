"""`compare`: paired verdicts on results of any origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
import pandas as pd
from pydantic import SkipValidation

from fer_lightning.api.arm_results import Result, results_by_arm
from fer_lightning.api.comparison import Comparison
from fer_lightning.config.objective import SHARE, Objective, known_direction
from fer_lightning.config.typed import typed_path
from fer_lightning.config.values import Name, OpenShare, Positive, SpeltDirection, checked, short_direction
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.evaluation.stored_evaluation import (
    StoredEvaluation,
    read_evaluation,
    require_one_split,
    without_unjudged,
)
from fer_lightning.runs.leakage import WITHOUT, Judged
from fer_lightning.runs.predictions import Predictions
from fer_lightning.stats.ablation import ablation_report
from fer_lightning.stats.records import ArmRun
from fer_lightning.stats.results_file import (
    ResultsTable,
    read_results,
    require_arms,
    results_of_rows,
    run_of_logits,
    unpaired_notes,
)
from fer_lightning.stats.rules import MinSeeds, Rules

# The messages about what is in a mapping are those of `results_by_arm`.
Results: TypeAlias = Annotated[
    str
    | Path
    | pd.DataFrame
    | Mapping[str, Sequence[Result] | Mapping[int, Result] | np.ndarray | pd.Series],
    SkipValidation,
]


@checked()
def compare(
    results: Results,
    *,
    baseline: Name | None = None,
    metric: Name | None = None,
    direction: SpeltDirection | None = None,
    unit: Name | None = None,
    faces: Judged = "all",
    confidence: OpenShare = 0.95,
    min_seeds: MinSeeds = 3,
    smallest_effect: Positive | None = None,
    power: OpenShare = 0.8,
    output: str | Path | None = None,
) -> Comparison:
    """Compare arms with a baseline, paired by seed and, where it is known, by image.

    Parameters
    ----------
    results
        A CSV file or a pandas table with the columns ``arm,seed,value``, ``arm,seed,id,correct`` or
        ``arm,seed,logits``; or for each arm its results, as a list whose n-th entry is that of seed n or as a mapping
        from seeds. Such a result is a number, a folder that `evaluate` has written, an ``.npz`` file of logits, a
        `Run`, `Predictions`, or bool ``[N]`` (which of N images are classified right).
    baseline
        The arm that the others are compared with; without it the first.
    metric, direction, unit
        Of values: their name; "max" or "min" (also spelt "maximize" or "minimize"), without it as the metric is known,
        else "max"; and "share" for a fraction, shown in per cent, or any text.
    faces
        "no_copy" or "no_near_copy" leaves out the faces of which any of the models has seen a copy in training; for
        folders of `evaluate`.
    confidence, min_seeds, smallest_effect, power
        When an arm is called better or worse: see `Rules`.
    output
        A folder for the table as text, Markdown, CSV and JSON, and for the figure.

    Raises
    ------
    UserError
        A file, a row or a value is not as expected.

    Examples
    --------
    >>> found = compare({"relu": [0.61, 0.62, 0.60], "selu": [0.66, 0.68, 0.65]}, metric="val/acc")
    >>> found.verdicts
    {'selu': 'better', 'relu': 'baseline'}
    """
    rules = Rules(confidence, min_seeds, smallest_effect, power)
    table, about = _read(results, faces)
    runs = list(table.runs)
    name = require_arms(runs, baseline)
    objective = _objective(
        runs, metric or about["metric"], short_direction(direction), unit, by_image=table.by_image
    )
    report = ablation_report(
        runs,
        name,
        objective,
        use_logits=table.by_image,
        data_name=about["data"],
        synthetic=about["synthetic"],
        title=about["title"],
        rules=rules,
    )
    notes = [*report.notes, *unpaired_notes(runs, name)]
    if table.unread:
        notes.append(f"not read: column{'s' * (len(table.unread) > 1)} {', '.join(table.unread)}")
    found = Comparison(replace(report, notes=tuple(notes)))
    if output is not None:
        found.write(output)
    return found


def _objective(
    runs: Sequence[ArmRun], metric: str, direction: str | None, unit: str | None, *, by_image: bool
) -> Objective:
    known = True if by_image else known_direction(metric)
    if direction is not None and known is not None and known != (direction == "max"):
        raise ConfigError(
            f"direction={direction} with {metric}: {'higher' if known else 'lower'} is better; expected direction="
            f"{'max' if known else 'min'}"
        )
    if by_image and unit not in (None, SHARE):
        raise ConfigError(f"unit={unit}: which images are right gives an accuracy; expected unit={SHARE}")
    higher = None if direction is None else direction == "max"
    values = {run: run.value for run in runs if run.value is not None}
    if unit == SHARE and not by_image:
        odd = next((run for run, value in values.items() if not 0 <= value <= 1), None)
        if odd is not None:
            raise ConfigError(
                f"unit={SHARE}: {odd.value} of arm {odd.arm}, seed {odd.seed} is none; expected values within 0..1"
            )
    return Objective.of(metric, higher, SHARE if by_image else unit, values.values())


def _read(results: Any, faces: str) -> tuple[ResultsTable, dict[str, Any]]:
    """Return the runs, and what is known of them: metric, data, synthetic, title."""
    if isinstance(results, Mapping):
        return _of_arms(results, faces)
    if faces != "all":
        raise ConfigError(f"faces={faces}: is for folders written by evaluate … output=DIR")
    if isinstance(results, (str, Path)):
        table, name = read_results(results), Path(results).name
    elif isinstance(results, pd.DataFrame):
        table, name = results_of_rows([str(c) for c in results.columns], results.to_dict("records")), "table"
    else:
        raise ConfigError(
            f"results: {type(results).__name__}; expected a CSV file, a pandas table with the columns "
            "arm,seed,value, or a mapping from arms to their results"
        )
    metric = "acc" if table.by_image else "value"
    return table, {"metric": metric, "data": name, "synthetic": False, "title": "Results"}


def _of_arms(results: Mapping[Any, Any], faces: str) -> tuple[ResultsTable, dict[str, Any]]:
    by_arm = results_by_arm(results)
    entries: list[tuple[str, int, Any]] = [
        (arm, seed, item) for arm, found in by_arm.items() for seed, item in found.items()
    ]
    about = {"metric": "acc", "data": "", "synthetic": False, "title": "Results"}
    if isinstance(entries[0][2], float):
        runs = [ArmRun(arm, seed, value=value) for arm, seed, value in entries]
        return ResultsTable(tuple(runs), False, ()), about | {"metric": "value"}
    if isinstance(entries[0][2], np.ndarray):
        runs = [ArmRun(arm, seed, value=float(right.mean()), correct=right) for arm, seed, right in entries]
        return ResultsTable(tuple(runs), True, ()), about
    stored = {
        arm: {seed: _stored(f"arm {arm}, seed {seed}", item, faces) for seed, item in found.items()}
        for arm, found in by_arm.items()
    }
    parts = [part for group in stored.values() for part in group.values()]
    require_one_split(parts)
    if faces != "all":
        stored = without_unjudged(stored)
    runs = [
        run_of_logits(arm, seed, stored[arm][seed].predictions, _named(arm, seed, item))
        for arm, seed, item in entries
    ]
    first = parts[0]
    if first.split:
        seen = ", TRAINED ON these images" if first.trained_on else ""
        about["title"] = f"Evaluations on {first.split}{seen}{WITHOUT[faces]}"
        about |= {"metric": f"{first.split}/acc", "data": first.data, "synthetic": first.synthetic}
    return ResultsTable(tuple(runs), True, ()), about


def _named(arm: str, seed: int, item: Any) -> str:
    """Return what a message calls a result: its place, where it has one."""
    return f"arm {arm}, seed {seed}" + (f": {item}" if isinstance(item, str) else "")


def _stored(place: str, item: Any, faces: str) -> StoredEvaluation:
    if isinstance(item, str):
        try:
            return read_evaluation(typed_path(item), faces)
        except DataError as error:
            raise DataError(f"{place}: {error}") from None
    if faces != "all":
        raise ConfigError(f"faces={faces}: is for folders written by evaluate … output=DIR")
    if isinstance(item, Predictions):
        return StoredEvaluation("", "", False, False, item, np.ones(len(item.labels), bool))
    found, data = item.predictions, item.record.get("data") or {}
    if found is None:
        raise DataError(
            f"{place}: {item.folder} has no val_logits.npz; expected the folder of a run that has ended"
        )
    return StoredEvaluation(
        "val",
        str(data.get("name", "")),
        bool(data.get("synthetic")),
        False,
        found,
        np.ones(len(found.labels), bool),
    )
