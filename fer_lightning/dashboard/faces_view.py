"""The faces of a study beside Optuna's pages, and the link to them."""

from __future__ import annotations

import hashlib
import html
import logging
from collections.abc import Callable, Iterable
from typing import Final

from fer_lightning.dashboard.read_only import Environ, StartResponse, WsgiApplication
from fer_lightning.dashboard.whole_answer import whole_answer
from fer_lightning.messages import one_line
from fer_lightning.redact import redact_text

ADDRESS: Final = "/faces"
NONE_YET: Final = (
    "No run has left predictions yet: the faces come with the first run that ends. Reload to look again."
)
_PAGES: Final = "/dashboard"
_LINK: Final = (
    f'<a href="{ADDRESS}" style="position:fixed;right:16px;bottom:16px;z-index:2000;padding:8px 14px;'
    "border-radius:6px;background:#1f5c99;color:#fff;font:600 15px system-ui,sans-serif;text-decoration:none;"
    'box-shadow:0 1px 4px rgba(0,0,0,.4)">Faces</a>'
)
_MESSAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }}</style>
</head><body><h1>{title}</h1><p>{text}</p><p><a href="{back}">Back to the dashboard</a></p></body></html>
"""
log = logging.getLogger(__name__)


class FacesView:
    """A WSGI application that serves a study's faces, links to them from Optuna's pages, and hands the rest on.

    Parameters
    ----------
    application
        What answers the requests for anything else.
    page
        Returns the page in UTF-8; None while there is nothing to show.
    title
        Of the message in its place.
    back
        Where that message's link leads, relative to the page.
    """

    def __init__(
        self, application: WsgiApplication, page: Callable[[], bytes | None], title: str, back: str
    ) -> None:
        self.application, self.page = application, page
        self.title, self.back = title, back

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        if path == ADDRESS:
            return self._faces(environ, start_response)
        if path == _PAGES or path.startswith(f"{_PAGES}/"):
            return self._linked(environ, start_response)
        return self.application(environ, start_response)

    def _faces(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        status = "200 OK"
        try:
            found = self.page()
            content = self._message(NONE_YET) if found is None else found
        except Exception as error:
            # Without a message here the server would answer with a bare 500, and print a traceback.
            log.warning("the faces cannot be shown: %s", one_line(error))
            status = "500 Internal Server Error"
            content = self._message(f"The faces cannot be shown: {one_line(error)}")
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = [("ETag", tag), ("Cache-Control", "private, no-cache")]
        if status.startswith("200") and tag in environ.get("HTTP_IF_NONE_MATCH", ""):
            start_response("304 Not Modified", headers)
            return []
        headers += [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(content)))]
        start_response(status, headers)
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [content]

    def _message(self, text: str) -> bytes:
        said = html.escape(redact_text(text))
        return _MESSAGE.format(title=html.escape(self.title), text=said, back=html.escape(self.back)).encode()

    def _linked(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Put the link at the end of one of Optuna's pages."""
        # A page that was not changed since lacks its text.
        conditions = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE")
        asked = {key: value for key, value in environ.items() if key not in conditions}
        status, headers, body = whole_answer(self.application, asked)
        length = len(body)
        if status.startswith("200"):
            body = body.replace(b"</body>", f"{_LINK}</body>".encode())
        if len(body) != length:
            left_out = ("content-length", "etag", "last-modified")
            headers = [(name, value) for name, value in headers if name.lower() not in left_out]
            headers.append(("Content-Length", str(len(body))))
        start_response(status, headers)
        return [body]
