"""Whether a W&B run is kept online or offline: as W&B itself is switched, and as its server answers."""

from __future__ import annotations

import re
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

from fer_lightning.config.values import check_value
from fer_lightning.messages import say_once

Mode = Literal["auto", "online", "offline", "disabled"]
PATIENCE_SECONDS = 3.0
"""How long a server may take to say who one is."""
REMEMBER_SECONDS = 600.0
"""How long a server that did not answer is left alone, so that it does not cost every run of a study."""
TROUBLE_FILE = ".wandb_trouble"
_trouble: list[tuple[float, str]] = []
_began = time.time()


def choose_mode(asked: Mode, sync: str = "wandb sync DIR", place: Path | None = None) -> Mode:
    """Return ``online`` where W&B is switched on and its server knows the key, else ``offline`` or ``disabled``.

    W&B's own switches are ``wandb offline``, ``wandb disabled``, its settings files and its variables.

    Parameters
    ----------
    asked
        ``offline`` and ``disabled`` are returned as they are.
    sync
        The command that sends runs later, for the message.
    place
        See :func:`recent_trouble`.

    Raises
    ------
    ConfigError
        ``asked`` is no mode.
    """
    check_value(asked, Mode, "logger.mode")
    if asked in ("offline", "disabled"):
        return asked
    import wandb

    switched = wandb.setup().settings.mode
    mode: Mode = "disabled" if switched == "disabled" else "offline"
    if switched in ("disabled", "offline", "dryrun"):
        if asked == "online":
            say_once(
                f"Weights & Biases: logger.mode=online, but W&B is switched to {mode} (wandb online undoes it)"
            )
        return mode
    trouble = recent_trouble(place)
    if trouble is None:
        known = _log_in()
        if known is True:
            return "online"
        if known is False:
            say_once(
                f"Weights & Biases: no key found, so runs are kept offline; to send them: wandb login, then {sync}",
                about="no key",
            )
            return "offline"
        trouble = known
    stay_offline(trouble, sync, place)
    return "offline"


def recent_trouble(place: Path | None = None) -> str | None:
    """Return why the server could not be used a short while ago.

    Parameters
    ----------
    place
        A folder in which processes that work together tell each other; what is older than this process is not read.
    """
    when, reason = _trouble[-1] if _trouble else (0.0, "")
    with suppress(OSError):
        told = None if place is None else place / TROUBLE_FILE
        if told is not None and told.stat().st_mtime > max(when, _began):
            when, reason = told.stat().st_mtime, told.read_text(encoding="utf-8")
    return reason if reason and time.time() - when < REMEMBER_SECONDS else None


def remember_trouble(reason: str, place: Path | None = None) -> None:
    """Leave the server alone for a while, also in the processes that share ``place``."""
    if recent_trouble(place) is None:
        _trouble.append((time.time(), reason))
        with suppress(OSError):
            if place is not None:
                (place / TROUBLE_FILE).write_text(reason, encoding="utf-8")


def stay_offline(reason: str, sync: str, place: Path | None = None) -> None:
    """Say why runs are kept offline, and leave the server alone for a while."""
    remember_trouble(reason, place)
    say_once(
        f"Weights & Biases: {reason}, so runs are kept offline; to send them later: {sync}", about=reason
    )


def _log_in() -> bool | str:
    """Return whether there is a key that the server knows, or why the server cannot be used.

    In a thread of its own, because W&B tries again and again, and looking up a host's name has no time limit.
    """
    import wandb
    import wandb.apis.public  # `login` does, which on a busy machine takes as long as the server may

    answers: list[bool | str] = []

    def ask() -> None:
        try:
            answers.append(wandb.login(verify=True, prompt=False))
        except Exception as error:
            refused = re.search(r"returned error (401|403)|not recognize an account", str(error))
            words = str(error).strip().splitlines() or [type(error).__name__]
            answers.append("the server refuses the key" if refused else words[0])

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE_SECONDS)
    return (
        answers[0] if answers else f"the server does not confirm the key within {PATIENCE_SECONDS:g} seconds"
    )
