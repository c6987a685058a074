"""``python -m fer_lightning dashboard STUDY_DIR``: the study in a browser, while it runs and afterwards."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

from fer_lightning.commands.arguments import parse_arguments
from fer_lightning.dashboard.server import HOST, application, open_server
from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.study.results import load_study, study_folder

KEYS: dict[str, Any] = {"study_name": None, "port": 8080}


def main(arguments: list[str]) -> int:
    """Serve the dashboard of the study in a folder, or of a storage, until Ctrl-C."""
    if not arguments or arguments[0].startswith(("port=", "study_name=")):
        raise ConfigError("dashboard STUDY_DIR: expected the folder of a study, or its storage")
    place, *rest = arguments
    values, _ = parse_arguments(rest, KEYS)
    port = values["port"]
    if not isinstance(port, int) or not 0 <= port <= 65535:
        raise ConfigError(f"port={port}: expected a port from 1 to 65535, or 0 for a free one")
    study = load_study(place, values["study_name"])
    folder: Path = study_folder(study, place)
    try:
        server = open_server(application(study._storage, study.study_name, folder), port)
    except OSError as error:
        raise ConfigError(
            f"port={port}: cannot be opened ({error.strerror}); port=0 takes a free one"
        ) from error
    address = f"http://{HOST}:{server.server_port}/dashboard/studies/{study._study_id}"
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
