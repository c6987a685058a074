"""The cache of prepared faces: built once for a key, by one process at a time, and shared by all."""

from __future__ import annotations

import logging
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from filelock import BaseFileLock, FileLock, Timeout

from fer_lightning.config.typed import typed_path
from fer_lightning.data.cache_files import FORMAT, DamagedCacheError, ImageFile, read_cache, write_cache
from fer_lightning.data.faces import Faces, RawFaces
from fer_lightning.data.fingerprint import digest
from fer_lightning.data.picture_arrays import Allocate
from fer_lightning.errors import DataError

_log = logging.getLogger(__name__)


def default_cache_dir() -> Path:
    """Give the folder of all caches.

    ``$FER_LIGHTNING_CACHE``, else ``$XDG_CACHE_HOME/fer_lightning``, else ``~/.cache/fer_lightning``.
    """
    own = os.environ.get("FER_LIGHTNING_CACHE")
    if own:
        return Path(os.path.expanduser(own))
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "fer_lightning"


def cached(key: str, build: Callable[[Allocate], RawFaces], cache_dir: str | Path | None = None) -> Faces:
    """Open the faces kept under `key`, or build and keep them first.

    A cache is a folder. It is written beside its place and then renamed, so a half-written one is never seen.
    When several processes want the same missing key, one builds and the others wait and open. Every byte is
    checked when the cache is opened; a damaged one is built again, with one warning.

    Parameters
    ----------
    key
        Says everything that the faces depend on (source fingerprint, parameters). A leading word such as
        ``synthetic-`` shows in the folder's name.
    build
        Makes the faces; called only when there is no sound cache. It gets what gives room for the pictures in the
        cache's own file, so that they need not lie in memory all at once.
    cache_dir
        Folder of all caches; None stands for :func:`default_cache_dir`.

    Raises
    ------
    DataError
        If the cache cannot be written, e.g. on a full disk; nothing partial is left then.
    """
    root = default_cache_dir() if cache_dir is None else typed_path(cache_dir)
    place = root / _folder_name(key)
    faces = _open(place, key, warn=False)
    if faces is not None:
        return faces
    lock = _locked(root, place.name)
    try:
        faces = _open(place, key, warn=True)
        return faces if faces is not None else _build(place, key, build)
    finally:
        lock.release()


def _locked(root: Path, name: str) -> BaseFileLock:
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / f"{name}.lock")
        try:
            lock.acquire(timeout=1)
        except Timeout:
            _log.info("waiting for another process that prepares the same faces (%s)", lock.lock_file)
            lock.acquire()
    except (OSError, NotImplementedError) as error:
        raise DataError(_cannot_write(root, error)) from error
    return lock


def _folder_name(key: str) -> str:
    word = re.match(r"[A-Za-z0-9_]{0,40}", key)
    return f"{word.group() if word else ''}-{digest(FORMAT, key)[:20]}"


def _open(place: Path, key: str, *, warn: bool) -> Faces | None:
    try:
        return read_cache(place, key)
    except FileNotFoundError:
        return None
    except DamagedCacheError as damage:
        # Without the lock another process may just be replacing it, so the word is left to the second look.
        if warn:
            _log.warning("cache %s is damaged (%s); building it again", place, damage)
        return None


def _build(place: Path, key: str, build: Callable[[Allocate], RawFaces]) -> Faces:
    """Build under the lock: all temporary folders of this key are then left-overs of killed processes."""
    for left_over in place.parent.glob(f".{place.name}.*"):
        shutil.rmtree(left_over, ignore_errors=True)
    started = time.perf_counter()
    temporary = place.parent / f".{place.name}.{os.getpid()}"
    room = ImageFile(temporary)

    def allocate(shape: tuple[int, ...]) -> np.ndarray:
        with _writing(place.parent, math.prod(shape)):
            return room.allocate(shape)

    try:
        with _writing(place.parent):
            temporary.mkdir()
        raw = build(allocate)
        needed = sum(array.nbytes for array in (raw.images, raw.labels, raw.splits, raw.ids))
        with _writing(place.parent, needed):
            write_cache(temporary, raw, key, room)
            if place.exists():
                shutil.rmtree(place)
            temporary.rename(place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    del raw
    faces = read_cache(place, key)
    seconds = time.perf_counter() - started
    _log.info("prepared %d faces of %s in %.1f s: %s", len(faces), faces.name, seconds, place)
    return faces


@contextmanager
def _writing(root: Path, needed: int | None = None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(_cannot_write(root, error, needed)) from error


def _cannot_write(root: Path, error: Exception, needed: int | None = None) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    size = "" if needed is None else f"; {needed:,} bytes ({needed / 2**20:.1f} MiB) are needed there"
    return f"{root}: the data cache cannot be written ({reason}){size}; data.cache_dir=… names another folder"
