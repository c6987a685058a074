"""The lock under which trials are claimed, requeued and finished; a signal ends the wait for it, not the hold."""

from __future__ import annotations

import functools
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy
from filelock import FileLock, Timeout

from fer_lightning.errors import ConfigError
from fer_lightning.messages import reason_of
from fer_lightning.signals import (
    PATIENCE_SECONDS,
    raise_if_stopped,
    shielded,
    stop_requested,
)
from fer_lightning.sweeps.study.address import missing_driver, storage_file

_POLL_SECONDS = 0.05


@contextmanager
def claim_lock(url: str, study_name: str) -> Iterator[None]:
    """Hold the study's lock, which makes claiming, requeueing and finishing trials exclusive among all peers.

    It is a file lock beside a SQLite or journal file and an advisory lock of a PostgreSQL server: both are
    freed when their holder dies. What is done under it is shielded from signals.

    Raises
    ------
    TimeoutError
        If the process was stopped and its clean-up has waited too long.
    """
    path = storage_file(url)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock")
        with _held(f"{path}.lock", lambda: take_file_lock(lock), lock.release):
            yield
        return
    key = int.from_bytes(hashlib.sha256(f"fer_lightning {study_name}".encode()).digest()[:8], signed=True)
    try:
        connection = _lock_engine(url, os.getpid()).connect()
    except ImportError as error:
        raise missing_driver(url, error) from error
    except sqlalchemy.exc.DBAPIError as error:
        raise ConfigError(f"hydra.sweeper.storage={url}: cannot be opened: {reason_of(error)}") from error

    def ask(function: str) -> bool:
        return bool(connection.scalar(sqlalchemy.text(f"SELECT {function}(:key)"), {"key": key}))

    with connection, _held(url, lambda: ask("pg_try_advisory_lock"), lambda: ask("pg_advisory_unlock")):
        yield


@contextmanager
def _held(what: str, take: Callable[[], bool], release: Callable[[], object]) -> Iterator[None]:
    """Hold a lock, shielded from signals from the moment at which it is taken."""
    for _ in attempts(what):
        with shielded():
            if take():
                try:
                    yield
                finally:
                    release()
                return


def attempts(what: str, *, shields: int = 0) -> Iterator[None]:
    """Yield for each attempt at a lock that another process may hold.

    Parameters
    ----------
    what
        The lock, for the message.
    shields
        As of `raise_if_stopped`.

    Raises
    ------
    KeyboardInterrupt, Terminated
        If a signal came meanwhile.
    TimeoutError
        If a clean-up has waited for half a minute: it must end.
    """
    began = time.monotonic()
    while True:
        yield
        raise_if_stopped(shields=shields)
        if stop_requested() and time.monotonic() - began > PATIENCE_SECONDS:
            raise TimeoutError(f"{what}: held by another process for {PATIENCE_SECONDS} s")
        time.sleep(_POLL_SECONDS)


def take_file_lock(lock: FileLock) -> bool:
    """Take the lock if it is free; call it shielded, for a lock that is taken but not counted is never released."""
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    return True


@functools.lru_cache(maxsize=8)
def _lock_engine(url: str, _pid: int) -> sqlalchemy.Engine:
    return sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
