"""``python -m fer_lightning evaluate checkpoint=… split=…``: a checkpoint, or several averaged, on a split."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fer_lightning.commands.arguments import Checkpoints, parse_arguments
from fer_lightning.config.metric_table import METRICS, shares_first, single_values
from fer_lightning.config.values import Count, Name
from fer_lightning.data.faces import Split
from fer_lightning.data.label import data_label
from fer_lightning.errors import ConfigError
from fer_lightning.evaluation.evaluate import Evaluation, evaluate
from fer_lightning.redact import redact_text
from fer_lightning.runs.files import write_json
from fer_lightning.runs.leakage import write_copies
from fer_lightning.runs.predictions import write_predictions
from fer_lightning.runs.provenance import command_line, versions
from fer_lightning.stats.collapse import class_of_all, guessing_levels

EXAMPLE = "checkpoint=runs/one/checkpoints/best.ckpt split=test output=eval/one"


@dataclass
class Keys:
    """What may be asked of the command."""

    checkpoint: Checkpoints | None = None
    split: Split = "val"
    flip: bool = False
    crop: Count | None = None
    output: Name | None = None
    threads: Count | None = None


def main(arguments: list[str]) -> int:
    """Print accuracy, macro-F1, calibration error and recalls; with ``output=DIR`` also write them."""
    values, overrides = parse_arguments(arguments, Keys, prefixes=["data."])
    checkpoints = values["checkpoint"]
    checkpoints = checkpoints if isinstance(checkpoints, list) else [checkpoints]
    if checkpoints in ([], [None]):
        raise ConfigError("checkpoint=…: expected a checkpoint, or several as checkpoint=[a,b]")
    if values["threads"]:
        torch.set_num_threads(values["threads"])
    seen = {"flip": values["flip"], "crop": values["crop"]}
    found = evaluate(checkpoints, values["split"], overrides, **seen)
    print(table(found, len(checkpoints)))
    if values["output"] is not None:
        write(found, checkpoints, seen, Path(values["output"]))
    return 0


def table(found: Evaluation, models: int) -> str:
    """Return the evaluation as text."""
    what = "1 model" if models == 1 else f"average of {models} models"
    note = "; TRAINED ON these faces" if found.trained_on else ""
    columns = (found.metrics, found.unleaked, found.unrelated)
    lines = [
        f"{found.split}: {what} on {data_label(found.data, found.synthetic)}{note}",
        _row("", "all faces", "no copy in training", "nor a near copy"),
        _row("faces", *(str(column["faces"]) for column in columns)),
    ]
    names = {name: METRICS[name].title or name for name in shares_first(single_values())}
    names |= {key: key.replace("/", " ") for key in found.metrics if "/" in key}
    for key, name in names.items():
        lines.append(_row(name, *(f"{column.get(key, math.nan):.4f}" for column in columns)))
    lines.append(f"guessing: {guessing_levels(found.predictions)}")
    if (word := class_of_all(found.predictions)) is not None:
        lines.append(f"collapsed: {word} is predicted for every face")
    return "\n".join(lines)


def _row(name: str, every: str, unleaked: str, unrelated: str) -> str:
    return f"{name:24}{every:>12}{unleaked:>24}{unrelated:>20}"


def write(found: Evaluation, checkpoints: list[str], seen: dict[str, Any], folder: Path) -> None:
    """Write ``evaluation.json``, ``<split>_logits.npz`` and ``<split>_copies.npz`` into ``folder``."""
    write_json(
        folder / "evaluation.json",
        {
            "command": command_line(),
            "checkpoints": [redact_text(path) for path in checkpoints],
            "data": found.data,
            "synthetic": found.synthetic,
            "split": found.split,
            "trained_on": found.trained_on,
            "views": seen,
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
