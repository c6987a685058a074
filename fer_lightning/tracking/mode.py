"""Whether a W&B run is kept online or offline: asked of the server itself, in a few seconds."""

from __future__ import annotations

import base64
import json
import netrc
import os
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from fer_lightning.errors import ConfigError
from fer_lightning.messages import say_once

Mode = Literal["auto", "online", "offline", "disabled"]
MODES = ("auto", "online", "offline", "disabled")
PATIENCE_SECONDS = 3.0
"""How long a server may take to say who one is."""
REMEMBER_SECONDS = 600.0
"""How long a server that did not answer is left alone, so that it does not cost every run of a study."""
_trouble: dict[str, tuple[float, str]] = {}


def base_url() -> str:
    """Return the address of the W&B server."""
    return os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai").rstrip("/")


def find_key() -> str | None:
    """Return the key that ``wandb login`` stored, or that is in the environment; ``None`` without one."""
    if os.environ.get("WANDB_API_KEY"):
        return os.environ["WANDB_API_KEY"]
    address = urlsplit(base_url())
    path = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    try:
        stored = netrc.netrc(str(path))
    except (OSError, netrc.NetrcParseError):
        return None
    for host in (address.netloc, address.hostname or ""):
        found = stored.hosts.get(host)
        if found is not None:
            return found[2]
    return None


def choose_mode(asked: Mode) -> Mode:
    """Return ``online`` where a server knows the key, else ``offline``; ``offline`` and ``disabled`` as asked.

    Raises
    ------
    ConfigError
        ``asked`` is no mode.
    """
    if asked not in MODES:
        raise ConfigError(f"logger.mode={asked}: expected one of {', '.join(MODES)}")
    mode = os.environ.get("WANDB_MODE", asked) if asked == "auto" else asked
    if mode == "disabled":
        return "disabled"
    if mode not in ("auto", "online"):
        return "offline"
    if os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return "online"
    key = find_key()
    if key is None:
        say_once(
            "Weights & Biases: no key found, so runs are kept offline (wandb login, then wandb sync DIR)"
        )
        return "offline"
    trouble = recent_trouble() or _ask(base_url(), key)
    if trouble is not None:
        stay_offline(trouble)
        return "offline"
    return "online"


def recent_trouble() -> str | None:
    """Return why the server could not be used a short while ago."""
    when, reason = _trouble.get(base_url(), (0.0, ""))
    return reason if reason and time.monotonic() - when < REMEMBER_SECONDS else None


def stay_offline(reason: str) -> None:
    """Say why runs are kept offline, and leave the server alone for a while."""
    if recent_trouble() is None:
        _trouble[base_url()] = (time.monotonic(), reason)
    say_once(f"Weights & Biases: {reason}, so runs are kept offline")


def _ask(address: str, key: str) -> str | None:
    """Return why the server cannot be used with this key; ``None`` where it can.

    In a thread of its own, because looking up a host's name cannot be given a time limit.
    """
    answers: list[str | None] = []
    asking = threading.Thread(target=lambda: answers.append(_viewer(address, key)), daemon=True)
    asking.start()
    asking.join(PATIENCE_SECONDS)
    return answers[0] if answers else "the server does not answer"


def _viewer(address: str, key: str) -> str | None:
    words = base64.b64encode(f"api:{key}".encode()).decode()
    request = urllib.request.Request(
        f"{address}/graphql",
        data=json.dumps({"query": "query Viewer { viewer { id } }"}).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Basic {words}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
            answer = json.loads(response.read(100_000))
    except urllib.error.HTTPError as error:
        refused = error.code in (401, 403)
        return "the server refuses the key" if refused else f"the server answers with status {error.code}"
    except OSError:
        return "the server cannot be reached"
    except ValueError:
        return "the server gives no answer of Weights & Biases"
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict):
        return "the server gives no answer of Weights & Biases"
    return None if data.get("viewer") else "the server refuses the key"
