"""Studies on a PostgreSQL server, which the test starts and throws away; skipped where Debian's server is missing."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweep_runner import PLAN, SEARCH, output, start
from test_sweep_resume import assert_whole, wait_until_running

from fer_lightning.errors import ConfigError
from fer_lightning.signals import Terminated, stoppable
from fer_lightning.sweeps.study.lock import claim_lock
from fer_lightning.sweeps.study.results import load_trials

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda path: path.parent.name)
PASSWORD = "throw-away-secret"
pytestmark = [
    pytest.mark.skipif(BINARIES is None, reason="needs the PostgreSQL server (apt install postgresql)"),
    pytest.mark.slow,
]
pytest.importorskip("psycopg", reason="needs psycopg")


def server_user() -> str:
    """The server refuses to run as root."""
    if os.getuid() != 0:
        return getpass.getuser()
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def run(command: list[str], folder: Path) -> None:
    user = server_user() if os.getuid() == 0 else None
    subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a database, without its password, which is in the environment as it has to be."""
    assert BINARIES is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="fer_postgresql_"))
    (folder / "password").write_text(PASSWORD)
    data = folder / "data"
    for path in (folder, folder / "password"):
        shutil.chown(path, user=server_user())
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    control = [str(BINARIES / "pg_ctl"), "-D", str(data), "-w", "-s"]
    initdb = [str(BINARIES / "initdb"), "-D", str(data), "-U", "fer", "-A", "scram-sha-256"]
    before = os.environ.get("PGPASSWORD")
    try:
        run([*initdb, f"--pwfile={folder / 'password'}", "--no-sync"], folder)
        run([*control, "-o", options, "-l", str(folder / "log"), "start"], folder)
        os.environ["PGPASSWORD"] = PASSWORD
        try:
            yield f"postgresql://fer@127.0.0.1:{port}/postgres"
        finally:
            run([*control, "-m", "immediate", "stop"], folder)
    finally:
        os.environ.pop("PGPASSWORD")
        if before is not None:
            os.environ["PGPASSWORD"] = before
        shutil.rmtree(folder, ignore_errors=True)


def place(server: str, name: str) -> list[str]:
    return [f"hydra.sweeper.storage={server}", f"hydra.sweeper.study_name={name}"]


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
    url = server.replace("postgresql:", "postgresql+psycopg:")
    with (
        pytest.raises(ConfigError, match=r"cannot be opened: .*authentication failed") as caught,
        claim_lock(url, "s"),
    ):
        pass
    assert "\n" not in str(caught.value)
