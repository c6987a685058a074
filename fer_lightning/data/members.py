"""The files of a folder or of a zip, by relative name, without extracting the zip."""

from __future__ import annotations

import os
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, cast

from fer_lightning.errors import DataError

_SYSTEM_FILES = {"thumbs.db", "desktop.ini", "__macosx"}
READ_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)
"""What reading a broken, encrypted or strangely compressed zip raises."""


class Members(ABC):
    """Files under one root.

    Attributes
    ----------
    path
        The folder or the zip.
    files, folders
        Relative names with ``/``, sorted; hidden and operating-system files are left out.
    """

    def __init__(self, path: Path, files: Iterable[str], folders: Iterable[str]) -> None:
        self.path = path
        # A zip may hold two members of one name; the last one counts, as when it is extracted.
        self.files = sorted(set(files))
        self.folders = sorted(set(folders))

    def folders_in(self, prefix: str) -> list[str]:
        """Give the names of the folders directly below a prefix (``""`` or one that ends in ``/``)."""
        return _directly_in(self.folders, prefix)

    def files_in(self, prefix: str) -> list[str]:
        """Give the names of the files directly below a prefix."""
        return _directly_in(self.files, prefix)

    def read(self, name: str) -> bytes:
        """Give a file's bytes; safe to call from several threads."""
        try:
            with self.open(name) as file:
                return file.read()
        except READ_ERRORS as error:
            raise DataError(f"{self.where(name)}: cannot be read ({error})") from error

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """Open a file for reading its bytes."""

    @abstractmethod
    def where(self, name: str) -> str:
        """Say where a file is, for messages."""


class FolderMembers(Members):
    """The files of a folder on disk."""

    def __init__(self, path: Path) -> None:
        files: list[str] = []
        folders: list[str] = []
        _list_folder(path, "", files, folders)
        super().__init__(path, files, folders)

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading its bytes."""
        return (self.path / name).open("rb")

    def where(self, name: str) -> str:
        """Give the file's path."""
        return str(self.path / name)


class ZipMembers(Members):
    """The files inside a zip, read in place and checked against their CRC-32.

    Raises
    ------
    DataError
        If the zip is unreadable or encrypted.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except READ_ERRORS as error:
            raise DataError(f"{path}: not a readable zip file ({error})") from error
        files: list[str] = []
        folders: set[str] = set()
        for info in self._zip.infolist():
            parts = info.filename.rstrip("/").split("/")
            if any(is_system_file(part) for part in parts):
                continue
            if info.flag_bits & 0x1:
                raise DataError(f"{path}: {info.filename}: is encrypted; expected a zip without password")
            # Most zips have no entries for folders: they are read off the files' names.
            depth = len(parts) + 1 if info.is_dir() else len(parts)
            folders.update("/".join(parts[:i]) for i in range(1, depth))
            if not info.is_dir():
                files.append(info.filename)
        super().__init__(path, files, folders)

    def head(self, name: str, count: int) -> bytes:
        """Give a member's first bytes, at most `count`.

        Raises
        ------
        DataError
            If they cannot be read.
        """
        try:
            with self.open(name) as file:
                return file.read(count)
        except READ_ERRORS as error:
            raise DataError(f"{self.where(name)}: cannot be read ({error})") from error

    def size(self, name: str) -> int:
        """Give the number of a member's bytes, unpacked."""
        return self._zip.getinfo(name).file_size

    def open(self, name: str) -> BinaryIO:
        """Open a member for reading its bytes."""
        return cast(BinaryIO, self._zip.open(name))

    def where(self, name: str) -> str:
        """Give the zip's path and the member's name."""
        return f"{self.path}: {name}"


def inner_root(members: Members, stop: frozenset[str]) -> str:
    """Give the prefix (``""`` or ``"a/b/"``) of folders that only wrap the level that matters.

    A level's only folder is a wrapper when it holds folders itself and is not named as in `stop` (in lower
    case).
    """
    prefix = ""
    while True:
        top = members.folders_in(prefix)
        if len(top) != 1 or top[0].lower() in stop or not members.folders_in(f"{prefix}{top[0]}/"):
            return prefix
        prefix += f"{top[0]}/"


def check_class_folder(members: Members, prefix: str) -> list[str]:
    """Give the names of all files below a class folder.

    Raises
    ------
    DataError
        If there are none.
    """
    inside = [name for name in members.files if name.startswith(prefix)]
    if not inside:
        folder = prefix.rstrip("/")
        name = folder.split("/")[-1]
        raise DataError(f"{members.where(folder)}: class {name!r} is empty; expected at least one image")
    return inside


def _list_folder(root: Path, prefix: str, files: list[str], folders: list[str]) -> None:
    with os.scandir(root / prefix) as entries:
        for entry in entries:
            if is_system_file(entry.name):
                continue
            if entry.is_dir():
                folders.append(prefix + entry.name)
                _list_folder(root, f"{prefix}{entry.name}/", files, folders)
            else:
                files.append(prefix + entry.name)


def _directly_in(names: list[str], prefix: str) -> list[str]:
    return [
        name[len(prefix) :] for name in names if name.startswith(prefix) and "/" not in name[len(prefix) :]
    ]


def is_system_file(part: str) -> bool:
    """Say whether a file or folder, by its name, is hidden or the operating system's own."""
    return part.startswith(".") or part.lower() in _SYSTEM_FILES
