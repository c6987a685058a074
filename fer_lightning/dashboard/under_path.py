"""The dashboard under a path of another server, e.g. behind a proxy at ``/jupyter/proxy/8080``."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from urllib.parse import urlsplit

from fer_lightning.dashboard.faces_view import ADDRESS as FACES
from fer_lightning.dashboard.read_only import Environ, StartResponse, WsgiApplication
from fer_lightning.dashboard.trial_pictures import PREFIX
from fer_lightning.dashboard.whole_answer import whole_answer
from fer_lightning.errors import ConfigError

# Where the pages of Optuna's dashboard (tried with 0.21) and the notes name an address that begins at the server's
# root: the text before the address, and the address.
ADDRESSES = {
    "/dashboard": [('"', "/static/"), ('"', "/favicon.ico"), ('"', FACES)],
    "/static/bundle.js": [
        ('url_prefix:"', "/dashboard"),
        ("${this.baseURL}", "/api/"),
        ("`", "/csv/"),
        ("`", "/artifacts/"),
    ],
    "/api/": [("](", PREFIX)],
}
# Without these the page stays empty.
NEEDED = {"/dashboard": '"/static/', "/static/bundle.js": 'url_prefix:"/dashboard"'}


class UnderPath:
    """Serves an application below a path: requests lose the path, and the addresses in answers get it.

    Parameters
    ----------
    application
        Answers requests as if it lay at the server's root.
    root_path
        The path without a slash at its end, as a browser has it; a proxy may leave it in a request or take it off.

    Raises
    ------
    ConfigError
        The pages of the installed dashboard name their addresses in another way.
    """

    def __init__(self, application: WsgiApplication, root_path: str) -> None:
        self.application = application
        self.root_path = root_path
        for path, text in NEEDED.items():
            request = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "wsgi.input": BytesIO()}
            if text.encode() not in whole_answer(self.application, request)[2]:
                raise ConfigError(
                    f"root_path={root_path}: the installed optuna-dashboard cannot be served under a path; "
                    "version 0.21 can (pip install 'optuna-dashboard==0.21.*')"
                )

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        if path == self.root_path or path.startswith(f"{self.root_path}/"):
            path = path.removeprefix(self.root_path) or "/"
        environ = {**environ, "PATH_INFO": path}
        addresses = next((found for start, found in ADDRESSES.items() if path.startswith(start)), [])
        if path != "/" and not addresses:
            return self.application(environ, start_response)
        status, headers, body = whole_answer(self.application, environ)
        for before, address in addresses:
            body = body.replace(f"{before}{address}".encode(), f"{before}{self.root_path}{address}".encode())
        start_response(status, [self._header(name, value, body) for name, value in headers])
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]

    def _header(self, name: str, value: str, body: bytes) -> tuple[str, str]:
        """Return a header with the length and the address that the changed answer has."""
        if name.lower() == "content-length" and body:
            return name, str(len(body))
        if name.lower() == "location":
            return name, f"{self.root_path}{urlsplit(value).path}"
        return name, value
