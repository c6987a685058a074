"""Opening the storage of a study: SQLite, PostgreSQL or a journal file."""

from __future__ import annotations

import functools
import inspect
import os
import sqlite3
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import optuna
import sqlalchemy
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from fer_lightning.errors import ConfigError
from fer_lightning.messages import disk_is_full, reason_of
from fer_lightning.signals import shielded
from fer_lightning.sweeps.optuna_private import CachedStorage
from fer_lightning.sweeps.study.address import JOURNAL_PREFIX, missing_driver, storage_file
from fer_lightning.sweeps.study.lock import attempts, take_file_lock

S = TypeVar("S", bound=BaseStorage)
SQLITE_PATIENCE_SECONDS = 60


def open_storage(url: str, heartbeat: int = 30, grace: int = 120) -> BaseStorage:
    """Open a storage, creating it if it does not exist; one object per process and address.

    Its methods are shielded from signals: an exception in the middle of one would leave a transaction open, which keeps
    every other process out of a SQLite file, or leave what the object remembers half changed.

    Parameters
    ----------
    url
        From `storage_url`.
    heartbeat, grace
        Seconds between two signs of life of a trial on another host, and after how many without one it counts
        as dead.

    Raises
    ------
    ConfigError
        If the database cannot be reached, its folder cannot be made, or its driver is missing.
    """
    with shielded():
        # A forked process must not share its parent's database connections.
        return _open_storage(url, heartbeat, grace, os.getpid())


@functools.lru_cache(maxsize=8)
def _open_storage(url: str, heartbeat: int, grace: int, _pid: int) -> BaseStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = storage_file(url)
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if disk_is_full(error):
                raise
            raise ConfigError(
                f"hydra.sweeper.storage={url}: its folder cannot be made: {reason_of(error)}"
            ) from error
    if url.startswith(JOURNAL_PREFIX):
        assert path is not None
        return _shielded(JournalStorage)(JournalFileBackend(str(path), lock_obj=_JournalLock(path)))  # type: ignore[arg-type]
    return _open_database(url, heartbeat, grace)


def _open_database(url: str, heartbeat: int, grace: int) -> BaseStorage:
    path = storage_file(url)
    engine_kwargs: dict[str, Any] = (
        {"pool_pre_ping": True} if path is None else {"creator": functools.partial(_connect_sqlite, path)}
    )
    template = url.replace("{", "{{").replace("}", "}}")  # Optuna formats it
    for attempt in range(10):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                return _shielded(CachedStorage)(
                    RDBStorage(template, engine_kwargs, heartbeat_interval=heartbeat, grace_period=grace)
                )
        except ImportError as error:
            raise missing_driver(url, error) from error
        except RuntimeError as error:
            if "compatible with the table schema" not in str(error):
                raise
            older = "storage upgrade" in str(error)
            remedy = f"optuna storage upgrade --storage '{url}'" if older else "pip install -U optuna"
            raise ConfigError(
                f"hydra.sweeper.storage={url}: its tables are of another Optuna than {optuna.__version__}; first run: "
                f"{remedy}"
            ) from error
        except (sqlalchemy.exc.DBAPIError, StorageInternalError) as error:
            # Two programs that open a new database at once both try to create its tables.
            if "already exists" in str(error) or "UNIQUE constraint" in str(error):
                time.sleep(0.05 * (attempt + 1))
                continue
            raise ConfigError(f"hydra.sweeper.storage={url}: cannot be opened: {reason_of(error)}") from error
    raise ConfigError(f"hydra.sweeper.storage={url}: its tables could not be created")


@functools.cache
def _shielded(kind: type[S]) -> type[S]:
    """A subclass that runs every public method of a storage shielded from signals."""

    def in_shield(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            with shielded():
                return method(*args, **kwargs)

        return call

    methods = inspect.getmembers(kind, inspect.isfunction)
    shields = {name: in_shield(method) for name, method in methods if not name.startswith("_")}
    return type(kind.__name__, (kind,), {"__module__": __name__, **shields})


def _connect_sqlite(path: Path) -> sqlite3.Connection:
    """Connect with the write-ahead log: a commit costs a tenth, and a killed process still loses none."""
    connection = sqlite3.connect(path, timeout=SQLITE_PATIENCE_SECONDS, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


class _JournalLock:
    """A lock that the system frees when its holder dies, unlike Optuna's lock files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(f"{path}.write.lock")

    def acquire(self) -> bool:
        # Taken at the start of a method of the storage, within its shield; so far nothing is changed.
        for _ in attempts(self._lock.lock_file, shields=1):
            if take_file_lock(self._lock):
                break
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
