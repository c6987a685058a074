"""``run.json``: what was run, on what, where, and what came of it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.data.faces import SPLITS
from fer_lightning.messages import first_line
from fer_lightning.redact import redact, redact_text
from fer_lightning.runs.best_epoch import best_epoch
from fer_lightning.runs.files import write_json
from fer_lightning.runs.provenance import command_line, git_state, machine, versions
from fer_lightning.runs.run import RECORD_FILE

UNREADABLE_FILE = "unreadable.txt"  # one line for each picture that was left out, and why


def describe_data(data: FaceDataModule) -> dict[str, Any]:
    """Return what identifies the faces: name, fingerprint, whether synthetic, and how many were used."""
    faces = data.faces
    return {
        "name": faces.name,
        "synthetic": faces.synthetic,
        "fingerprint": faces.fingerprint,
        "faces": {split: len(faces.indices(split)) for split in SPLITS},
        "trained_on": len(data.train_indices),
        "validated_on": len(data.val_indices) if data.train_on == "train" else 0,
        "unreadable": len(faces.unreadable),
    }


def portable_config(config: DictConfig) -> dict[str, Any]:
    """Return the resolved configuration as plain values, free of secrets."""
    plain: dict[str, Any] = redact(OmegaConf.to_container(config, resolve=True))
    return plain


def note_failure(folder: Path, error: Exception) -> None:
    """Write why a run failed whose own processes cannot say it, if it has begun."""
    path = folder / RECORD_FILE
    if path.is_file():
        values = json.loads(path.read_text(encoding="utf-8"))
        write_json(path, values | {"status": "failed", "reason": first_line(error)})


def is_first_process() -> bool:
    """Say whether this is the one process, of those that train together, that writes files and messages."""
    return getattr(rank_zero_only, "rank", 0) in (0, None)


class RunRecord:
    """Writes ``run.json`` when a run starts and again when it ends, so that a killed run has one too.

    Parameters
    ----------
    folder
        The run's folder.
    config
        The composed configuration.
    data
        Of :func:`describe_data`.
    parameters
        How many the net has in `total`, and how many are `trainable`.
    continued_after
        Epochs that an interrupted run had behind it.
    teacher
        Digest of what the net's teachers say; ``None`` if it learns from labels alone.
    weights
        Digest of the file of its initial weights; ``None`` if they are drawn.
    code
        Fingerprint of the own files that the run is made of.
    code_changed
        Those of them that were changed before the run was continued.
    """

    def __init__(
        self,
        folder: Path,
        config: DictConfig,
        data: dict[str, Any],
        parameters: Mapping[str, int],
        *,
        continued_after: int = 0,
        teacher: str | None = None,
        weights: str | None = None,
        code: Mapping[str, str] | None = None,
        code_changed: Sequence[str] = (),
    ) -> None:
        self.path = folder / RECORD_FILE
        self.metric, self.mode = config.metric, config.mode
        self.started = time.perf_counter()
        self.values: dict[str, Any] = {
            "status": "running",
            "command": command_line(),
            "note": redact_text(config.note),
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "seed": config.seed,
            "data": data,
            "teacher": teacher,
            "weights": weights,
            "parameters": dict(parameters),
            "continued_after_epochs": continued_after,
            "versions": versions(),
            "git": git_state(),
            "code": dict(code or {}),
            "code_changed": list(code_changed),
            "machine": machine(),
            "seconds": 0.0,
            "metric": self.metric,
            "mode": self.mode,
            "best": None,
        }
        self._write()

    def _write(self) -> None:
        if is_first_process():
            write_json(self.path, self.values)

    def update(self, **values: Any) -> None:
        """Write further values."""
        self.values |= values
        self._write()

    @property
    def value(self) -> float | None:
        """The metric of the best epoch."""
        best = self.values["best"]
        return None if best is None else best.get(self.metric)

    def finish(
        self, status: str, rows: Mapping[int, Mapping[str, float]], reason: str | BaseException | None = None
    ) -> None:
        """Write how the run ended and why, its time, and the metrics of its best epoch."""
        self.values["status"] = status
        if reason is not None:
            self.values["reason"] = (
                first_line(reason) if isinstance(reason, BaseException) else redact_text(reason)
            )
        self.values["seconds"] = round(time.perf_counter() - self.started, 3)
        self.values["train_seconds"] = round(sum(row.get("seconds/train", 0.0) for row in rows.values()), 3)
        best = best_epoch((row for _, row in sorted(rows.items())), self.metric, self.mode)
        if best is not None:
            self.values["best"] = {**best, "epoch": int(best["epoch"])}
        self.values["epochs"] = len(rows)
        self._write()
