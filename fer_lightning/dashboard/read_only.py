"""A WSGI wrapper that lets visitors look and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]
WsgiApplication: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

METHODS = ("GET", "HEAD", "OPTIONS")
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class ReadOnly:
    """Refuses every method that could change something, and every Host header but loopback's.

    The dashboard's own API deletes a study for whoever asks, a page of another origin included; and a foreign
    host name that resolves to 127.0.0.1 (DNS rebinding) would let such a page read the answers as well.

    Parameters
    ----------
    application
        What answers the requests that are let through.
    any_host
        Take any Host header, for visitors show a token.
    """

    def __init__(self, application: WsgiApplication, any_host: bool = False) -> None:
        self.application = application
        self.any_host = any_host

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if not self.any_host and host_name(environ.get("HTTP_HOST", "")) not in LOOPBACK:
            reason = "this dashboard answers to 127.0.0.1 and localhost only; one started with token=true, to any name"
            return refuse(start_response, "403 Forbidden", reason)
        if environ.get("REQUEST_METHOD", "") not in METHODS:
            allowed = [("Allow", ", ".join(METHODS))]
            return refuse(start_response, "405 Method Not Allowed", "this dashboard is read-only", allowed)
        # Optuna's dashboard fails where a client does not say which encodings it takes.
        environ.setdefault("HTTP_ACCEPT_ENCODING", "")
        return self.application(environ, _hardened(start_response))


def host_name(header: str) -> str:
    """Return the name in a Host header without its port, in lower case."""
    name, colon, port = header.strip().lower().rpartition(":")
    return name if colon and port.isdigit() else header.strip().lower()


def refuse(
    start_response: StartResponse, status: str, reason: str, headers: Iterable[tuple[str, str]] = ()
) -> list[bytes]:
    """Answer with a status and one line of text."""
    body = f"{reason}\n".encode()
    known = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response(status, [*known, *headers])
    return [body]


def _hardened(start_response: StartResponse) -> StartResponse:
    """Add headers that keep other pages from framing or sniffing what is shown."""

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        extra = [
            ("X-Frame-Options", "SAMEORIGIN"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ]
        return start_response(status, [*headers, *extra], *more)

    return start
