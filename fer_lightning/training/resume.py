"""Go on with an interrupted run: from which checkpoint, and whether it is the same run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fer_lightning.config.expectation import shown_value
from fer_lightning.config.renamed import ADDED
from fer_lightning.config.typed import typed_path
from fer_lightning.errors import ConfigError
from fer_lightning.runs.code_fingerprint import in_words
from fer_lightning.runs.removed_checkpoints import why_removed
from fer_lightning.training.checkpoints import read_checkpoint, require
from fer_lightning.training.module import CHECKPOINT_KEY

# What decides the numbers of a run. The rest may change when it goes on: the device, what is logged or looked at.
SAME = (
    *("module", "model", "normalization", "augmentation", "loss", "optimizer", "scheduler", "callbacks.ema"),
    *("seed", "metric", "mode", "data.seed", "data.split_seed", "data.batch_size", "data.fraction"),
    "data.eval_fraction",
    *("data.steps_per_epoch", "data.sampling", "data.train_on", "data.exclude"),
    *("trainer.accumulate_grad_batches", "trainer.gradient_clip_val", "trainer.gradient_clip_algorithm"),
    *("trainer.limit_train_batches", "trainer.overfit_batches", "trainer.precision"),
)


def find_checkpoint(resume: bool | str, folder: Path) -> Path | None:
    """Return the checkpoint from which to go on, if any.

    Raises
    ------
    ConfigError
        A path was given and is not there.
    """
    if isinstance(resume, str):
        path = typed_path(resume)
        path = path / "checkpoints" / "last.ckpt" if path.is_dir() else path
        if not path.is_file():
            raise ConfigError(f"resume={resume}: no such checkpoint or run folder{why_removed(path)}")
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
        What the run is about to train: its ``config``, ``data``, ``teacher`` and ``weights``, as in a checkpoint.

    Raises
    ------
    ConfigError
        It was trained on other data, or something of `SAME` or of the schedule's length differs.
    """
    stored = read_checkpoint(path)
    before, now = stored[CHECKPOINT_KEY], record
    require(path, before, {"data": Mapping}, "record")
    require(path, before["data"], {"fingerprint": str, "name": str}, "data")
    require(path, stored, {"epoch": int})
    if before["data"]["fingerprint"] != now["data"]["fingerprint"]:
        raise ConfigError(
            f"{path}: was trained on other data ({before['data']['name']}); expected the same faces"
        )
    for kind, key, was in (
        ("teacher", "loss.teacher", "learnt from another teacher, or from none"),
        ("weights", "model.weights", "began with other weights"),
    ):
        if before.get(kind) != now.get(kind):
            raise ConfigError(
                f"{key}={shown_value(_value(now['config'], key))}: {path} {was}; expected the same to go on"
            )
    for key in SAME:
        _require_same(path, key, _value(before["config"], key), _value(now["config"], key))
    planned, asked = (each["config"]["trainer"].get("max_epochs") for each in (before, now))
    if planned != asked and not str((now["config"].get("scheduler") or {}).get("_target_", "")).endswith(
        ".constant"
    ):
        raise ConfigError(
            f"trainer.max_epochs={shown_value(asked)}: the learning rate of {path} was planned over "
            f"{shown_value(planned)} epochs; "
            "expected the same number, or scheduler=constant from the start"
        )
    return int(stored["epoch"]) + 1


def code_changes(path: Path, code: Mapping[str, str], *, accept: bool) -> list[str]:
    """Return the own files that were changed since ``path`` was written, or before, in an earlier continuation.

    Parameters
    ----------
    path
        The checkpoint; one of an earlier version does not say with which code it was made.
    code
        The fingerprint of what is about to run. A file that only one of the two has belongs to settings that differ,
        and these are for :func:`check_continuation`.
    accept
        Whether changed code is accepted.

    Raises
    ------
    ConfigError
        Code has changed and is not accepted.
    """
    record = read_checkpoint(path)[CHECKPOINT_KEY]
    before: Mapping[str, str] = record.get("code", {})
    changed = [name for name in code if name in before and before[name] != code[name]]
    if changed and not accept:
        words = in_words(dict.fromkeys(changed, "has changed"))
        raise ConfigError(
            f"{path}: was trained with other code: {words}; changed_code=accept goes on all the same"
        )
    return sorted({*record.get("code_changed", []), *changed})


def _value(config: Mapping[str, Any], key: str) -> Any:
    """Return what stands at a dotted key; ``None`` where nothing does."""
    node: Any = config
    for name in key.split("."):
        node = (node or {}).get(name)
    return ADDED.get(key) if node is None else node


def _require_same(path: Path, key: str, before: Any, now: Any) -> None:
    """Raise ConfigError, naming the first key within ``key`` whose values differ."""
    # What is not there, in an older checkpoint, is as what is empty or 0.
    if (before or None) == (now or None):
        return
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        kinds = [node.get("_target_") for node in (before, now)]
        if kinds[0] != kinds[1]:
            raise ConfigError(
                f"{path}: was trained with another {key}, {kinds[0]}; expected the same to go on"
            )
        for name in {**before, **now}:
            _require_same(path, f"{key}.{name}", before.get(name), now.get(name))
        return
    if isinstance(before, Mapping) or isinstance(now, Mapping):
        some = "with" if before else "without"
        raise ConfigError(f"{path}: was trained {some} {key}; expected the same to go on")
    earlier = "without it" if before is None else f"with {shown_value(before)}"
    raise ConfigError(f"{key}={shown_value(now)}: {path} was trained {earlier}; expected the same to go on")
