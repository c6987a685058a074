"""The answer of a WSGI application as a whole, so that it can be changed."""

from __future__ import annotations

from typing import Any, TypeAlias

from fer_lightning.dashboard.read_only import Environ, WsgiApplication

Answer: TypeAlias = tuple[str, list[tuple[str, str]], bytes]


def whole_answer(application: WsgiApplication, environ: Environ) -> Answer:
    """Return status, headers and body, uncompressed, for compressed text cannot be changed."""
    told: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        told[:] = [status, headers]

    parts = application({**environ, "HTTP_ACCEPT_ENCODING": ""}, start)
    try:
        body = b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    return told[0], told[1], body
