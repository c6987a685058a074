"""``python -m fer_lightning dashboard STUDY_DIR``: the study in a browser, while it runs and afterwards."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from fer_lightning.commands.arguments import parse_arguments, take_place
from fer_lightning.config.values import Name
from fer_lightning.dashboard.server import HOST, application, open_server
from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.optuna_private import storage_of, study_id
from fer_lightning.sweeps.study.results import load_study, study_folder

PORT = "a port from 1 to 65535, or 0 for a free one"


EXAMPLE = "studies/ablation-synthetic-5b2a5b59 port=0"


@dataclass
class Keys:
    """What may be asked of the command."""

    study_name: Name | None = None
    port: Annotated[int, Field(ge=0, le=65535, description=PORT)] = 8080


def main(arguments: list[str]) -> int:
    """Serve the dashboard of the study in a folder, or of a storage, until Ctrl-C."""
    usage = "dashboard STUDY_DIR: expected the folder of one study, or its storage"
    place, rest = take_place(arguments, Keys, usage)
    values, _ = parse_arguments(rest, Keys)
    port = values["port"]
    study = load_study(place, values["study_name"])
    folder: Path = study_folder(study, place)
    try:
        server = open_server(application(storage_of(study), study.study_name, folder), port)
    except OSError as error:
        raise ConfigError(
            f"port={port}: cannot be opened ({error.strerror}); port=0 takes a free one"
        ) from error
    address = f"http://{HOST}:{server.server_port}/dashboard/studies/{study_id(study)}"
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
