"""Which epochs of a continued run W&B has, and which of its logs need no `wandb sync`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from fer_lightning.errors import DataError
from fer_lightning.tracking.log_reader import WandbLog, read_wandb_log


def mark_sent(log: Path) -> None:
    """Let ``wandb sync`` pass over a log whose rows the server has: it would append them."""
    log.with_name(f"{log.name}.synced").touch()


def last_known_epoch(run: Any, folder: Path, picture_rows: int) -> int:
    """Return the last epoch, from 0, whose metrics earlier attempts logged; -1 where there is none.

    Parameters
    ----------
    run
        The ``wandb.Run`` that goes on.
    folder
        The training's folder, with the logs of the earlier attempts.
    picture_rows
        Rows of these attempts that hold no metrics.
    """
    own = Path(run.settings.sync_file).parent.name
    logs = [log for log in folder.glob(f"wandb/*run-*/run-{run.id}.wandb") if log.parent.name != own]
    if not run.offline:
        for log in logs:
            mark_sent(log)  # what the server lacks of it is sent by this attempt
        return int(run.starting_step) - picture_rows - 1
    # Nobody can be asked what has arrived, but what was logged will be sent together with this.
    epochs = [int(row.get("epoch", -1)) for log in logs for row in _read(log).history]
    return max(epochs, default=-1)


def _read(log: Path) -> WandbLog:
    """Read a log; one that a kill left without a beginning would end ``wandb sync`` for all, so it is passed over."""
    found = WandbLog(log)
    with suppress(DataError):
        found = read_wandb_log(log)
    if not found.run_id:
        mark_sent(log)
    return found
