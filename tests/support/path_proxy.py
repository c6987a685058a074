"""A server of another name that hands on what lies below a path, as a notebook server does."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATH = "/jupyter/proxy/8080"


@contextmanager
def proxy(port: int, strips: bool) -> Iterator[str]:
    """Another server that hands on what lies below PATH, with the path or without, under a name of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.removeprefix(PATH) if strips else self.path
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            kept = {
                name: self.headers[name] for name in ("Cookie", "Accept-Encoding") if name in self.headers
            }
            if self.path.startswith(PATH):
                connection.request("GET", path, headers={"Host": "lab.example.org", **kept})
                answer = connection.getresponse()
                status, headers, body = answer.status, answer.getheaders(), answer.read()
            else:
                status, headers, body = 404, [], b"not the dashboard's"
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in ("date", "server", "connection"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{PATH}"
    finally:
        server.shutdown()
        server.server_close()
