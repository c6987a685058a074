"""The lock under which trials are claimed, requeued and finished."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy
from filelock import FileLock

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.address import missing_driver, storage_file
from fer_lightning.sweeps.reason import reason_of


@contextmanager
def claim_lock(url: str, study_name: str) -> Iterator[None]:
    """Hold the study's lock, which makes claiming, requeueing and finishing trials exclusive among all peers.

    It is a file lock beside a SQLite or journal file and an advisory lock of a PostgreSQL server: both are
    freed when their holder dies.
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
        raise missing_driver(url, error) from error
    except sqlalchemy.exc.DBAPIError as error:
        raise ConfigError(f"hydra.sweeper.storage={url}: cannot be opened: {reason_of(error)}") from error
    with connection:
        connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(:key)"), {"key": key})
        try:
            yield
        finally:
            connection.execute(sqlalchemy.text("SELECT pg_advisory_unlock(:key)"), {"key": key})


@functools.lru_cache(maxsize=8)
def _lock_engine(url: str, _pid: int) -> sqlalchemy.Engine:
    return sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
