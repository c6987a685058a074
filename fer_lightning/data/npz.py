"""Faces stored in a ``.npz`` file, read block by block."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fer_lightning.data.arrays import arrange
from fer_lightning.data.faces import RawFaces
from fer_lightning.data.fingerprint import file_fingerprint
from fer_lightning.data.members import READ_ERRORS
from fer_lightning.data.reading import Reading, Source
from fer_lightning.errors import DataError

KEYS = ("images", "labels", "ids", "group", "split", "class_names")
_NEEDED = ("images", "labels")
_BLOCK_BYTES = 1 << 22


class StoredImages:
    """The pictures of a ``.npz``, read one block after another, so that they never lie in memory all at once.

    Parameters
    ----------
    archive
        The open file.
    name
        Of the array, without ``.npy``.

    Raises
    ------
    ValueError
        It is no array in NumPy's format, or one of Python objects.
    """

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._archive, self._member = archive, f"{name}.npy"
        with archive.open(self._member) as file:
            self.shape, self.dtype = self._header(file)

    @staticmethod
    def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in read:
            raise ValueError(f"stored in version {version} of NumPy's format; expected 1.0 or 2.0")
        shape, fortran, dtype = read[version](file)
        if fortran and len(shape) > 1:
            raise ValueError("stored column by column (Fortran order); expected np.ascontiguousarray(images)")
        return shape, dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        size = math.prod(self.shape[1:])
        with self._archive.open(self._member) as file:
            self._header(file)
            for start in range(0, len(self), step := max(1, _BLOCK_BYTES // max(1, size))):
                count = min(step, len(self) - start)
                data = file.read(count * size)
                if len(data) < count * size:
                    raise ValueError(f"ends after {start:,} of {len(self):,} pictures")
                yield from np.frombuffer(data, np.uint8).reshape(count, *self.shape[1:])


def find_array_source(path: Path) -> Source:
    """Look at what should be a ``.npz`` of faces.

    Raises
    ------
    DataError
        It is no such file.
    """
    if not path.is_file() or not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not a .npz file; expected one with {', '.join(_NEEDED)}")
    return Source(path, file_fingerprint, read_npz)


def read_npz(path: Path, how: Reading) -> RawFaces:
    """Read faces from a ``.npz`` with ``images``, ``labels`` and what else of :data:`KEYS` there is.

    Raises
    ------
    DataError
        An array is missing, unknown, cannot be read, or is not as :func:`arrange` expects it.
    """
    name = ""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [member.removesuffix(".npy") for member in archive.namelist()]
            for name in names:
                if name not in KEYS:
                    raise DataError(f"{path}: {name}: no such key; expected {', '.join(KEYS)}")
            for name in _NEEDED:
                if name not in names:
                    raise DataError(f"{path}: {name}: is missing; it has {', '.join(names) or 'nothing'}")
            name = "images"
            images = StoredImages(archive, name)
            with np.load(path, allow_pickle=False) as stored:
                arrays = {}
                for name in set(names) - {"images"}:
                    arrays[name] = stored[name]
            name = "images"
            return arrange(images, **arrays, where=str(path), name=path.stem, how=how)
    except READ_ERRORS as error:
        raise DataError(f"{path}: {name}: cannot be read ({error})") from error
