"""The dashboard's server on loopback: Optuna's pages over a study that is only read."""

from __future__ import annotations

from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna
from optuna.storages import BaseStorage

from fer_lightning.dashboard.read_only import ReadOnly, WsgiApplication
from fer_lightning.dashboard.storage_view import ReadOnlyStorage
from fer_lightning.dashboard.trial_pictures import Pictures

HOST = "127.0.0.1"


class _Server(ThreadingMixIn, WSGIServer):
    """Answers several requests at once: a page asks for many pictures."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    """Leaves no line for each request."""

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


def application(storage: BaseStorage, study_name: str, folder: Path) -> WsgiApplication:
    """Return the dashboard of a storage.

    Parameters
    ----------
    storage
        The study's; it is read, never written.
    study_name
        The study whose trials have notes; a storage may hold others.
    folder
        Where the study's trials are kept; pictures are served from below it and from nowhere else.
    """
    from optuna_dashboard import wsgi

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def find_folder(name: str) -> Path | None:
        return folder if name == study_name else None

    pages: Any = wsgi(ReadOnlyStorage(storage, find_folder))
    return ReadOnly(Pictures(folder, pages))


def open_server(app: WsgiApplication, port: int) -> WSGIServer:
    """Bind a port of loopback, 0 being any free one.

    Raises
    ------
    OSError
        The port is in use, or is not the user's to open.
    """
    return make_server(HOST, port, app, server_class=_Server, handler_class=_Quiet)
