"""Go on with an interrupted run: from which checkpoint, and whether it is the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fer_lightning.checkpoints import read_checkpoint
from fer_lightning.errors import ConfigError
from fer_lightning.module import CHECKPOINT_KEY


def find_checkpoint(resume: bool | str, folder: Path) -> Path | None:
    """Return the checkpoint from which to go on, if any.

    Raises
    ------
    ConfigError
        A path was given and is not there.
    """
    if isinstance(resume, str):
        path = Path(resume).expanduser()
        path = path / "checkpoints" / "last.ckpt" if path.is_dir() else path
        if not path.is_file():
            raise ConfigError(f"resume={resume}: no such checkpoint or run folder")
        return path
    last = folder / "checkpoints" / "last.ckpt"
    return last if resume and last.is_file() else None


def check_continuation(path: Path, record: dict[str, Any]) -> int:
    """Return the number of epochs behind ``path``.

    Parameters
    ----------
    path
        The checkpoint.
    record
        What the run is about to train: its ``config`` and ``data``, as a checkpoint holds them.

    Raises
    ------
    ConfigError
        It was trained on other data, or with another model or schedule.
    """
    stored = read_checkpoint(path)
    before, now = stored[CHECKPOINT_KEY], record
    if before["data"]["fingerprint"] != now["data"]["fingerprint"]:
        raise ConfigError(
            f"{path}: was trained on other data ({before['data']['name']}); expected the same faces"
        )
    for key in ("model", "normalization", "optimizer", "scheduler"):
        if before["config"].get(key) != now["config"].get(key):
            raise ConfigError(
                f"{path}: was trained with another {key} configuration; expected the same to go on"
            )
    planned, asked = (each["config"]["trainer"].get("max_epochs") for each in (before, now))
    if planned != asked and not str((now["config"].get("scheduler") or {}).get("_target_", "")).endswith(
        ".constant"
    ):
        raise ConfigError(
            f"trainer.max_epochs={asked}: the learning rate of {path} was planned over {planned} epochs; "
            "expected the same number, or scheduler=constant from the start"
        )
    return int(stored["epoch"]) + 1
