"""Start and end a W&B run: online where the server takes it, else offline, and with nothing sent of the machine."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from fer_lightning.config.typed import shown
from fer_lightning.messages import first_line
from fer_lightning.tracking.mode import Mode, stay_offline

FINISH_SECONDS = 10.0
"""How long the end of a run waits for uploads; what is late stays on disk for ``wandb sync``."""


def sync_command(folder: Path, place: Path | None = None) -> str:
    """Return the command that sends what was kept of a run or, with ``place``, of all runs of its study."""
    return f"wandb sync --include-online {shlex.quote(shown(place or folder))}/{'' if place is None else '*/'}wandb"


def start_run(
    folder: Path,
    mode: Mode,
    options: Mapping[str, Any],
    init_timeout: float,
    place: Path | None = None,
    finish_seconds: float | None = None,
) -> Any:
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
    place
        The study's folder.
    finish_seconds
        How long its end waits for uploads; None for :data:`FINISH_SECONDS`.

    Raises
    ------
    Exception
        Whatever W&B raises where even an offline run cannot be started.
    """
    given = {key: value for key, value in options.items() if value}
    if mode == "online":
        try:
            return _init(folder, "online", given, init_timeout, finish_seconds)
        except Exception as error:
            stay_offline(f"no run could be started ({first_line(error)})", sync_command(folder, place), place)
            if "id" in given:
                # W&B's service still holds the run that it could not start.
                given["id"] = f"{given['id']}-offline"
    return _init(folder, "offline", given, init_timeout, finish_seconds)


def _init(
    folder: Path,
    mode: Literal["online", "offline"],
    options: Mapping[str, Any],
    init_timeout: float,
    finish_seconds: float | None,
) -> Any:
    import wandb

    settings = wandb.Settings(
        console="off",
        silent=True,
        disable_git=True,
        disable_code=True,
        init_timeout=init_timeout,
        finish_timeout=FINISH_SECONDS if finish_seconds is None else finish_seconds,
        finish_timeout_raises=True,
        symlink=False,
        # Else the computer's name, and where the console script lies.
        host="",
        program="fer_lightning",
        program_relpath="fer_lightning",
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
        # By default every 15 s: a run that is killed would lose as much.
        x_transaction_log_flush_interval=1,
    )
    return wandb.init(dir=str(folder), mode=mode, settings=settings, reinit="create_new", **options)


def finish_run(run: Any, exit_code: int) -> tuple[str | None, bool]:
    """End a run; return why not all of it was sent, and whether the server is at fault for others as well.

    W&B says neither that uploads were refused nor that the run was deleted, but its service logs it.
    """
    late = False
    try:
        run.finish(exit_code=exit_code)
    except TimeoutError:
        late = True
    errors: list[str] = []
    with suppress(OSError, ValueError):
        lines = Path(run.settings.log_internal).read_text(encoding="utf-8").splitlines()
        errors = [line for line in lines if _is_error(json.loads(line))]
    if run.offline or not (errors or late):
        return None, False
    status = re.search(r'"status":\s*"?(\d{3})|HTTP (\d{3})', "\n".join(errors))
    answer = f"answers with status {status[1] or status[2]}" if status else "does not answer"
    return f"the server {answer}", late


def _is_error(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry of W&B's log says that something was not sent; that a server is old does not."""
    return entry.get("level") == "ERROR" and not str(entry.get("msg")).startswith("featurechecker")
