"""A PostgreSQL server that a test starts and throws away."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda path: path.parent.name)
PASSWORD = "throw-away-secret"


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
