"""The pictures in a study's folder, served to a browser; nothing outside it ever is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from fer_lightning.dashboard.read_only import Environ, StartResponse, WsgiApplication, refuse
from fer_lightning.runs.run import PICTURE_TYPES

PREFIX = "/files/"


def address_of(picture: Path, root: Path) -> str | None:
    """Return where a picture is served, new whenever it was written anew; ``None`` if it is not below ``root``."""
    try:
        inside = picture.resolve().relative_to(root.resolve())
        version = picture.stat().st_mtime_ns
    except (OSError, ValueError):
        return None
    return f"{PREFIX}{quote(inside.as_posix())}?v={version}"


class Pictures:
    """A WSGI application that serves pictures below one folder and hands every other request on.

    Parameters
    ----------
    root
        The study's folder.
    application
        What answers the requests for anything else.
    """

    def __init__(self, root: Path, application: WsgiApplication) -> None:
        self.root = root.resolve()
        self.application = application

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            return self.application(environ, start_response)
        found = self.find(path.removeprefix(PREFIX).encode("latin-1").decode("utf-8", errors="replace"))
        if found is None:
            return refuse(start_response, "404 Not Found", "no such picture")
        try:
            content = found.read_bytes()
        except OSError:
            return refuse(start_response, "404 Not Found", "no such picture")
        headers = [
            ("Content-Type", PICTURE_TYPES[found.suffix]),
            ("Content-Length", str(len(content))),
            # An SVG may hold a script; none is run, and nothing is loaded.
            ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
            ("Cache-Control", "private, max-age=3600"),
        ]
        start_response("200 OK", headers)
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [content]

    def find(self, name: str) -> Path | None:
        """Return the picture of that name below the folder; ``None`` for anything else, or anywhere else."""
        if "\x00" in name:
            return None
        try:
            path = (self.root / name).resolve()
        except (OSError, RuntimeError):
            return None
        inside = path.is_relative_to(self.root) and path.is_file() and path.suffix in PICTURE_TYPES
        return path if inside else None
