"""`compare`: paired verdicts on results of any origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from fer_lightning.api.comparison import Comparison
from fer_lightning.config.objective import SHARE, Objective, known_direction
from fer_lightning.config.typed import typed_path
from fer_lightning.config.values import Direction, Name, OpenShare, Positive, checked
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.evaluation.stored_evaluation import (
    StoredEvaluation,
    read_evaluation,
    require_one_split,
    without_unjudged,
)
from fer_lightning.runs.leakage import WITHOUT, Judged
from fer_lightning.runs.predictions import Predictions
from fer_lightning.runs.run import Run
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

# What an arm has with one seed: a value; a folder of `evaluate` or an .npz file; a run's folder, read; logits; or
# bool [N], which images are right.
Result: TypeAlias = float | str | Path | Run | Predictions | np.ndarray
Results: TypeAlias = str | Path | pd.DataFrame | Mapping[str, Sequence[Result] | Mapping[int, Result]]


@checked()
def compare(
    results: Results,
    *,
    baseline: Name | None = None,
    metric: Name | None = None,
    direction: Direction | None = None,
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
        Of values: their name; "max" or "min", without it as the metric is known, else "max"; and "share" for a
        fraction, shown in per cent, or any text.
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
    objective = _objective(runs, metric or about["metric"], direction, unit, by_image=table.by_image)
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
            f"results: {type(results).__name__}; expected a CSV file, a pandas table or results by arm"
        )
    metric = "acc" if table.by_image else "value"
    return table, {"metric": metric, "data": name, "synthetic": False, "title": "Results"}


def _of_arms(results: Mapping[str, Any], faces: str) -> tuple[ResultsTable, dict[str, Any]]:
    by_seed = {
        str(arm): dict(found) if isinstance(found, Mapping) else dict(enumerate(found))
        for arm, found in results.items()
    }
    if not by_seed or not all(by_seed.values()):
        raise DataError("results: expected at least one result for each arm")
    _refuse_repeats(by_seed)
    items = [item for found in by_seed.values() for item in found.values()]
    about = {"metric": "acc", "data": "", "synthetic": False, "title": "Results"}
    if all(isinstance(item, (int, float, np.number)) for item in items):
        rows = [
            {"arm": arm, "seed": seed, "value": value}
            for arm, found in by_seed.items()
            for seed, value in found.items()
        ]
        return results_of_rows(["arm", "seed", "value"], rows, "results"), about | {"metric": "value"}
    if all(isinstance(item, np.ndarray) and item.dtype == bool and item.ndim == 1 for item in items):
        runs = [
            ArmRun(arm, int(seed), value=float(right.mean()), correct=right)
            for arm, found in by_seed.items()
            for seed, right in found.items()
        ]
        return ResultsTable(tuple(runs), True, ()), about
    stored = {
        arm: {int(seed): _stored(item, faces) for seed, item in found.items()}
        for arm, found in by_seed.items()
    }
    parts = [part for group in stored.values() for part in group.values()]
    require_one_split(parts)
    if faces != "all":
        stored = without_unjudged(stored)
    runs = [
        run_of_logits(arm, seed, part.predictions, _named(arm, seed, by_seed[arm]))
        for arm, group in stored.items()
        for seed, part in group.items()
    ]
    first = parts[0]
    if first.split:
        seen = ", TRAINED ON these images" if first.trained_on else ""
        about["title"] = f"Evaluations on {first.split}{seen}{WITHOUT[faces]}"
        about |= {"metric": f"{first.split}/acc", "data": first.data, "synthetic": first.synthetic}
    return ResultsTable(tuple(runs), True, ()), about


def _named(arm: str, seed: int, found: Mapping[int, Any]) -> str:
    """Return what a message calls a result: its place, where it has one."""
    item = found[seed]
    return str(item) if isinstance(item, (str, Path)) else f"arm {arm}, seed {seed}"


def _refuse_repeats(by_seed: Mapping[str, Mapping[int, Any]]) -> None:
    for arm, found in by_seed.items():
        paths = [item for item in found.values() if isinstance(item, (str, Path))]
        places = [typed_path(path).resolve() for path in paths]
        again = next((path for path, at in zip(paths, places, strict=True) if places.count(at) > 1), None)
        if again is not None:
            raise ConfigError(
                f"{arm}: {again} is given more than once; expected a folder of its own for each seed"
            )


def _stored(item: Any, faces: str) -> StoredEvaluation:
    if isinstance(item, (str, Path)):
        return read_evaluation(typed_path(item), faces)
    if isinstance(item, (Run, Predictions)) and faces != "all":
        raise ConfigError(f"faces={faces}: is for folders written by evaluate … output=DIR")
    if isinstance(item, Run):
        found, data = item.predictions, item.record.get("data") or {}
        if found is None:
            raise DataError(f"{item.folder}: no val_logits.npz; expected the folder of a run that has ended")
        return StoredEvaluation(
            "val",
            str(data.get("name", "")),
            bool(data.get("synthetic")),
            False,
            found,
            np.ones(len(found.labels), bool),
        )
    if isinstance(item, Predictions):
        return StoredEvaluation("", "", False, False, item, np.ones(len(item.labels), bool))
    raise ConfigError(
        f"results: {type(item).__name__} among them; expected for all a number, a folder or file of logits, a Run, "
        "Predictions, or bool [N]"
    )
