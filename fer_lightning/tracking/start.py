"""Start a W&B run: online where the server takes it, else offline, and with nothing sent of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from fer_lightning.messages import first_line
from fer_lightning.tracking.mode import Mode, stay_offline

FINISH_SECONDS = 60.0
"""How long the end of a run waits for uploads; what is late stays on disk for ``wandb sync``."""


def start_run(folder: Path, mode: Mode, options: Mapping[str, Any], init_timeout: float) -> Any:
    """Return a ``wandb.Run`` whose files lie in ``folder/wandb``.

    Parameters
    ----------
    folder
        The training's folder.
    mode
        ``online`` falls back to a run that is kept offline; any other is offline.
    options
        Of ``wandb.init``; an ``id`` that a server could not take gets the suffix ``-offline``.
    init_timeout
        Seconds that the server may take.

    Raises
    ------
    Exception
        Whatever W&B raises where even an offline run cannot be started.
    """
    given = {key: value for key, value in options.items() if value}
    if mode == "online":
        try:
            return _init(folder, "online", given, init_timeout)
        except Exception as error:
            stay_offline(f"no run could be started ({first_line(error)})")
            if "id" in given:
                # W&B's service still holds the run that it could not start.
                given["id"] = f"{given['id']}-offline"
    return _init(folder, "offline", given, init_timeout)


def _init(
    folder: Path, mode: Literal["online", "offline"], options: Mapping[str, Any], init_timeout: float
) -> Any:
    import wandb

    settings = wandb.Settings(
        console="off",
        silent=True,
        disable_git=True,
        disable_code=True,
        init_timeout=init_timeout,
        finish_timeout=FINISH_SECONDS,
        symlink=False,
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
        # By default every 15 s: a run that is killed would lose as much.
        x_transaction_log_flush_interval=1,
    )
    return wandb.init(
        dir=str(folder),
        mode=mode,
        settings=settings,
        reinit="create_new",
        resume="allow" if mode == "online" else None,
        **options,
    )
