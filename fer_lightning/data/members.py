"""The files of a folder or of an archive, by relative name."""

from __future__ import annotations

import contextlib
import errno
import os
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from fer_lightning.data.system_files import walk
from fer_lightning.errors import DataError
from fer_lightning.messages import counted

READ_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)
"""What reading a broken, encrypted or strangely compressed archive raises."""


class Members(ABC):
    """Files under one root.

    Attributes
    ----------
    path
        The folder or the archive.
    files, folders
        Relative names with ``/``, sorted; hidden and operating-system files are left out.
    notes
        What a person may want to know of what is left out.
    """

    def __init__(self, path: Path, files: Iterable[str], folders: Iterable[str] = ()) -> None:
        self.path = path
        self.notes: list[str] = []
        self.files = sorted(files)
        # Most archives have no entries for folders: they are read off the files' names.
        self.folders = sorted({*folders} | {parent for name in self.files for parent in _parents(name)})

    def folders_in(self, prefix: str) -> list[str]:
        """Give the names of the folders directly below a prefix (``""`` or one that ends in ``/``)."""
        return _directly_in(self.folders, prefix)

    def files_in(self, prefix: str) -> list[str]:
        """Give the names of the files directly below a prefix."""
        return _directly_in(self.files, prefix)

    def below(self, prefix: str) -> list[str]:
        """Give the names of all files below a prefix."""
        return [name for name in self.files if name.startswith(prefix)]

    def read(self, name: str, count: int = -1) -> bytes:
        """Give a file's bytes, or its first `count`.

        Raises
        ------
        DataError
            If they cannot be read.
        """
        try:
            with self.open(name) as file:
                return file.read(count)
        except READ_ERRORS as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise DataError(f"{self.where(name)}: cannot be read ({reason})") from error

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """Open a file for reading its bytes."""

    @abstractmethod
    def size(self, name: str) -> int:
        """Give the number of a file's bytes, unpacked."""

    def where(self, name: str) -> str:
        """Say where a file is, for messages."""
        return f"{self.path}: {legible(name)}"


class FolderMembers(Members):
    """The files of a folder on disk: all of them, or those that are named, which may lie elsewhere."""

    def __init__(self, path: Path, files: Iterable[str] | None = None) -> None:
        loops: list[str] = []
        folders: list[str] = []
        if files is None:
            files = []
            for name, entry in walk(str(path), loops):
                (folders if entry.is_dir() else files).append(name)
        super().__init__(path, files, folders)
        if loops:
            self.notes.append(
                f"left out, for they lead back to where they lie: {counted(len(loops), 'link')} "
                f"(the first is {legible(min(loops))})"
            )

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading its bytes.

        Raises
        ------
        OSError
            If it cannot be opened; also for pipes and devices, which would be waited for.
        """
        path = self.path / name
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return path.open("rb")

    def size(self, name: str) -> int:
        """Give the number of a file's bytes."""
        return (self.path / name).stat().st_size

    def where(self, name: str) -> str:
        """Give the file's path."""
        return legible(str(self.path / name))


def legible(name: str) -> str:
    """Give a name that can be printed and stored: bytes that are no UTF-8 are read as Latin-1, or else escaped."""
    if name.isprintable():
        return name
    if "/" in name:
        return "/".join(map(legible, name.split("/")))
    raw = os.fsencode(name)
    for encoding in ("utf-8", "latin-1"):
        with contextlib.suppress(UnicodeDecodeError):
            if (text := raw.decode(encoding)).isprintable():
                return text
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:i]) for i in range(1, len(parts))]


def _directly_in(names: list[str], prefix: str) -> list[str]:
    return [
        name[len(prefix) :] for name in names if name.startswith(prefix) and "/" not in name[len(prefix) :]
    ]
