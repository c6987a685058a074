from __future__ import annotations

import json
import os
import select
import sqlite3
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from fer_lightning.errors import ConfigError
from fer_lightning.messages import disk_is_full, reason_of
from fer_lightning.sweeps.queue.heartbeat import Heartbeat, record_beat, silent_trial_ids
from fer_lightning.sweeps.queue.owner import Owner
from fer_lightning.sweeps.study.address import JOURNAL_PREFIX, storage_url
from fer_lightning.sweeps.study.lock import claim_lock
from fer_lightning.sweeps.study.storage import open_storage


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        (None, "sqlite:///{dir}/study.db"),
        ("sqlite", "sqlite:///{dir}/study.db"),
        ("journal", "journal:{dir}/study.journal"),
        ("/a/b.db", "sqlite:////a/b.db"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("/a/b.journal", "journal:/a/b.journal"),
        ("postgresql://me@host:5433/db", "postgresql+psycopg://me@host:5433/db"),
        ("postgresql+psycopg2://me@host/db", "postgresql+psycopg2://me@host/db"),
    ],
)
def test_addresses_are_absolute(tmp_path: Path, storage: str | None, expected: str) -> None:
    assert storage_url(storage, tmp_path) == expected.format(dir=tmp_path)


def test_a_relative_file_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert storage_url("sqlite:///x.db", Path("sweep")) == f"sqlite:///{tmp_path}/x.db"


@pytest.mark.parametrize(
    "storage", ["postgresql://me:s3cret@host/db", "postgresql://host/db?password=s3cret"]
)
def test_a_password_is_refused_and_not_repeated(storage: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="PGPASSWORD") as caught:
        storage_url(storage, tmp_path)
    assert "s3cret" not in str(caught.value)


def test_another_server_is_refused_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected null") as caught:
        storage_url("mysql://me:s3cret@host/db", tmp_path)
    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    path.write_text("no database at all " * 100)
    with pytest.raises(ConfigError, match=r"study\.db: cannot be opened: .*not a database"):
        open_storage(f"sqlite:///{path}")


@pytest.mark.parametrize("name", ["sqlite:///{}/x.db", "journal:{}/deeper/x.journal"])
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "somefile").write_text("")
    url = name.format(tmp_path / "somefile")
    with pytest.raises(
        ConfigError, match=f"hydra.sweeper.storage={url}: its folder cannot be made"
    ) as caught:
        open_storage(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("version", "remedy"),
    [("v2.6.0.a", "optuna storage upgrade --storage 'sqlite:///"), ("v99.0.0.a", "pip install -U optuna")],
)
def test_a_database_of_another_optuna_is_refused_with_the_remedy(
    tmp_path: Path, version: str, remedy: str
) -> None:
    path = tmp_path / "study.db"
    optuna.create_study(storage=f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num=?", (version,))
    with pytest.raises(ConfigError, match="its tables are of another Optuna than") as caught:
        open_storage(f"sqlite:///{path}")
    assert remedy in str(caught.value)
    if version == "v2.6.0.a":
        subprocess.run(
            [f"{Path(sys.executable).parent}/optuna", "storage", "upgrade", "--storage", f"sqlite:///{path}"],
            check=True,
        )
        assert optuna.get_all_study_names(open_storage(f"sqlite:///{path}"))


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    url = storage_url("postgresql://me@127.0.0.1:1/db", tmp_path)
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:1/db: cannot be opened"), claim_lock(url, "s"):
        pass


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_a_waiting_trial_keeps_everything_when_it_is_requeued(tmp_path: Path, kind: str) -> None:
    # The engine rests on this transition, which Optuna itself never makes.
    storage = open_storage(storage_url(kind, tmp_path))
    study = optuna.create_study(storage=storage)
    trial = optuna.Trial(study, study._storage.create_new_trial(study._study_id))
    value = trial.suggest_float("x", 0, 1)
    trial.report(0.5, 3)
    study._storage.set_trial_state_values(trial._trial_id, optuna.trial.TrialState.WAITING)
    again = optuna.load_study(study_name=study.study_name, storage=storage)
    (waiting,) = again.get_trials(states=(optuna.trial.TrialState.WAITING,))
    assert waiting.params == {"x": value}
    assert waiting.intermediate_values == {3: 0.5}
    assert study._storage.set_trial_state_values(trial._trial_id, optuna.trial.TrialState.RUNNING)
    resumed = optuna.Trial(again, trial._trial_id)
    assert resumed.number == 0
    assert resumed.suggest_float("x", 0, 1) == value
    again.tell(resumed, 1.0)
    assert [t.state.name for t in study.trials] == ["COMPLETE"]


def test_a_torn_journal_line_is_dropped(tmp_path: Path) -> None:
    url = storage_url("journal", tmp_path)
    study = optuna.create_study(storage=open_storage(url), study_name="s")
    study.add_trial(optuna.create_trial(value=1.0))
    path = tmp_path / "study.journal"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":4,"worker')
    study.add_trial(optuna.create_trial(value=2.0))
    assert path.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in path.read_text().splitlines())
    copy = tmp_path / "copy.journal"
    copy.write_bytes(path.read_bytes())
    again = optuna.load_study(study_name="s", storage=open_storage(f"{JOURNAL_PREFIX}{copy}"))
    assert [trial.value for trial in again.trials] == [1.0, 2.0]


HOLD = """
import sys, time
from fer_lightning.sweeps.study.lock import claim_lock
print("tries", flush=True)
with claim_lock(sys.argv[1], "s"):
    print("held", flush=True)
    time.sleep(60)
"""


def next_line(process: subprocess.Popen[bytes], seconds: float = 60.0) -> str | None:
    """The next line that a process writes, or None if it writes none in that time."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    return process.stdout.readline().decode().strip() if ready else None


def test_the_lock_excludes_another_process_and_is_freed_when_its_holder_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, storage_url(None, tmp_path)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0)
    assert (next_line(holder), next_line(holder)) == ("tries", "held")
    waiter = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0)
    try:
        assert next_line(waiter) == "tries"
        assert next_line(waiter, seconds=0.5) is None
        holder.kill()
        assert next_line(waiter) == "held"
    finally:
        for process in (holder, waiter):
            process.kill()
            process.communicate()


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_a_running_trial_without_beats_falls_silent(tmp_path: Path, kind: str) -> None:
    storage = open_storage(storage_url(kind, tmp_path), heartbeat=1, grace=1)
    study = optuna.create_study(storage=storage)
    held, silent = (study._storage.create_new_trial(study._study_id) for _ in range(2))
    record_beat(study._storage, silent)
    if kind == "sqlite":
        with sqlite3.connect(tmp_path / "study.db") as database:
            database.execute("UPDATE trial_heartbeats SET heartbeat = datetime(heartbeat, '-10 seconds')")
    else:
        study._storage.set_trial_system_attr(silent, "fer:beat", 0.0)
    record_beat(study._storage, held)
    assert silent_trial_ids(study, grace=1) == {silent}


def test_a_heartbeat_beats_until_it_is_left_and_survives_an_error() -> None:
    import threading

    beats: list[int] = []
    enough = threading.Event()

    def beat() -> None:
        beats.append(len(beats))
        if len(beats) == 1:
            raise OSError("the database is away")
        enough.set()

    with Heartbeat(0.01, beat):
        assert enough.wait(5)
    count = len(beats)
    assert not enough.wait(0) or len(beats) == count


def test_an_owner_is_alive_only_while_that_very_process_runs() -> None:
    owner = Owner.this_process()
    assert owner.is_alive()
    assert owner.is_this_process()
    assert Owner.of({"fer:owner": owner.as_attr()}) == owner
    # The same number, taken by a later process.
    assert not Owner(owner.host, owner.pid, owner.started - 100, owner.token).is_alive()
    assert not Owner("elsewhere", owner.pid, owner.started, owner.token).is_here()
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    import psutil

    started = psutil.Process(process.pid).create_time()
    child = Owner(owner.host, process.pid, started, "t")
    assert child.is_alive()
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not child.is_alive()  # a zombie: nobody has collected it yet
    process.communicate()
    assert not child.is_alive()


def test_reasons_are_one_line() -> None:
    assert reason_of(ValueError("a\nb")) == "ValueError: a"
    assert reason_of(KeyError()) == "KeyError"


def test_a_full_disk_is_seen_through_other_errors() -> None:
    error = RuntimeError("the checkpoint could not be written")
    error.__cause__ = OSError(28, "No space left on device")
    assert disk_is_full(error)
    assert not disk_is_full(OSError(2, "No such file"))
