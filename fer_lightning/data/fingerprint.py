"""Fingerprints: of a source, quick to take, and of the content, the same for every file format."""

from __future__ import annotations

import struct
from hashlib import blake2b
from itertools import repeat
from pathlib import Path, PurePath
from typing import BinaryIO

import numpy as np

from fer_lightning.data.system_files import walk
from fer_lightning.errors import DataError

_SAMPLED_BLOCKS = 64
_BLOCK_BYTES = 16 * 1024
_ZIP_TAIL_BYTES = 0xFFFF + 22 + 20 + 56  # the longest comment and the three end records


def digest(*parts: object) -> str:
    """Give the hex digest (32 characters) of the parts' representations."""
    return blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def content_fingerprint(
    images: np.ndarray,
    labels: np.ndarray,
    splits: np.ndarray,
    class_names: tuple[str, ...],
    targets: np.ndarray | None = None,
) -> str:
    """Give the hex digest of faces as a set: the order of the faces and their ids do not matter.

    Every face (pixels, class name, split) is hashed by itself and the sorted hashes are hashed again, so that
    the same data read from a csv and from a zip of PNG files have the same fingerprint.

    Parameters
    ----------
    images
        uint8 [N, H, W] or [N, H, W, 3], one of which is looked at at a time.
    labels, splits
        int [N].
    class_names
        One name for each label; a class's number does not matter, its name does.
    targets
        float32 [N, C], where faces have probabilities of classes beside their labels.
    """
    tails = [
        [f"|{split}|{name}".encode() for name in class_names]
        for split in range(int(splits.max(initial=0)) + 1)
    ]
    order = np.argsort(class_names)
    soft = repeat(b"", len(images)) if targets is None else (row[order].tobytes() for row in targets)
    faces = sorted(
        blake2b(pixels.tobytes() + tails[split][label] + target, digest_size=16).digest()
        for pixels, label, split, target in zip(images, labels.tolist(), splits.tolist(), soft, strict=True)
    )
    total = blake2b(repr((images.shape, sorted(class_names))).encode(), digest_size=16)
    for face in faces:
        total.update(face)
    return total.hexdigest()


def folder_fingerprint(root: Path) -> str:
    """Give the digest of path below `root`, size and modification time of every file.

    A folder that was moved keeps its fingerprint. The files are not read; hidden ones do not count. A link to nothing
    counts by its name, so that its reader can name it among all that cannot be read.

    Raises
    ------
    OSError
        If a link without an ending leads to nothing, for it may stand for a folder of pictures.
    """
    lines: list[str] = []
    for name, entry in walk(str(root), []):
        try:
            stat = entry.stat()
        except FileNotFoundError:
            if not PurePath(name).suffix:
                raise
            lines.append(f"{name}\0missing")
            continue
        lines.append(f"{name}/" if entry.is_dir() else f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}")
    return blake2b("\n".join(sorted(lines)).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def file_fingerprint(path: Path) -> str:
    """Give the digest of a file's size, modification time and 64 blocks of 16 KiB spread evenly over it."""
    stat = path.stat()
    total = blake2b(struct.pack("<qq", stat.st_size, stat.st_mtime_ns), digest_size=16)
    last = max(0, stat.st_size - _BLOCK_BYTES)
    with path.open("rb") as file:
        for position in sorted({last * i // (_SAMPLED_BLOCKS - 1) for i in range(_SAMPLED_BLOCKS)}):
            file.seek(position)
            total.update(file.read(_BLOCK_BYTES))
    return total.hexdigest()


def zip_fingerprint(path: Path) -> str:
    """Give the digest of a zip's size and central directory, which holds the CRC-32 of every member.

    The members are neither listed nor read: for 35,887 of them Python's listing alone takes 0.3 s. A copy of
    the file, elsewhere and with another modification time, has the same fingerprint.

    Raises
    ------
    DataError
        If the file has no central directory, as after a broken download.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        directory = _central_directory(file, size)
    if directory is None:
        raise DataError(f"{path}: not a readable zip file (no central directory; is the download complete?)")
    return blake2b(struct.pack("<q", size) + directory, digest_size=16).hexdigest()


def _central_directory(file: BinaryIO, size: int) -> bytes | None:
    """Find the central directory; it lies right before the end records (APPNOTE.TXT 4.3.6 and .16)."""
    tail_start = max(0, size - _ZIP_TAIL_BYTES)
    file.seek(tail_start)
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) - end < 22:
        return None
    (length,) = struct.unpack_from("<I", tail, end + 12)
    zip64 = tail.rfind(b"PK\x06\x06", 0, end)
    if tail[end - 20 : end].startswith(b"PK\x06\x07") and 0 <= zip64 <= end - 20 - 56:
        (length,) = struct.unpack_from("<Q", tail, zip64 + 40)
        end = zip64
    start = tail_start + end - length
    if start < 0:
        return None
    file.seek(start)
    return file.read(length)
