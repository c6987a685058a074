"""Whether a run is kept online or offline; no server here is any but this machine's own."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from fer_lightning import messages as said
from fer_lightning.errors import ConfigError
from fer_lightning.tracking import mode as wandb_mode
from fer_lightning.tracking.log_reader import read_wandb_log
from fer_lightning.tracking.logger import WandbRun
from fer_lightning.tracking.mode import choose_mode, find_key
from wandb_server import server

KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(said, "_logged", set())
    monkeypatch.setattr(wandb_mode, "_trouble", {})
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True, scope="module")
def _service(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Start W&B's own service, once a process, before anything is timed."""
    run = WandbRun(tmp_path_factory.mktemp("service"), mode="offline")
    run.log_metrics({"epoch": 0, "train/acc": 0.5})
    run.close()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def written(log: Path) -> list[dict]:
    """The history as soon as it is there: W&B's service writes a moment after the run has ended."""
    for _ in range(100):
        if history := read_wandb_log(log).history:
            return history
        time.sleep(0.1)
    return []


def keep_two_runs(folder: Path, mode: str) -> float:
    """Log two runs as two trainings of a study would; return the seconds that the first one took."""
    began, seconds = time.monotonic(), 0.0
    for name in ("a", "b"):
        run = WandbRun(folder / name, mode=mode, run_id=f"study-{name}")  # type: ignore[arg-type]
        run.log_metrics({"epoch": 0, "val/acc": 0.25, "train/acc": 0.5})
        run.close()
        seconds = time.monotonic() - began if name == "a" else seconds
    for name in ("a", "b"):
        (log,) = (folder / name).glob("wandb/offline-run-*/run-*.wandb")
        (row,) = written(log)
        assert (row["val/acc"], row["train/acc"]) == (0.25, 0.5)
        assert not list((folder / name).glob("wandb/run-*"))
    return seconds


def test_without_a_key_no_server_is_asked(tmp_path, monkeypatch, caplog):
    with server(200, {"data": {"viewer": {"id": "x"}}}) as (address, asked), caplog.at_level("INFO"):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        assert keep_two_runs(tmp_path, "auto") < 10
    assert asked == []
    assert caplog.text.count("no key found, so runs are kept offline") == 1


@pytest.mark.parametrize("mode", ["auto", "online"])
def test_a_key_that_is_refused(tmp_path, monkeypatch, caplog, mode):
    with server(401, {"data": None}) as (address, asked), caplog.at_level("INFO"):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        assert keep_two_runs(tmp_path, mode) < 10
    assert asked == ["/graphql Basic"]
    assert caplog.text.count("the server refuses the key, so runs are kept offline") == 1
    assert KEY not in caplog.text


def test_a_server_that_is_not_there(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with caplog.at_level("INFO"):
        assert keep_two_runs(tmp_path, "auto") < 10
    assert caplog.text.count("the server cannot be reached, so runs are kept offline") == 1


def test_a_server_that_hangs(tmp_path, monkeypatch, caplog):
    with server(hang=True) as (address, asked), caplog.at_level("INFO"):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        assert keep_two_runs(tmp_path, "auto") < 10
    assert asked == ["/graphql Basic"]
    assert caplog.text.count("so runs are kept offline") == 1


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (200, {"data": {"viewer": None}}, "the server refuses the key"),
        (403, {}, "the server refuses the key"),
        (500, {}, "the server answers with status 500"),
        (200, "hello", "the server gives no answer of Weights & Biases"),
    ],
)
def test_what_a_server_answers_decides(monkeypatch, caplog, status, answer, reason):
    with server(status, answer) as (address, _), caplog.at_level("INFO"):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        assert choose_mode("auto") == "offline"
    assert reason in caplog.text


def test_a_server_that_knows_the_key_gets_the_run(monkeypatch):
    with server(200, {"data": {"viewer": {"id": "x"}}}) as (address, _):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        assert choose_mode("auto") == "online"
        assert choose_mode("online") == "online"
        assert choose_mode("offline") == "offline"
        assert choose_mode("disabled") == "disabled"
        monkeypatch.setenv("WANDB_MODE", "offline")
        assert choose_mode("auto") == "offline"
    with pytest.raises(ConfigError, match=r"logger\.mode=of: expected one of auto, online"):
        choose_mode("of")  # type: ignore[arg-type]


def test_a_start_that_fails_after_the_server_has_answered(tmp_path, monkeypatch, caplog):
    # It knows who one is, and nothing else: a run cannot be started there.
    with server(200, {"data": {"viewer": {"id": "x"}}}) as (address, _), caplog.at_level("INFO"):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        run = WandbRun(tmp_path, mode="auto", run_id="a", init_timeout=2)
        run.log_metrics({"epoch": 0, "train/acc": 0.5})
        run.close()
    assert len(list(tmp_path.glob("wandb/offline-run-*/run-a-offline.wandb"))) == 1
    assert caplog.text.count("so runs are kept offline") == 1
    assert choose_mode("auto") == "offline"


def test_the_key_is_found_by_the_servers_host(monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text(
        f"machine other.example\n login user\n password x\nmachine api.wandb.ai\n login user\n password {KEY}\n"
    )
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert find_key() == KEY
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example:8080")
    assert find_key() is None
    monkeypatch.setenv("WANDB_API_KEY", "of the environment")
    assert find_key() == "of the environment"
    (tmp_path / "netrc").write_text("machine\n")
    monkeypatch.delenv("WANDB_API_KEY")
    assert find_key() is None
