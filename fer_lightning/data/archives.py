"""The files inside a zip or a tar, whatever system packed it, read in place as if they had been extracted."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, TypeVar, cast

from fer_lightning.data.members import READ_ERRORS, Members
from fer_lightning.data.system_files import is_system_file
from fer_lightning.errors import DataError

Entry = TypeVar("Entry")
_FOREIGN = {b"Rar!": "a RAR archive", b"7z\xbc\xaf": "a 7z archive"}
_COMPRESSIONS = {b"\x1f\x8b": gzip, b"BZh": bz2, b"\xfd7zXZ": lzma}
_UTF8 = 0x800  # the bit of a member's flags that says so
_DRIVE = re.compile("[A-Za-z]:")


def archive_opener(path: Path) -> Callable[[Path], Members] | None:
    """Return what opens a zip or a tar (plain or compressed by gzip, bzip2 or xz), told by the file's first bytes.

    Returns
    -------
    Callable or None
        None for a file that is neither.

    Raises
    ------
    DataError
        If the archive is of a kind that has to be extracted first.
    """
    with path.open("rb") as file:
        head = file.read(512)
    for start, kind in _FOREIGN.items():
        if head.startswith(start):
            raise DataError(f"{path}: is {kind}; extract it and set data.path to the folder")
    if head.startswith(b"PK"):
        return ZipMembers
    compression = next((module for start, module in _COMPRESSIONS.items() if head.startswith(start)), None)
    if compression is not None or head[257:262] == b"ustar":
        return partial(TarMembers, compression=compression)
    return None


class ZipMembers(Members):
    """The files inside a zip, checked against their CRC-32 as they are read."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except READ_ERRORS as error:
            raise DataError(f"{path}: not a readable zip file ({error})") from error
        entries = [(_name_in_zip(info), info) for info in self._zip.infolist()]
        self._entries, folders = _own(entries)
        for name, info in self._entries.items():
            if info.flag_bits & 0x1:
                raise DataError(f"{path}: {name}: is encrypted; expected a zip without password")
        super().__init__(path, self._entries, folders)

    def size(self, name: str) -> int:
        """Give the number of a member's bytes, unpacked."""
        return self._entries[name].file_size

    def open(self, name: str) -> BinaryIO:
        """Open a member for reading its bytes."""
        return cast(BinaryIO, self._zip.open(self._entries[name]))


class TarMembers(Members):
    """The files inside a tar; a compressed one is first unpacked into a temporary file, to be read in any order."""

    def __init__(self, path: Path, compression: ModuleType | None) -> None:
        try:
            self._tar = tarfile.open(fileobj=_unpacked(path, compression), mode="r:")  # noqa: SIM115 (as long as the members)
            entries = [
                (info.name, info) for info in self._tar if info.isfile() or info.islnk() or info.isdir()
            ]
        except (tarfile.TarError, lzma.LZMAError, *READ_ERRORS) as error:
            if compression is not None and isinstance(error, tarfile.ReadError):  # it was unpacked to its end
                raise DataError(
                    f"{path}: is compressed and holds no tar; unpack it and set data.path to what comes out"
                ) from error
            raise DataError(
                f"{path}: not a readable tar file ({error}; is the download complete?)"
            ) from error
        self._entries, folders = _own(entries)
        super().__init__(path, self._entries, folders)

    def size(self, name: str) -> int:
        """Give the number of a member's bytes."""
        return self._entries[name].size

    def open(self, name: str) -> BinaryIO:
        """Open a member for reading its bytes."""
        return cast(BinaryIO, self._tar.extractfile(self._entries[name]))


def _unpacked(path: Path, compression: ModuleType | None) -> BinaryIO:
    if compression is None:
        return path.open("rb")
    whole = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
    with compression.open(path) as packed:
        shutil.copyfileobj(packed, whole, 1 << 20)
    whole.seek(0)
    return whole


def _own(entries: Iterable[tuple[str, Entry]]) -> tuple[dict[str, Entry], set[str]]:
    r"""Give the files by the names under which they would be extracted, and the folders; without system files.

    Of two members of one name the last one counts, as when they are extracted. Windows's ``\``, a leading ``/`` or
    ``./``, and drives are no part of a name.
    """
    files: dict[str, Entry] = {}
    folders = set()
    for full, entry in entries:
        plain = full.replace("\\", "/")
        parts = [
            part for part in plain.split("/") if part not in ("", ".", "..") and not _DRIVE.fullmatch(part)
        ]
        if not parts or any(is_system_file(part) for part in parts):
            continue
        name = "/".join(parts)
        if plain.endswith("/") or (isinstance(entry, tarfile.TarInfo) and entry.isdir()):
            folders.add(name)
        else:
            files[name] = entry
    return files, folders


def _name_in_zip(info: zipfile.ZipInfo) -> str:
    """Give a member's name; packers that do not mark UTF-8 as such, like macOS's, are seen through."""
    if info.flag_bits & _UTF8:
        return info.filename
    try:
        return info.orig_filename.encode("cp437").decode()
    except UnicodeError:
        return info.filename
