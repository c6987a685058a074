"""A W&B server on loopback, as much of one as wandb's client needs: it keeps what it is sent, and fails on demand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import wandb

from fer_lightning import messages
from fer_lightning.tracking import mode

KEY = "0123456789abcdef0123456789abcdef01234567"
HISTORY, SUMMARY = "wandb-history.jsonl", "wandb-summary.json"


class WandbServer:
    """What a server knows and how it answers.

    Attributes
    ----------
    runs
        By id: what ``upsertBucket`` said of each, its ``history`` by line, ``summary``, ``files`` and whether it has
        ``ended``.
    artifacts
        By id, in their order: what ``createArtifact`` said of each, and its ``files`` by name, its ``manifest`` too.
    views
        Saved workspaces by id.
    asked
        Each request: its path or operation, and the kind of its authorization.
    sent
        Everything that was sent, in bytes.
    fault
        ``status``, ``answer`` (to GraphQL) or ``hang``, for requests with ``where`` in their path or body.
    """

    def __init__(self, **fault: Any) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.artifacts: dict[str, dict[str, Any]] = {}
        self.views: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.sent = b""
        self.fault = fault
        self.address = ""
        self.ended = threading.Event()
        self.lock = threading.Lock()

    def history(self, run_id: str) -> list[dict[str, Any]]:
        """The rows of a run, in order."""
        return [json.loads(line) for _, line in sorted(self.runs[run_id]["history"].items())]

    def epochs(self, run_id: str) -> list[float]:
        """The epochs whose metrics arrived, in the order of their lines."""
        return [row["epoch"] for row in self.history(run_id) if "val/acc" in row]

    def graphql(self, query: str, given: dict[str, Any]) -> dict[str, Any]:
        """Answer an operation; the client takes the fields that it wants."""
        team = {"name": "team", "id": "e"}
        if "upsertBucket" in query:
            run = self.runs.setdefault(given["name"], {"history": {}, "summary": "{}", "files": {}})
            run |= {key: value for key, value in given.items() if value is not None} | {"ended": None}
            project = {"id": "p", "name": given["project"], "entity": team}
            bucket = {"id": "b", "displayName": "a run", "historyLineCount": len(run["history"])}
            bucket |= {"name": given["name"], "project": project, "config": run.get("config", "{}")}
            return {"upsertBucket": {"bucket": bucket, "inserted": True}}
        if "RunResumeStatus" in query:
            run = self.runs.get(given["name"], {})
            lines = [line for _, line in sorted(run.get("history", {}).items())]
            bucket = {
                "id": "b",
                "name": given["name"],
                "config": run.get("config"),
                "summaryMetrics": run.get("summary"),
            }
            bucket |= {
                "historyLineCount": len(lines),
                "historyTail": json.dumps(lines[-1:]),
                "eventsTail": "[]",
            }
            bucket |= {
                "eventsLineCount": 0,
                "logLineCount": 0,
                "wandbConfig": '{"t": 1}',
                "tags": run.get("tags"),
            }
            return {
                "model": {
                    "id": "p",
                    "name": given["project"],
                    "entity": team,
                    "bucket": bucket if run else None,
                }
            }
        if "createRunFiles" in query:
            place = f"{self.address}/storage/{given['run']}"
            files = [{"name": name, "uploadUrl": f"{place}/{name}"} for name in given["files"]]
            return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": files}}
        if ("rtifact" in query or "serverInfo" in query) and (
            answer := self.about_artifacts(query, given)
        ) is not None:
            return answer
        if "upsertView" in query:
            view = given.get("id") or f"view {len(self.views)}"
            self.views[view] = given | {"id": view}
            return {"upsertView": {"view": {"id": view, "name": given["name"]}, "inserted": True}}
        if "allViews" in query:
            found = [view for view in self.views.values() if view["name"] == given["viewName"]]
            return {"project": {"allViews": {"edges": [{"node": view} for view in found]}}}
        return {
            "viewer": {"id": "v", "entity": "team", "username": "ada", "flags": "{}", "teams": {"edges": []}}
        }

    def about_artifacts(self, query: str, given: dict[str, Any]) -> dict[str, Any] | None:
        """Answer an operation on artifacts."""
        if "createArtifactManifest(" in query:
            key = given["artifactID"]
            file = {"id": key, "uploadUrl": f"{self.address}/artifact/{key}/manifest", "uploadHeaders": []}
            return {"createArtifactManifest": {"artifactManifest": {"id": key, "file": file}}}
        if "createArtifactFiles(" in query:
            nodes = [
                {
                    "storagePath": file["name"],
                    "uploadUrl": f"{self.address}/artifact/{file['artifactID']}/{file['name']}",
                    "uploadHeaders": [],
                    "artifact": {"id": file["artifactID"]},
                }
                for file in given["input"]["artifactFiles"]
            ]
            return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}
        if "createArtifact(" in query:
            key = f"artifact-{len(self.artifacts)}"
            self.artifacts[key] = given["input"] | {"files": {}}
            artifact = {"id": key, "state": "PENDING", "artifactSequence": {"latestArtifact": None}}
            return {"createArtifact": {"artifact": artifact}}
        if "commitArtifact(" in query:
            return {"commitArtifact": {"artifact": {"id": given["artifactID"], "digest": ""}}}
        if "query ArtifactType" in query:
            return {"project": {"artifact": None}}
        if "query ServerFeatures" in query:
            return {"serverInfo": {"features": []}}
        return None

    def answer(self, path: str, body: bytes) -> Any:
        """Take a request in and return what is answered."""
        if path == "/graphql":
            asked = json.loads(body)
            return {"data": self.graphql(asked["query"], asked.get("variables") or {})}
        if path.endswith("/file_stream"):
            run, sent = self.runs[path.split("/")[-2]], json.loads(body)
            for name, chunk in (sent.get("files") or {}).items():
                if name == HISTORY:
                    run["history"] |= dict(enumerate(chunk["content"], chunk["offset"]))
                elif name == SUMMARY:
                    run["summary"] = chunk["content"][-1]
            if sent.get("complete"):
                run["ended"] = sent["exitcode"]
        elif path.startswith("/storage/"):
            run_id, name = path.removeprefix("/storage/").split("/", 1)
            self.runs[run_id]["files"][name] = body
        elif path.startswith("/artifact/"):
            key, name = path.removeprefix("/artifact/").split("/", 1)
            self.artifacts[key]["files"][unquote(name)] = body
        return {}


@pytest.fixture
def fresh_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """W&B's client as in a process of its own: it reads its settings once, and knows nothing of earlier trouble."""
    monkeypatch.setattr(messages, "_logged", set())
    monkeypatch.setattr(mode, "_trouble", [])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.fixture
def wandb_server(fresh_client: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    """A server that works, and a client that has its key."""
    with serve() as known:
        monkeypatch.setenv("WANDB_BASE_URL", known.address)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield known


@contextmanager
def serve(**fault: Any) -> Iterator[WandbServer]:
    """Yield a server that listens until the block ends."""
    known = WandbServer(**fault)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with known.lock:
                known.asked.append(
                    f"{self.path} {self.headers.get('Authorization', '').split(' ')[0]}".strip()
                )
                known.sent += body + str(self.headers).encode()
                fault = (
                    known.fault if known.fault.get("where", "").encode() in self.path.encode() + body else {}
                )
                status, answer = fault.get("status", 200), fault.get("answer")
                if answer is None and status == 200 and not fault.get("hang"):
                    answer = known.answer(self.path, body)
            if fault.get("hang"):
                known.ended.wait(60)
                return
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_PUT = do_GET = do_POST  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            pass

    class Listening(ThreadingHTTPServer):
        request_queue_size = 128  # the client sends an artifact's files all at once

    listening = Listening(("127.0.0.1", 0), Handler)
    listening.handle_error = lambda request, address: None  # type: ignore[method-assign]  # a client was killed
    listening.daemon_threads = True
    known.address = f"http://127.0.0.1:{listening.server_port}"
    threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield known
    finally:
        known.ended.set()
        listening.shutdown()
        listening.server_close()
