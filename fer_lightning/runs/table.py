"""Every run below a folder as one row: from its own files or, where it has none, from its W&B log."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from fer_lightning.config.factors import factors, own_settings
from fer_lightning.errors import DataError
from fer_lightning.runs.run import RECORD_FILE, Run, best_numbers, is_number
from fer_lightning.tracking.log_reader import WandbLog, read_wandb_log
from fer_lightning.tracking.run_metadata import STUDY

Row: TypeAlias = dict[str, Any]
FIRST = (
    "run",
    "state",
    "study",
    "trial",
    "arm",
    "seed",
    "dropout",
    "activation",
    "normalization",
    "augmentation",
)
LAST = (
    "epochs",
    "parameters",
    "seconds",
    "epoch_seconds",
    "reason",
    "data",
    "synthetic",
    "started",
    "note",
    "wandb",
)


def collect(root: str | Path, *, required: bool = True) -> list[Row]:
    """Return a row for every run at or below ``root``, in the order of their folders.

    Raises
    ------
    DataError
        There is no such folder, or, where one is required, no run in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    folders, logs = _find(root)
    owned: dict[Path, list[Path]] = {folder: [] for folder in folders}
    for log in logs:
        # …/RUN/wandb/offline-run-DATE-ID/run-ID.wandb
        owner = next((parent for parent in log.parents if parent in folders), log.parent)
        owned.setdefault(owner, []).append(log)
    owned = {place: paths for place, paths in owned.items() if place in folders or not _of_studies(paths)}
    if not owned and required:
        raise DataError(f"{root}: holds no run (expected run.json or run-*.wandb at or below it)")
    return [_row(folder, sorted(paths), root) for folder, paths in sorted(owned.items())]


def _of_studies(logs: list[Path]) -> bool:
    """Return whether logs are of studies' own runs, which trained nothing."""
    return bool(logs) and all(read_wandb_log(log).job_type == STUDY for log in logs)


def _find(root: Path) -> tuple[set[Path], list[Path]]:
    """Return the folders of runs, and W&B's logs."""
    folders, logs = set(), []
    for place, below, names in os.walk(root):
        below[:] = [name for name in below if name not in ("checkpoints", "media")]
        if RECORD_FILE in names:
            folders.add(Path(place))
        logs += [Path(place, name) for name in names if name.startswith("run-") and name.endswith(".wandb")]
    return folders, logs


def _row(folder: Path, logs: list[Path], root: Path) -> Row:
    """Return what is known of a run; W&B's logs are read only where there is no ``run.json``."""
    row: Row = {"run": os.path.relpath(folder, root)}
    if logs:
        row["wandb"] = " ".join(os.path.relpath(log, root) for log in logs)
    run = Run(folder)
    if run.record:
        return row | _from_run(run)
    for log in logs:
        row |= _from_log(read_wandb_log(log))
    return row


def _from_log(log: WandbLog) -> Row:
    """Return what a W&B log says; its factors lie at the top of its configuration."""
    settings = log.config.get("settings")
    top = {key: value for key, value in log.config.items() if not isinstance(value, Mapping)}
    known = factors(settings) | own_settings(settings) if isinstance(settings, Mapping) else {}
    row: Row = {**known, **top}
    row |= {"study": log.group, "note": log.notes, "started": log.started}
    best = {key: value for key, value in log.summary.items() if key.startswith("best/")}
    ended = "complete" if log.exit_code == 0 else "failed"
    row["state"] = log.summary.get("state", "not ended" if log.exit_code is None else ended)
    row |= {key: log.summary[key] for key in ("seconds", "parameters", "reason") if key in log.summary}
    epochs = [entry for entry in log.history if "epoch" in entry]
    row["epochs"] = len({entry["epoch"] for entry in epochs})
    return row | (best or _as_best(best_numbers(epochs, "val/acc", "max")))


def _from_run(run: Run) -> Row:
    """Return what a run's own files say, as far as they are there."""
    record, data = run.record, run.record.get("data") or {}
    row: Row = factors(run.config) | own_settings(run.config) if run.config else {}
    row |= {
        "study": (run.config.get("logger") or {}).get("group"),
        "state": record.get("status"),
        "reason": record.get("reason"),
        "seed": record.get("seed"),
        "seconds": record.get("seconds"),
        "epochs": record.get("epochs"),
        "parameters": (record.get("parameters") or {}).get("total"),
        "data": data.get("name"),
        "synthetic": data.get("synthetic"),
        "fingerprint": data.get("fingerprint"),
        "started": record.get("started"),
        "note": record.get("note"),
    }
    if record.get("epochs") and record.get("train_seconds"):
        row["epoch_seconds"] = round(record["train_seconds"] / record["epochs"], 3)  # of training alone
    if not record.get("best") and run.metrics:
        row["epochs"] = len(run.metrics)  # of a run that is running, or was killed
    return {key: value for key, value in (row | _as_best(run.best)).items() if value not in (None, "")}


def _as_best(metrics: Mapping[str, Any]) -> Row:
    """Return the metrics of the best epoch by their names in a summary."""
    return {f"best/{key}": value for key, value in metrics.items()}


def columns(rows: Iterable[Row]) -> list[str]:
    """Return the columns in which any row has a value: what a run is, its best metrics, how it went."""
    seen = {key for row in rows for key, value in row.items() if value not in (None, "")}
    middle = sorted(seen - set(FIRST) - set(LAST), key=lambda key: (key.startswith("best/"), key))
    return [key for key in FIRST if key in seen] + middle + [key for key in LAST if key in seen]


def sort_rows(rows: Iterable[Row], key: str) -> list[Row]:
    """Return rows by a column, or by ``-column`` from the largest down; rows without a value come last.

    Raises
    ------
    DataError
        No row has such a column.
    """
    name, rows = key.removeprefix("-"), list(rows)
    if rows and not any(name in row for row in rows):
        raise DataError(f"sort={key}: no such column; expected one of {', '.join(columns(rows))}")
    known = [row for row in rows if row.get(name) is not None]
    numbers = all(is_number(row[name]) for row in known)
    known.sort(key=lambda row: row[name] if numbers else str(row[name]), reverse=key.startswith("-"))
    return known + [row for row in rows if row.get(name) is None]
