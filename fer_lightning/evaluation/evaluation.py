"""What an evaluation found: as text, as a table, and as the files that `compare` and distillation read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_lightning.config.metric_table import METRICS, shares_first, single_values
from fer_lightning.data.label import data_label
from fer_lightning.messages import counted
from fer_lightning.redact import redact_text
from fer_lightning.runs.files import write_json
from fer_lightning.runs.leakage import write_copies
from fer_lightning.runs.notebook_html import lines_html, table_html
from fer_lightning.runs.predictions import Predictions, write_predictions
from fer_lightning.runs.provenance import command_line, versions
from fer_lightning.stats.collapse import class_of_all, guessing_levels
from fer_lightning.stats.slices import FaceSlices


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes
    ----------
    split
        ``train``, ``val`` or ``test``.
    predictions
        Logits of the model, or of the average of all models.
    metrics
        On all faces of the split.
    unleaked
        The same on the faces that are no exact copy of a face of the splits, of these data, that any of the models
        was trained on; the count is ``faces``. None is left of such a split itself.
    unrelated
        The same on the faces that are no near copy either.
    confusion
        int ``[C, C]`` counts; rows are true classes.
    copied, nearly
        bool ``[N]``: faces that have an exact copy among those that a model was trained on, and a near one.
    data, synthetic
        Name of the data, and whether they were drawn by a program.
    trained_on
        Whether a model was trained on the split.
    models
        How many were averaged.
    slices
        Groups of faces in which the models fail; None where they were not looked for.
    """

    split: str
    predictions: Predictions
    metrics: dict[str, float]
    unleaked: dict[str, float]
    unrelated: dict[str, float]
    confusion: np.ndarray
    copied: np.ndarray
    nearly: np.ndarray
    data: str = ""
    synthetic: bool = False
    trained_on: bool = False
    models: int = 1
    slices: FaceSlices | None = None

    def __repr__(self) -> str:
        measured = f"acc {self.metrics['acc']:.4f}"
        return f"Evaluation({self.split}, {counted(len(self.predictions.labels), 'face')}, {measured})"

    def __str__(self) -> str:
        return evaluation_text(self)

    def _repr_html_(self) -> str:
        header, *rows = evaluation_cells(self)
        return table_html([self.split, *header[1:]], rows) + lines_html(evaluation_notes(self))


def evaluation_text(found: Evaluation) -> str:
    """Return the evaluation as text."""
    what = "1 model" if found.models == 1 else f"average of {found.models} models"
    note = "; TRAINED ON these images" if found.trained_on else ""
    header, *rows = evaluation_cells(found)
    lines = [
        f"{found.split}: {what} on {data_label(found.data, found.synthetic)}{note}",
        *(_line(*cells) for cells in ([*header], *rows)),
        *evaluation_notes(found),
    ]
    return "\n".join(lines)


def evaluation_cells(found: Evaluation) -> list[list[str]]:
    """Return the header and the rows of the table: each metric on all faces, and without those that leak."""
    columns = (found.metrics, found.unleaked, found.unrelated)
    rows = [["", "all images", "no copy in training", "nor a near copy"]]
    rows.append(["images", *(str(column["faces"]) for column in columns)])
    names = {name: METRICS[name].title or name for name in shares_first(single_values())}
    names |= {key: key.replace("/", " ") for key in found.metrics if key not in names and key != "faces"}
    return rows + [
        [name, *(f"{column.get(key, math.nan):.4f}" for column in columns)] for key, name in names.items()
    ]


def evaluation_notes(found: Evaluation) -> list[str]:
    """Return the levels of guessing, and whether the model is worth no more."""
    notes = [f"guessing: {guessing_levels(found.predictions)}"]
    if (word := class_of_all(found.predictions)) is not None:
        notes.append(f"collapsed: {word} is predicted for every image")
    if found.slices is not None:
        notes.append(found.slices.sentence)
    return notes


def _line(name: str, every: str, unleaked: str, unrelated: str) -> str:
    return f"{name:24}{every:>12}{unleaked:>24}{unrelated:>20}"


def write_evaluation(
    found: Evaluation, checkpoints: Sequence[str | Path], seen: Mapping[str, Any], folder: Path
) -> None:
    """Write ``evaluation.json``, ``<split>_logits.npz`` and ``<split>_copies.npz`` into ``folder``."""
    write_json(
        folder / "evaluation.json",
        {
            "command": command_line(),
            "checkpoints": [redact_text(str(path)) for path in checkpoints],
            "data": found.data,
            "synthetic": found.synthetic,
            "split": found.split,
            "trained_on": found.trained_on,
            "views": dict(seen),
            "all_faces": found.metrics,
            "no_copy_in_training": found.unleaked,
            "no_near_copy_in_training": found.unrelated,
            "confusion": found.confusion.tolist(),
            "class_names": list(found.predictions.class_names),
            "versions": versions(),
        },
    )
    write_predictions(folder / f"{found.split}_logits.npz", found.predictions)
    write_copies(folder / f"{found.split}_copies.npz", found.copied, found.nearly)
