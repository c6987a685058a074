"""Whether a run is kept online or offline; no server here is any but this machine's own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fer_lightning.errors import ConfigError
from fer_lightning.tracking import mode as wandb_mode
from fer_lightning.tracking.log_reader import read_wandb_log
from fer_lightning.tracking.logger import WandbRun
from fer_lightning.tracking.mode import choose_mode
from fer_lightning.tracking.start import sync_command
from wandb_server import KEY, fresh_client, serve  # noqa: F401  (a fixture)

pytestmark = pytest.mark.usefixtures("fresh_client")


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
    with serve() as known, caplog.at_level("INFO"):
        monkeypatch.setenv("WANDB_BASE_URL", known.address)
        assert keep_two_runs(tmp_path, "auto") < 10
    assert known.asked == []
    assert caplog.text.count("no key found, so runs are kept offline") == 1


@pytest.mark.parametrize("mode", ["auto", "online"])
def test_a_key_that_is_refused(tmp_path, monkeypatch, caplog, mode):
    with serve(status=401) as known, caplog.at_level("INFO"):
        monkeypatch.setenv("WANDB_BASE_URL", known.address)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        assert keep_two_runs(tmp_path, mode) < 10
    assert known.asked == ["/graphql Basic"]
    assert caplog.text.count("the server refuses the key, so runs are kept offline") == 1
    assert KEY not in caplog.text


def test_a_server_that_is_not_there(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with caplog.at_level("INFO"):
        assert keep_two_runs(tmp_path, "auto") < 10
    assert caplog.text.count("does not confirm the key within 3 seconds, so runs are kept offline") == 1


def test_a_server_that_hangs(tmp_path, monkeypatch, caplog):
    with serve(hang=True) as known, caplog.at_level("INFO"):
        monkeypatch.setenv("WANDB_BASE_URL", known.address)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        assert keep_two_runs(tmp_path, "auto") < 10
    assert set(known.asked) == {"/graphql Basic"}
    assert caplog.text.count("so runs are kept offline") == 1


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (200, {"data": {"viewer": None}}, "the server refuses the key"),
        (403, {}, "the server refuses the key"),
        (500, {}, "the server does not confirm the key within 3 seconds"),
        (200, "hello", "Failed to authenticate"),
    ],
)
def test_what_a_server_answers_decides(monkeypatch, caplog, status, answer, reason):
    with serve(status=status, answer=answer) as known, caplog.at_level("INFO"):
        monkeypatch.setenv("WANDB_BASE_URL", known.address)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        assert choose_mode("auto") == "offline"
    assert reason in caplog.text


def test_a_server_that_knows_the_key_gets_the_run(monkeypatch):
    with serve() as known:
        monkeypatch.setenv("WANDB_BASE_URL", known.address)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        assert choose_mode("auto") == "online"
        assert choose_mode("online") == "online"
        assert choose_mode("offline") == "offline"
        assert choose_mode("disabled") == "disabled"
    with pytest.raises(ConfigError, match=r"logger\.mode=of: expected one of auto, online"):
        choose_mode("of")  # type: ignore[arg-type]


def test_a_start_that_fails_after_the_server_has_answered(tmp_path, monkeypatch, caplog):
    # It knows who one is, and nothing else: a run cannot be started there.
    with serve(status=404, where="upsertBucket") as known, caplog.at_level("INFO"):
        monkeypatch.setenv("WANDB_BASE_URL", known.address)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        run = WandbRun(tmp_path, mode="auto", run_id="a", init_timeout=2)
        run.log_metrics({"epoch": 0, "train/acc": 0.5})
        run.close()
    assert len(list(tmp_path.glob("wandb/offline-run-*/run-a-offline.wandb"))) == 1
    assert caplog.text.count("so runs are kept offline") == 1
    assert choose_mode("auto") == "offline"


def test_wandb_login_decides_which_server_is_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serve() as known:
        command = [Path(sys.executable).with_name("wandb"), "login", f"--host={known.address}", KEY]
        subprocess.run(command, check=True, timeout=120)
        known.asked.clear()
        assert choose_mode("auto") == "online"
        assert known.asked[0] == "/graphql Basic"


@pytest.mark.parametrize("switch", ["offline", "disabled"])
@pytest.mark.parametrize("place", ["wandb", "config", "variable"])
def test_wandbs_own_switches_win(monkeypatch, tmp_path, caplog, switch, place):
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    if place == "variable":
        monkeypatch.setenv("WANDB_MODE", switch)
    else:
        (tmp_path / place).mkdir()
        (tmp_path / place / "settings").write_text(f"[default]\nmode = {switch}\n")
    with serve() as known, caplog.at_level("INFO"):
        monkeypatch.setenv("WANDB_BASE_URL", known.address)
        assert choose_mode("auto") == switch
        assert caplog.text == ""
        assert choose_mode("online") == switch
        assert f"logger.mode=online, but W&B is switched to {switch}" in caplog.text
    assert known.asked == []


def test_a_process_hears_of_trouble_in_another(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with serve() as known, caplog.at_level("INFO"):
        monkeypatch.setenv("WANDB_BASE_URL", known.address)
        wandb_mode.remember_trouble("the server answers with status 500", tmp_path)
        monkeypatch.setattr(wandb_mode, "_trouble", [])
        assert choose_mode("auto", "the command", tmp_path) == "offline"
        assert known.asked == []
        assert "status 500, so runs are kept offline; to send them later: the command" in caplog.text
        # The next command asks the server again.
        monkeypatch.setattr(wandb_mode, "_trouble", [])
        monkeypatch.setattr(wandb_mode, "_began", time.time() + 1)
        assert choose_mode("auto", "the command", tmp_path) == "online"


def test_the_command_that_sends_a_run_names_it_from_where_the_job_was_typed(tmp_path, monkeypatch):
    typed_in, job = tmp_path / "typed in", tmp_path / "typed in" / "runs" / "one"
    job.mkdir(parents=True)
    monkeypatch.chdir(typed_in)
    assert sync_command(job) == "wandb sync --include-online runs/one/wandb"
    assert sync_command(job, typed_in / "a study") == "wandb sync --include-online 'a study'/*/wandb"
    monkeypatch.chdir(job)  # hydra.job.chdir=true
    monkeypatch.setattr("fer_lightning.config.typed.HydraConfig.initialized", lambda: True)
    monkeypatch.setattr("fer_lightning.config.typed.get_original_cwd", lambda: str(typed_in))
    assert sync_command(job) == "wandb sync --include-online runs/one/wandb"
    assert sync_command(tmp_path) == f"wandb sync --include-online {tmp_path}/wandb"


@pytest.mark.parametrize("make", [choose_mode, lambda mode: WandbRun("x", mode=mode)])
def test_an_unknown_mode_is_refused_with_the_nearest(make):
    with pytest.raises(
        ConfigError, match=r"^logger\.mode=onlin: expected one of auto, .*did you mean online\?"
    ):
        make("onlin")
