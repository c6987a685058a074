"""The dashboard's server: Optuna's pages over a study that is only read."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna
from optuna.storages import BaseStorage

from fer_lightning.dashboard.faces_view import FacesView
from fer_lightning.dashboard.read_only import ReadOnly, WsgiApplication
from fer_lightning.dashboard.storage_view import ReadOnlyStorage
from fer_lightning.dashboard.token import TokenGate
from fer_lightning.dashboard.trial_pictures import Pictures
from fer_lightning.dashboard.under_path import UnderPath

HOST = "127.0.0.1"


class _Server(ThreadingMixIn, WSGIServer):
    """Answers several requests at once: a page asks for many pictures."""

    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    """Leaves no line for each request."""

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


def application(
    storage: BaseStorage,
    study_name: str,
    folder: Path,
    root_path: str = "",
    token: str | None = None,
    *,
    faces: Callable[[], bytes | None] | None = None,
) -> WsgiApplication:
    """Return the dashboard of a storage.

    Parameters
    ----------
    storage
        The study's; it is read, never written.
    study_name
        The study whose trials have notes; a storage may hold others.
    folder
        Where the study's trials are kept; pictures are served from below it and from nowhere else.
    root_path
        The path below which a browser sees the pages, without a slash at its end.
    token
        What visitors must bring; without one, those who come to loopback by its name are answered.
    faces
        Returns the page of the study's faces, None while there are none; without it no page links to them.

    Raises
    ------
    ConfigError
        The installed dashboard cannot be served under a path.
    """
    from optuna_dashboard import wsgi

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def find_folder(name: str) -> Path | None:
        return folder if name == study_name else None

    pages: Any = wsgi(ReadOnlyStorage(storage, find_folder))
    pages = Pictures(folder, pages)
    if faces is not None:
        number = storage.get_study_id_from_name(study_name)
        pages = FacesView(pages, faces, f"Faces of {study_name}", f"dashboard/studies/{number}")
    pages = ReadOnly(UnderPath(pages, root_path) if root_path else pages, any_host=token is not None)
    return TokenGate(pages, token, root_path) if token is not None else pages


def open_server(app: WsgiApplication, port: int, host: str = HOST) -> WSGIServer:
    """Bind a port of a host, 0 being any free one.

    Raises
    ------
    OSError
        The port is in use or is not the user's to open, or the host is not this machine's.
    """
    server = _Server6 if ":" in host else _Server
    return make_server(host, port, app, server_class=server, handler_class=_Quiet)
