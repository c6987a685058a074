"""What a run's folder holds for the page; a run that was killed or never began holds less, or nothing."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from fer_lightning.config.flatten import flatten
from fer_lightning.errors import UserError
from fer_lightning.explain.confusion import Confusion, confusion
from fer_lightning.redact import redact
from fer_lightning.runs.metrics_csv import read_metrics
from fer_lightning.runs.predictions import read_predictions

DIGITS = 5
# The saliency grids of a run, by what their faces are.
SHEETS = {"correct": "saliency", "mistakes": "saliency_mistakes"}


@dataclass(frozen=True)
class Sheet:
    """A saliency grid: the picture's path, and what the ``.json`` beside it says of method, checks and faces."""

    path: Path
    about: dict[str, Any]


@dataclass(frozen=True)
class RunFiles:
    """One run's folder as the page sees it.

    Attributes
    ----------
    record : ``run.json``, redacted; empty where there is none
    config : ``config.yaml``, flattened to dotted keys and redacted
    curves : "epoch" (from 1) and each metric of training and validation, one value an epoch, None where it
        was not measured; recalls of single classes are left out
    confusion : faces by true and predicted class; None without predictions
    sheets : "correct" and "mistakes" → the saliency grid of such faces, where there is one
    """

    record: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, list[float | None]] = field(default_factory=dict)
    confusion: Confusion | None = None
    sheets: dict[str, Sheet] = field(default_factory=dict)


def read_run(folder: Path | None) -> RunFiles:
    """Read what is there of a run; files that are missing or half written count as not there."""
    if folder is None or not folder.is_dir():
        return RunFiles()
    pictures = {kind: folder / f"{name}.png" for kind, name in SHEETS.items()}
    found = {
        "record": _json(folder / "run.json"),
        "config": _yaml(folder / "config.yaml"),
        "about": {k: _json(path.with_suffix(".json")) for k, path in pictures.items() if path.is_file()},
    }
    found = redact(found)  # once: each call looks through the whole environment
    return RunFiles(
        record=found["record"],
        config=flatten(found["config"]),
        curves=_curves(folder / "metrics.csv"),
        confusion=_confusion(folder),
        sheets={kind: Sheet(pictures[kind], about) for kind, about in found["about"].items()},
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _yaml(path: Path) -> dict[str, Any]:
    # The C loader is ten times as fast, which 500 runs feel; it is missing in some builds of PyYAML.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), loader)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _curves(path: Path) -> dict[str, list[float | None]]:
    try:
        rows = [row for row in read_metrics(path) if "epoch" in row]
    except (OSError, ValueError, TypeError):
        return {}
    names = sorted({key for row in rows for key in row if key.startswith(("train/", "val/"))})
    shown = [name for name in names if "/recall/" not in name]
    curves: dict[str, list[float | None]] = {"epoch": [row["epoch"] + 1 for row in rows]}
    return curves | {name: [rounded(row.get(name)) for row in rows] for name in shown} if rows else {}


def rounded(value: Any, digits: int = DIGITS) -> float | None:
    """A number to so many significant digits, for the page's size; None where it is none or not finite."""
    if value is None or isinstance(value, str) or not math.isfinite(value):
        return None
    return float(f"{float(value):.{digits}g}")


def _confusion(folder: Path) -> Confusion | None:
    stored = _json(folder / "confusion.json")
    counts, names = np.asarray(stored.get("counts", [])), stored.get("class_names", [])
    if names and counts.shape == (len(names), len(names)) and counts.dtype.kind in "iu":
        return Confusion(counts, tuple(map(str, names)))
    try:
        return confusion(read_predictions(folder / "val_logits.npz"))
    except UserError:
        return None
