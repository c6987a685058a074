"""The pictures in a study's folder, found for a trial and served to a browser; nothing outside it ever is."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from fer_lightning.dashboard.read_only import Environ, StartResponse, WsgiApplication, refuse

PREFIX = "/files/"
TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".svg": "image/svg+xml", ".webp": "image/webp"}
# What a trial is judged by comes first; anything else follows by its name.
ORDER = (
    "confusion",
    "saliency",
    "trust",
    "regions",
    "lime",
    "filters",
    "class_images",
    "feature_maps",
    "history",
)


def pictures_of(folder: Path) -> list[Path]:
    """Return the pictures in a trial's folder and in those of its explanations, what it is compared by first."""
    found = []
    for place in (folder, *(folder / name for name in ORDER)):
        with suppress(OSError):
            found += [path for path in place.iterdir() if path.suffix in TYPES and path.name[0] != "."]
    return sorted(found, key=lambda path: (_rank(path.stem), path.name))


def _rank(stem: str) -> int:
    return next((rank for rank, name in enumerate(ORDER) if stem.startswith(name)), len(ORDER))


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
            ("Content-Type", TYPES[found.suffix]),
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
        inside = path.is_relative_to(self.root) and path.is_file() and path.suffix in TYPES
        return path if inside else None
