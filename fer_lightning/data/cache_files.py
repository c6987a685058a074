"""One cache on disk: the files of a folder, written once, mapped and checked when opened."""

from __future__ import annotations

import io
import json
import math
import os
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fer_lightning.data.faces import Faces, RawFaces
from fer_lightning.data.fingerprint import content_fingerprint

FORMAT = 2
"""Number of the files' layout and of the readers' results; after a change of it every cache is built anew."""

_ARRAYS = ("images", "labels", "splits", "ids")
_RECORD = "faces.json"
_BLOCK_BYTES = 1 << 24


class DamagedCacheError(Exception):
    """A cache folder whose files are not what was written; the text says what is wrong."""


class ImageFile:
    """Room for pictures in a cache's own file, so that a set larger than memory can be read picture by picture.

    Parameters
    ----------
    folder
        An existing folder without ``images.npy``.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "images.npy"
        self._room: np.ndarray | None = None

    def allocate(self, shape: tuple[int, ...]) -> np.ndarray:
        """Reserve the file for uint8 pictures of a shape, and map it into memory for writing.

        All of its blocks are taken at once: a full disk is then an OSError, and not a bus error while pictures are
        written through the map.
        """
        if not math.prod(shape):
            return np.zeros(shape, np.uint8)
        assert self._room is None, "one room for a cache"
        header = _header(shape, np.dtype(np.uint8))
        with self.path.open("wb") as file:
            file.write(header)
            _reserve(file, math.prod(shape))
        self._room = np.memmap(self.path, np.uint8, "r+", len(header), shape)
        return self._room

    def write(self, images: np.ndarray) -> dict[str, int]:
        """Write pictures, or keep those that lie at the front of the room, and give the file's size and checksum."""
        room = self._room
        if room is None or images.ctypes.data != room.ctypes.data or images.shape[1:] != room.shape[1:]:
            return _write_array(self.path, np.ascontiguousarray(images))
        assert isinstance(room, np.memmap)
        room.flush()
        header = _header(images.shape, images.dtype)
        with self.path.open("r+b") as file:
            file.write(header)
            file.truncate(len(header) + images.nbytes)
        return _size_and_checksum(header, images)


def _reserve(file: BinaryIO, count: int) -> None:
    """Lengthen a file by ``count`` bytes that are on the disk for certain."""
    if hasattr(os, "posix_fallocate"):
        file.flush()
        os.posix_fallocate(file.fileno(), file.tell(), count)
    else:  # macOS
        for start in range(0, count, _BLOCK_BYTES):
            file.write(bytes(min(_BLOCK_BYTES, count - start)))


def write_cache(folder: Path, raw: RawFaces, key: str, room: ImageFile | None = None) -> None:
    """Write the files into an existing folder; pictures that lie in ``room`` already stay there.

    Other arrays are written with plain writes: a full disk is then an OSError, and not a bus error as it would
    be when writing through a memory map.
    """
    arrays: dict[str, np.ndarray] = {
        "labels": np.ascontiguousarray(raw.labels, dtype=np.int64),
        "splits": np.ascontiguousarray(raw.splits, dtype=np.uint8),
        "ids": np.ascontiguousarray(raw.ids, dtype=np.str_),
    }
    if raw.group is not None:
        arrays["group"] = np.ascontiguousarray(raw.group, dtype=np.str_)
    if raw.targets is not None:
        arrays["targets"] = np.ascontiguousarray(raw.targets, dtype=np.float32)
    contents = {
        "format": FORMAT,
        "key": key,
        "name": raw.name,
        "synthetic": raw.synthetic,
        "class_names": list(raw.class_names),
        "notes": list(raw.notes),
        "unreadable": list(raw.unreadable),
        "fingerprint": content_fingerprint(raw.images, raw.labels, raw.splits, raw.class_names, raw.targets),
        "files": {"images": (room or ImageFile(folder)).write(raw.images)}
        | {name: _write_array(folder / f"{name}.npy", array) for name, array in arrays.items()},
    }
    record = {"contents": contents, "crc32": _crc32_of_json(contents)}
    (folder / _RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")


def read_cache(folder: Path, key: str) -> Faces:
    """Open the cache in `folder` and check every byte of it against its checksums.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    DamagedCacheError
        If anything is not as written.
    """
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    contents = _read_contents(folder, key)
    # Of _ARRAYS none may be missing; others are there where the source has them.
    names = [*_ARRAYS, *(name for name in contents["files"] if name not in _ARRAYS)]
    arrays = {name: _read_array(folder / f"{name}.npy", contents["files"][name]) for name in names}
    return Faces(
        **arrays,
        class_names=tuple(contents["class_names"]),
        fingerprint=contents["fingerprint"],
        name=contents["name"],
        synthetic=contents["synthetic"],
        notes=tuple(contents["notes"]),
        unreadable=tuple(contents["unreadable"]),
    )


def _read_contents(folder: Path, key: str) -> dict[str, Any]:
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        contents: dict[str, Any] = record["contents"]
        sound = record["crc32"] == _crc32_of_json(contents)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedCacheError(f"{_RECORD}: {type(error).__name__}") from error
    if not sound or contents["format"] != FORMAT or contents["key"] != key:
        raise DamagedCacheError(f"{_RECORD}: wrong checksum, format or key")
    return contents


def _write_array(path: Path, array: np.ndarray) -> dict[str, int]:
    """Write a .npy file and give its size and checksum."""
    header = _header(array.shape, array.dtype)
    with path.open("wb") as file:
        file.write(header)
        file.write(_as_bytes(array))
    return _size_and_checksum(header, array)


def _size_and_checksum(header: bytes, array: np.ndarray) -> dict[str, int]:
    return {"bytes": len(header) + array.nbytes, "crc32": zlib.crc32(_as_bytes(array), zlib.crc32(header))}


def _header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """Return the head of a .npy file, which is as long for any number of rows."""
    header = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue()


def _read_array(path: Path, expected: dict[str, int]) -> np.ndarray:
    try:
        size = path.stat().st_size
        if size != expected["bytes"]:
            raise DamagedCacheError(f"{path.name}: {size} bytes; expected {expected['bytes']}")
        if zlib.crc32(_as_bytes(np.memmap(path, np.uint8, "r"))) != expected["crc32"]:
            raise DamagedCacheError(f"{path.name}: wrong checksum")
        # Mode "c": writable for this process (torch warns about read-only arrays) but never written back.
        array: np.ndarray = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DamagedCacheError(f"{path.name}: {error}") from error
    return array


def _as_bytes(array: np.ndarray) -> memoryview:
    """Look at a C-contiguous array as bytes; unlike `tobytes` this copies nothing."""
    return array.reshape(-1).view(np.uint8).data if array.size else memoryview(b"")


def _crc32_of_json(contents: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(contents, sort_keys=True).encode())
