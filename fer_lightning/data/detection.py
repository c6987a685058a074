"""What a path holds, told by looking at it: a table, a folder of classes, or a zip of one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from fer_lightning.data.csv_reader import header_columns, is_fer_header, read_fer_csv
from fer_lightning.data.decode import resize_grey
from fer_lightning.data.faces import RawFaces
from fer_lightning.data.fingerprint import file_fingerprint, folder_fingerprint, zip_fingerprint
from fer_lightning.data.folder_reader import is_fer_folder, read_fer_folder
from fer_lightning.data.image_folder import read_image_folder
from fer_lightning.data.members import READ_ERRORS, FolderMembers, Members, ZipMembers
from fer_lightning.data.splits import Splitting
from fer_lightning.errors import DataError

_FER_FORMS = (
    "fer2013.csv, icml_face_data.csv or train.csv, a folder with train/<class>/ and test/<class>/, "
    "or a zip with one of these"
)
_FOLDER_FORMS = "a folder, or a zip of one, with <class>/* or {train,val,test}/<class>/*"
_HEAD_BYTES = 4096
_CONTROL = set(range(32)) - set(b"\t\r\n")


@dataclass(frozen=True)
class Source:
    """Where faces come from: how to tell whether it has changed, and how to read it.

    Attributes
    ----------
    path
        The file or folder that is read.
    fingerprint
        Gives the source's fingerprint, quickly.
    read
        Reads the faces: ``read(path, image_size, splitting)``.
    """

    path: Path
    fingerprint: Callable[[Path], str]
    read: Callable[[Path, int, Splitting], RawFaces]


def find_fer_source(path: Path) -> Source:
    """Look at what should be FER2013.

    Raises
    ------
    DataError
        If the path is in none of the forms that are understood.
    """
    if path.is_dir():
        files = [file for file in (*path.glob("*"), *path.glob("*/*")) if file.is_file()]
        tables = {str(file): (_head(file), file.stat().st_size) for file in files}
        table = _best_table(tables)
        if table is not None:
            return Source(Path(table), file_fingerprint, _read_table)
        return Source(path, folder_fingerprint, _read_fer_folder)
    head = _head(path)
    if head.startswith(b"PK"):
        return Source(path, zip_fingerprint, _read_fer_zip)
    if not set(head) & _CONTROL:
        return Source(path, file_fingerprint, _read_table)
    raise DataError(f"{path}: not a form of FER2013 that is understood; expected {_FER_FORMS}")


def find_image_source(path: Path) -> Source:
    """Look at what should be folders of pictures.

    Raises
    ------
    DataError
        If the path is neither a folder nor a zip.
    """
    if path.is_dir():
        return Source(path, folder_fingerprint, _read_image_folder)
    if _head(path).startswith(b"PK"):
        return Source(path, zip_fingerprint, _read_image_zip)
    raise DataError(f"{path}: not a folder of pictures; expected {_FOLDER_FORMS}")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _best_table(files: dict[str, tuple[bytes, int]]) -> str | None:
    """Choose the table of faces among files, name: (head, size). One with Usage is best, then the largest."""
    ranked = []
    for name, (head, size) in files.items():
        header = head.split(b"\n")[0]
        if is_fer_header(header):
            ranked.append(("usage" not in [column.lower() for column in header_columns(header)], -size, name))
    return min(ranked)[2] if ranked else None


def _read_table(path: Path, size: int, splitting: Splitting) -> RawFaces:
    with path.open("rb") as file:
        raw = read_fer_csv(file, str(path), splitting)
    return replace(raw, images=resize_grey(raw.images, size))


def _read_fer_folder(path: Path, size: int, splitting: Splitting) -> RawFaces:
    return _read_fer_members(FolderMembers(path), size, splitting)


def _read_fer_zip(path: Path, size: int, splitting: Splitting) -> RawFaces:
    members = ZipMembers(path)
    files = {
        name: (members.head(name, _HEAD_BYTES), members.size(name))
        for name in members.files
        if name.count("/") < 2
    }
    table = _best_table(files)
    if table is None:
        return _read_fer_members(members, size, splitting)
    try:
        with members.open(table) as file:
            raw = read_fer_csv(file, members.where(table), splitting)
    except READ_ERRORS as error:
        raise DataError(f"{members.where(table)}: cannot be read ({error})") from error
    return replace(raw, images=resize_grey(raw.images, size))


def _read_fer_members(members: Members, size: int, splitting: Splitting) -> RawFaces:
    if is_fer_folder(members):
        return read_fer_folder(members, size, splitting)
    found = [*members.folders_in(""), *members.files_in("")]
    shown = ", ".join(found[:5]) + (", …" if len(found) > 5 else "") if found else "nothing"
    raise DataError(
        f"{members.path}: not a form of FER2013 that is understood; found {shown}; expected {_FER_FORMS}"
    )


def _read_image_folder(path: Path, size: int, splitting: Splitting) -> RawFaces:
    return read_image_folder(FolderMembers(path), size, splitting)


def _read_image_zip(path: Path, size: int, splitting: Splitting) -> RawFaces:
    return read_image_folder(ZipMembers(path), size, splitting)
