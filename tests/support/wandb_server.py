"""Servers on loopback that stand for W&B's when it does not work: one refuses the key, one hangs, one is another's."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def server(status: int = 200, answer: Any = None, hang: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Yield the address of a server, and the list of what it was asked."""
    asked: list[str] = []
    end = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(f"{self.path} {self.headers.get('Authorization', '').split(' ')[0]}".strip())
            if hang:
                end.wait(60)
                return
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.daemon_threads = True
    serving = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{found.server_port}", asked
    finally:
        end.set()
        found.shutdown()
        found.server_close()
