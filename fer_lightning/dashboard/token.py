"""Who may look at a dashboard that others reach: whoever has the token of its address."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode

from fer_lightning.dashboard.read_only import Environ, StartResponse, WsgiApplication, refuse

COOKIE = "fer_lightning_dashboard"
# What an address and a cookie hold as it is; too long to be guessed.
TOKEN = r"[A-Za-z0-9_-]{16,}"


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(24)


class TokenGate:
    """Lets those in who come with the token, in the address (once) or in the cookie that they are given for it.

    A page of another origin has neither, under whatever name it asks, so any Host header is taken.

    Parameters
    ----------
    application
        What answers the requests that are let through.
    token
        As `TOKEN` says.
    root_path
        The path below which the browser sees the pages; the cookie holds for nothing else of that server.
    """

    def __init__(self, application: WsgiApplication, token: str, root_path: str = "") -> None:
        self.application = application
        self.token = token
        # Cookies know no ports: two dashboards of one machine have two.
        self.cookie = f"{COOKIE}_{hashlib.sha256(token.encode()).hexdigest()[:8]}"
        self.root_path = root_path

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        query = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        given = dict(query).get("token")
        if given is not None and self._fits(given):
            return self._welcome(
                environ, start_response, urlencode([(k, v) for k, v in query if k != "token"])
            )
        if not self._fits(self._brought(environ.get("HTTP_COOKIE", ""))):
            reason = (
                "this dashboard asks for its token: open the address that was printed when it was started"
            )
            return refuse(start_response, "403 Forbidden", reason)
        return self.application(environ, start_response)

    def _fits(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self.token.encode())

    def _brought(self, header: str) -> str:
        """Return the token in a Cookie header; empty where there is none."""
        try:
            found = SimpleCookie(header).get(self.cookie)
        except CookieError:
            return ""
        return found.value if found is not None else ""

    def _welcome(self, environ: Environ, start_response: StartResponse, query: str) -> Iterable[bytes]:
        """Hand out the cookie, and take the token out of the address bar and the browser's history."""
        path = environ.get("PATH_INFO", "") or "/"
        inside = path.removeprefix(self.root_path) if path.startswith(f"{self.root_path}/") else path
        address = f"{self.root_path}/{quote(inside.lstrip('/'))}" + (f"?{query}" if query else "")
        cookie = f"{self.cookie}={self.token}; Path={self.root_path or '/'}; HttpOnly; SameSite=Lax"
        headers = [("Location", address), ("Set-Cookie", cookie), ("Cache-Control", "no-store")]
        return refuse(start_response, "303 See Other", f"go on at {address}", headers)
