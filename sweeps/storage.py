"""Where a study is kept: SQLite, PostgreSQL or a journal file, and the lock under which trials are claimed."""

from __future__ import annotations

import functools
import hashlib
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, get_storage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock
from optuna.trial import FrozenTrial, TrialState

from fer_lightning.errors import ConfigError

SQLITE_PATIENCE_SECONDS = 60
JOURNAL_PREFIX = "journal:"
_BEAT = "fer:beat"


def storage_url(storage: str | None, sweep_dir: Path) -> str:
    """Turn the `storage` option into an absolute address without a password.

    Parameters
    ----------
    storage
        None or "sqlite" (``study.db`` in `sweep_dir`), "journal", a ``*.db`` or ``*.journal`` path, a ``sqlite:///``
        or a ``postgresql://`` URL.

    Raises
    ------
    ConfigError
        If the value is none of these, or a URL holds a password.
    """
    if storage is None or storage == "sqlite":
        return f"sqlite:///{sweep_dir.resolve() / 'study.db'}"
    if storage == "journal":
        return f"{JOURNAL_PREFIX}{sweep_dir.resolve() / 'study.journal'}"
    if storage.endswith(".journal"):
        return f"{JOURNAL_PREFIX}{Path(storage.removeprefix(JOURNAL_PREFIX)).resolve()}"
    if storage.startswith("sqlite:///") or storage.endswith((".db", ".sqlite", ".sqlite3")):
        return f"sqlite:///{Path(storage.removeprefix('sqlite:///')).resolve()}"
    if storage.startswith("postgresql"):
        return _postgresql_url(storage)
    raise ConfigError(
        f"hydra.sweeper.storage={_without_password(storage)}: expected null (SQLite in hydra.sweep.dir), journal, a "
        "*.db or *.journal file, or a postgresql:// URL"
    )


def _without_password(storage: str) -> str:
    try:
        return sqlalchemy.make_url(storage).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return storage


def _postgresql_url(storage: str) -> str:
    try:
        url = sqlalchemy.make_url(storage)
    except sqlalchemy.exc.ArgumentError as error:
        raise ConfigError(f"hydra.sweeper.storage={storage}: {error}") from error
    if url.password is not None or "password" in url.query:
        # A password in the configuration would be copied into every job's .hydra folder.
        raise ConfigError(
            f"hydra.sweeper.storage for {url.host}/{url.database} holds a password: leave it out of the URL and set "
            "the environment variable PGPASSWORD"
        )
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    return url.render_as_string(hide_password=False)


def storage_file(url: str) -> Path | None:
    """The file of a SQLite or journal storage; None for a server."""
    for prefix in ("sqlite:///", JOURNAL_PREFIX):
        if url.startswith(prefix):
            return Path(url.removeprefix(prefix))
    return None


def open_storage(url: str, heartbeat: int = 30, grace: int = 120) -> BaseStorage:
    """Open a storage, creating it if it does not exist; one object per process and address.

    Parameters
    ----------
    url
        From `storage_url`.
    heartbeat, grace
        Seconds between two signs of life of a trial on another host, and after how many without one it counts as dead.

    Raises
    ------
    ConfigError
        If the database cannot be reached, or its driver is missing.
    """
    # A forked process must not share its parent's database connections.
    return _open_storage(url, heartbeat, grace, os.getpid())


@functools.lru_cache(maxsize=8)
def _open_storage(url: str, heartbeat: int, grace: int, _pid: int) -> BaseStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = storage_file(url)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    if url.startswith(JOURNAL_PREFIX):
        assert path is not None
        return JournalStorage(JournalFileBackend(str(path), lock_obj=_JournalLock(path)))
    return _open_database(url, heartbeat, grace)


def _open_database(url: str, heartbeat: int, grace: int) -> BaseStorage:
    sqlite = url.startswith("sqlite")
    engine_kwargs = (
        {"connect_args": {"timeout": SQLITE_PATIENCE_SECONDS}} if sqlite else {"pool_pre_ping": True}
    )
    for attempt in range(10):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                storage = RDBStorage(url, engine_kwargs, heartbeat_interval=heartbeat, grace_period=grace)
            if sqlite:
                _commit_fast(storage.engine)
            return get_storage(storage)
        except ImportError as error:
            raise ConfigError(
                f"hydra.sweeper.storage={url}: the database driver is missing: {error}; pip install 'psycopg[binary]'"
            ) from error
        except (sqlalchemy.exc.DBAPIError, StorageInternalError) as error:
            # Two programs that open a new database at once both try to create its tables.
            if "already exists" in str(error) or "UNIQUE constraint" in str(error):
                time.sleep(0.05 * (attempt + 1))
                continue
            raise ConfigError(
                f"hydra.sweeper.storage={url}: cannot be opened: {first_line(error)}"
            ) from error
    raise ConfigError(f"hydra.sweeper.storage={url}: its tables could not be created")


def _commit_fast(engine: sqlalchemy.Engine) -> None:
    """Use SQLite's write-ahead log: a commit costs a tenth, and a killed process still loses none."""

    @sqlalchemy.event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    engine.dispose()


def first_line(error: BaseException) -> str:
    """An exception as one line: its class and the first line of its text."""
    text = str(getattr(error, "orig", None) or error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


class _JournalLock(BaseJournalFileLock):
    """A lock that the system frees when its holder dies, unlike Optuna's lock files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(f"{path}.write.lock")

    def acquire(self) -> bool:
        self._lock.acquire()
        self._drop_torn_line()
        return True

    def release(self) -> None:
        self._lock.release()

    def _drop_torn_line(self) -> None:
        """Cut off what a writer left that was killed, or that ran out of disk, in the middle of a line."""
        with open(self._path, "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size == 0:
                return
            file.seek(size - 1)
            if file.read(1) != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)


@contextmanager
def claim_lock(url: str, study_name: str) -> Iterator[None]:
    """Hold the study's lock, which makes claiming, requeueing and finishing trials exclusive among all peers.

    It is a file lock beside a SQLite or journal file and an advisory lock of a PostgreSQL server: both are freed when
    their holder dies.
    """
    path = storage_file(url)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            yield
        return
    key = int.from_bytes(hashlib.sha256(f"fer_lightning {study_name}".encode()).digest()[:8], signed=True)
    try:
        connection = _lock_engine(url, os.getpid()).connect()
    except ImportError as error:
        raise ConfigError(
            f"hydra.sweeper.storage={url}: the database driver is missing: {error}; pip install 'psycopg[binary]'"
        ) from error
    except sqlalchemy.exc.DBAPIError as error:
        raise ConfigError(f"hydra.sweeper.storage={url}: cannot be opened: {first_line(error)}") from error
    with connection:
        connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(:key)"), {"key": key})
        try:
            yield
        finally:
            connection.execute(sqlalchemy.text("SELECT pg_advisory_unlock(:key)"), {"key": key})


@functools.lru_cache(maxsize=8)
def _lock_engine(url: str, _pid: int) -> sqlalchemy.Engine:
    return sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)


def record_beat(storage: BaseStorage, trial_id: int) -> None:
    """Note that the trial's process is alive now."""
    beat = getattr(storage, "record_heartbeat", None)
    if beat is not None:
        beat(trial_id)
    else:
        storage.set_trial_system_attr(trial_id, _BEAT, time.time())


def silent_trial_ids(storage: BaseStorage, study_id: int, grace: int) -> set[int]:
    """Ids of running trials that have given no sign of life for `grace` seconds."""
    stale = getattr(storage, "_get_stale_trial_ids", None)
    if stale is not None:
        return set(stale(study_id))
    running = storage.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,))
    return {trial._trial_id for trial in running if time.time() - _last_beat(trial) > grace}


def _last_beat(trial: FrozenTrial) -> float:
    return float(trial.system_attrs.get(_BEAT, 0.0))
