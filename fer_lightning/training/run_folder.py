"""A run's folder: it is one run's alone, and whole where the run was begun in another folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fer_lightning.errors import ConfigError
from fer_lightning.redact import redact_text
from fer_lightning.runs.files import replaced, require_plain
from fer_lightning.runs.predictions import LOGITS_FILE
from fer_lightning.runs.record import is_first_process
from fer_lightning.runs.run import METRICS_FILE, RECORD_FILE, Run
from fer_lightning.sweeps.jobs.environment import Job
from fer_lightning.training.checkpoints import read_checkpoint
from fer_lightning.training.resume import find_checkpoint

_LEFT = (RECORD_FILE, METRICS_FILE, LOGITS_FILE, "checkpoints")


@contextmanager
def own_folder(folder: Path, resume: bool | str) -> Iterator[None]:
    """Keep other runs out of ``folder`` while this one trains.

    Raises
    ------
    ConfigError
        The folder holds a run with which this one does not go on, or one that is running.
    """
    require_plain(redact_text(str(folder)), "hydra.run.dir")
    with ExitStack() as stack:
        if is_first_process():
            if Job.current() is None:  # a trial has its lease
                folder.mkdir(parents=True, exist_ok=True)
                try:
                    stack.enter_context(FileLock(folder / ".run.lock", timeout=0))
                except Timeout:
                    raise ConfigError(f"{_named(folder)}: another run is training in this folder") from None
            _refuse_other_run(folder, resume)
        yield


def _refuse_other_run(folder: Path, resume: bool | str) -> None:
    left = next((name for name in _LEFT if (folder / name).exists()), None)
    if left is None:
        return
    checkpoint = find_checkpoint(resume, folder)
    if checkpoint is not None and checkpoint.resolve().is_relative_to(folder.resolve()):
        return
    status = Run(folder).record.get("status")
    if resume is True and status != "complete":
        return  # it was stopped before its first checkpoint
    held = f"a run that is {status}" if status else f"{left} of a run"
    raise ConfigError(
        f"{_named(folder)}: the folder holds {held}; resume=true goes on with it, another hydra.run.dir begins anew"
    )


def _named(folder: Path) -> str:
    return f"hydra.run.dir={redact_text(str(folder))}"


def bring_best(checkpoint: Path, folder: Path) -> None:
    """Copy what the epochs behind ``checkpoint`` have as their best into the folder in which the run goes on."""
    source = checkpoint.parent.parent
    best = source / "checkpoints" / "best.ckpt"
    if source.resolve() == folder.resolve() or not best.is_file():
        return
    if read_checkpoint(best)["epoch"] > read_checkpoint(checkpoint)["epoch"]:
        return  # of an epoch that will be trained again
    for name in ("checkpoints/best.ckpt", LOGITS_FILE):
        if (source / name).is_file():
            with replaced(folder / name) as partial:
                shutil.copyfile(source / name, partial)
