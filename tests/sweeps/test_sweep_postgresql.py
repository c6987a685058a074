"""Studies on a PostgreSQL server, which the test starts and throws away; skipped where Debian's server is missing."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest
from test_sweep_resume import assert_whole, wait_until_running

from fer_lightning.errors import ConfigError
from fer_lightning.signals import Terminated, stoppable
from fer_lightning.sweeps.study.lock import claim_lock
from fer_lightning.sweeps.study.results import load_trials
from postgresql_server import BINARIES, PASSWORD, place
from sweep_runner import PLAN, SEARCH, output, start

pytestmark = [
    pytest.mark.skipif(BINARIES is None, reason="needs the PostgreSQL server (apt install postgresql)"),
    pytest.mark.slow,
]
pytest.importorskip("psycopg", reason="needs psycopg")


def test_peers_share_a_study_and_a_killed_one_loses_nothing(server: str, tmp_path: Path) -> None:
    arguments = [*SEARCH, *place(server, "peers"), "hydra.sweeper.n_trials=12", "hydra/sweeper/pruner=median"]
    slow = ["trainer.seconds=0.05", "hydra.sweeper.pruner.n_startup_trials=50"]
    peers = [start(tmp_path, *arguments, *slow) for _ in range(3)]
    wait_until_running(tmp_path, peers[0], epochs_run=6)
    peers[0].send_signal(signal.SIGKILL)
    assert [peer.wait(timeout=180) for peer in peers] == [-9, 0, 0], output(tmp_path)[-3000:]
    records = load_trials(server, "peers")
    assert_whole(records, 12)
    assert len({r.params["optimizer.lr"] for r in records}) == 12


def test_a_plan_is_interrupted_and_finished(server: str, tmp_path: Path) -> None:
    arguments = [
        PLAN,
        "seeds=[0]",
        *place(server, "plan"),
        "hydra.sweeper.n_trials=null",
        "trainer.seconds=0.3",
    ]
    process = start(tmp_path, *arguments)
    wait_until_running(tmp_path, process, epochs_run=6)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    assert start(tmp_path, *arguments).wait(timeout=120) == 0, output(tmp_path)[-3000:]
    records = load_trials(server, "plan")
    assert_whole(records, 4)


def test_waiting_for_the_servers_lock_can_be_interrupted(server: str) -> None:
    url, held, ended = (
        server.replace("postgresql:", "postgresql+psycopg:"),
        threading.Event(),
        threading.Event(),
    )

    def hold() -> None:
        with claim_lock(url, "s"):
            held.set()
            ended.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(30)
        with pytest.raises(Terminated), stoppable():  # noqa: PT012
            threading.Timer(0.3, lambda: signal.raise_signal(signal.SIGTERM)).start()
            claim_lock(url, "s").__enter__()
    finally:
        ended.set()
        thread.join()
    order = []
    with pytest.raises(Terminated), stoppable(), claim_lock(url, "s"):  # noqa: PT012
        signal.raise_signal(signal.SIGTERM)
        order.append("claimed")
    assert order == ["claimed"]
    with claim_lock(url, "s"):
        pass


def test_the_password_is_in_no_output(server: str, tmp_path: Path) -> None:
    arguments = [*SEARCH, *place(server, "secret"), "hydra.sweeper.n_trials=1", "hydra.output_subdir=.hydra"]
    assert start(tmp_path, *arguments).wait(timeout=60) == 0, output(tmp_path)[-3000:]
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(
        server.removeprefix("postgresql") in path.read_text() for path in written if path.suffix == ".yaml"
    )
    assert not [path for path in written if PASSWORD.encode() in path.read_bytes()]


def test_a_wrong_password_is_one_clear_line(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "wrong")
    # An address of its own, to which this process has no connection yet.
    url = server.replace("postgresql:", "postgresql+psycopg:") + "?application_name=wrong"
    with (
        pytest.raises(ConfigError, match=r"cannot be opened: .*authentication failed") as caught,
        claim_lock(url, "s"),
    ):
        pass
    assert "\n" not in str(caught.value)
