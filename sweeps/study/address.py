"""The address of a study's storage: a file's absolute path or a server's URL, never with a password."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy

from fer_lightning.errors import ConfigError

JOURNAL_PREFIX = "journal:"


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
        f"hydra.sweeper.storage={_without_password(storage)}: expected null (SQLite in hydra.sweep.dir), "
        "journal, a *.db or *.journal file, or a postgresql:// URL"
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
            f"hydra.sweeper.storage for {url.host}/{url.database} holds a password: leave it out of the URL "
            "and set the environment variable PGPASSWORD"
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


def missing_driver(url: str, error: ImportError) -> ConfigError:
    """The error to raise where the database driver is not installed."""
    return ConfigError(
        f"hydra.sweeper.storage={url}: its driver is missing ({error}); pip install 'psycopg[binary]'"
    )
