"""One cache on disk: the files of a folder, written once, mapped and checked when opened."""

from __future__ import annotations

import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from fer_lightning.data.faces import Faces, RawFaces
from fer_lightning.data.fingerprint import content_fingerprint

FORMAT = 2
"""Number of the files' layout and of the readers' results; after a change of it every cache is built anew."""

_ARRAYS = ("images", "labels", "splits", "ids")
_RECORD = "faces.json"


class DamagedCacheError(Exception):
    """A cache folder whose files are not what was written; the text says what is wrong."""


def write_cache(folder: Path, raw: RawFaces, key: str) -> None:
    """Write the files into an existing empty folder.

    The arrays are written with plain writes: a full disk is then an OSError, and not a bus error as it would
    be when writing through a memory map.
    """
    arrays = {
        "images": np.ascontiguousarray(raw.images),
        "labels": np.ascontiguousarray(raw.labels, dtype=np.int64),
        "splits": np.ascontiguousarray(raw.splits, dtype=np.uint8),
        "ids": np.ascontiguousarray(raw.ids, dtype=np.str_),
    }
    contents = {
        "format": FORMAT,
        "key": key,
        "name": raw.name,
        "synthetic": raw.synthetic,
        "class_names": list(raw.class_names),
        "notes": list(raw.notes),
        "unreadable": list(raw.unreadable),
        "fingerprint": content_fingerprint(raw.images, raw.labels, raw.splits, raw.class_names),
        "files": {name: _write_array(folder / f"{name}.npy", arrays[name]) for name in _ARRAYS},
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
    arrays = {name: _read_array(folder / f"{name}.npy", contents["files"][name]) for name in _ARRAYS}
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
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    with path.open("wb") as file:
        file.write(header.getvalue())
        file.write(_as_bytes(array))
    checksum = zlib.crc32(_as_bytes(array), zlib.crc32(header.getvalue()))
    return {"bytes": len(header.getvalue()) + array.nbytes, "crc32": checksum}


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
