"""``python -m fer_lightning dashboard STUDY_DIR``: the study in a browser, while it runs and afterwards."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import signal
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from fer_lightning.commands.arguments import parse_arguments, take_place
from fer_lightning.config.values import Name
from fer_lightning.dashboard.server import HOST, application, open_server
from fer_lightning.dashboard.token import TOKEN, new_token
from fer_lightning.errors import ConfigError
from fer_lightning.report.page.live_faces import LiveFaces
from fer_lightning.sweeps.optuna_private import storage_of, study_id
from fer_lightning.sweeps.study.results import load_study, study_folder, study_trials

PORT = "a port from 1 to 65535, or 0 for a free one"
ROOT_PATH = "a path such as /jupyter/proxy/8080"
VARIABLE = "FER_LIGHTNING_DASHBOARD_TOKEN"

EXAMPLE = "studies/ablation-synthetic-5b2a5b59 port=0"


@dataclass
class Keys:
    """What may be asked of the command."""

    study_name: Name | None = None
    port: Annotated[int, Field(ge=0, le=65535, description=PORT)] = 8080
    host: Name = HOST
    root_path: Annotated[str, Field(pattern=r"^(/[\w.~-]+)*/?$", description=ROOT_PATH)] = ""
    token: bool | None = None
    gallery: bool = True


def main(arguments: list[str]) -> int:
    """Serve the dashboard of the study in a folder, or of a storage, until Ctrl-C.

    Its pages link to the validation faces of the runs that have ended, unless ``gallery=false``.
    """
    usage = "dashboard STUDY_DIR: expected the folder of one study, or its storage"
    place, rest = take_place(arguments, Keys, usage)
    values, _ = parse_arguments(rest, Keys)
    host, root_path = values["host"], values["root_path"].rstrip("/")
    token = _token(host, values["token"])
    study = load_study(place, values["study_name"])
    folder: Path = study_folder(study, place)
    faces = LiveFaces(
        lambda: study_trials(study, place),
        folder,
        f"Faces of {study.study_name}",
        f"dashboard/studies/{study_id(study)}",
    )
    gallery = faces.page if values["gallery"] else None
    app = application(storage_of(study), study.study_name, folder, root_path, token, faces=gallery)
    try:
        server = open_server(app, values["port"], host)
    except OSError as error:
        raise ConfigError(_not_opened(host, values["port"], error)) from error
    address = (
        f"http://{_shown_host(host)}:{server.server_port}{root_path}/dashboard/studies/{study_id(study)}"
    )
    if token is not None:
        address += f"?token=${VARIABLE}" if VARIABLE in os.environ else f"?token={token}"
    # From another thread, since the server cannot be ended from the one that it runs in.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    try:
        print(f"{study.study_name}: {address} (Ctrl-C ends it)", flush=True)
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        print()
    finally:
        server.server_close()
    return 0


def _token(host: str, wanted: bool | None) -> str | None:
    """Return what visitors must bring; on any address but loopback it is always something.

    Raises
    ------
    ConfigError
        No token is wanted where others reach the dashboard, or the user's own is none.
    """
    if not _is_loopback(host) and wanted is False:
        raise ConfigError(
            f"token=false: whoever reaches host={host} could look; leave it out, or serve on {HOST} only"
        )
    if wanted is False or (wanted is None and _is_loopback(host)):
        return None
    own = os.environ.get(VARIABLE)
    if own is not None and not re.fullmatch(TOKEN, own):
        raise ConfigError(f"{VARIABLE}: expected at least 16 letters, digits, - or _")
    return own or new_token()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _shown_host(host: str) -> str:
    """Return the host as it stands in an address; this machine's name for all of its addresses."""
    try:
        everywhere = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host
    name = socket.getfqdn() if everywhere else host
    return f"[{name}]" if ":" in name else name


def _not_opened(host: str, port: int, error: OSError) -> str:
    """Return which of host and port is at fault."""
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"host={host}: not an address of this machine ({error.strerror})"
    return f"port={port}: cannot be opened ({error.strerror}); port=0 takes a free one"
