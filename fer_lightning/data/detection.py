"""What a path holds, told by looking at it: a table, a folder of classes, or an archive of one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from fer_lightning.data.archives import ZipMembers, archive_opener
from fer_lightning.data.class_folders import inner_root
from fer_lightning.data.csv_reader import header_columns, is_fer_header, read_fer_csv
from fer_lightning.data.decode import fitted
from fer_lightning.data.faces import RawFaces
from fer_lightning.data.fingerprint import file_fingerprint, folder_fingerprint, zip_fingerprint
from fer_lightning.data.folder_reader import read_fer_folder
from fer_lightning.data.image_folder import read_image_folder
from fer_lightning.data.members import READ_ERRORS, FolderMembers, Members, legible
from fer_lightning.data.reading import Reading, Source
from fer_lightning.errors import DataError

_FER_FORMS = (
    "fer2013.csv, icml_face_data.csv or train.csv, a folder with train/<class>/ and test/<class>/, "
    "or a zip or tar with one of these"
)
_FOLDER_FORMS = "a folder, or a zip or tar of one, with <class>/* or {train,val,test}/<class>/*"
_HEAD_BYTES = 4096
_CONTROL = set(range(32)) - set(b"\t\r\n")


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
        table, note = _best_table(tables)
        if table is not None:
            return Source(Path(table), file_fingerprint, lambda place, how: _read_table(place, how, note))
        return Source(
            path, folder_fingerprint, lambda place, how: _read_fer_members(FolderMembers(place), how)
        )
    opener = archive_opener(path)
    if opener is not None:
        return Source(path, _fingerprint_of(opener), lambda place, how: _read_fer_archive(opener(place), how))
    if not set(_head(path)) & _CONTROL:
        return Source(path, file_fingerprint, _read_table)
    raise DataError(f"{path}: not a form of FER2013 that is understood; expected {_FER_FORMS}")


def find_image_source(path: Path) -> Source:
    """Look at what should be folders of pictures.

    Raises
    ------
    DataError
        If the path is neither a folder nor an archive.
    """
    if path.is_dir():
        return Source(
            path, folder_fingerprint, lambda place, how: read_image_folder(FolderMembers(place), how)
        )
    opener = archive_opener(path)
    if opener is None:
        raise DataError(f"{path}: not a folder of pictures; expected {_FOLDER_FORMS}")
    return Source(path, _fingerprint_of(opener), lambda place, how: read_image_folder(opener(place), how))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _best_table(files: Mapping[str, tuple[bytes, int]]) -> tuple[str | None, str]:
    """Choose the table of faces among files, name: (head, size). One with Usage is best, then the largest.

    Returns
    -------
    tuple
        Its name, and a note on tables that are not read; None where there is no table of faces.
    """
    ranked, unlabelled = [], []
    for name, (head, size) in files.items():
        header = head.split(b"\n")[0]
        columns = [column.lower() for column in header_columns(header)] if b"\0" not in header else []
        if is_fer_header(header):
            ranked.append(("usage" not in columns, -size, name))
        elif "pixels" in columns:
            unlabelled.append(f"{Path(name).name} (no column emotion)")
    if not ranked:
        return None, ""
    without_usage, _, best = min(ranked)
    left = [Path(name).name for _, _, name in sorted(ranked)[1:]] + unlabelled if without_usage else []
    return best, f"{Path(best).name} is read; {', '.join(left)} beside it is not" if left else ""


def _read_table(path: Path, how: Reading, note: str = "") -> RawFaces:
    with path.open("rb") as file:
        raw = read_fer_csv(file, str(path), how.splitting)
    return _finished(raw, how, note)


def _finished(raw: RawFaces, how: Reading, note: str) -> RawFaces:
    notes = (note, *how.colour_notes(""), *raw.notes)
    images = fitted(raw.images, how.size, how.channels, how.allocate)
    return replace(raw, images=images, notes=tuple(filter(None, notes)))


def _fingerprint_of(opener: Callable[[Path], Members]) -> Callable[[Path], str]:
    return zip_fingerprint if opener is ZipMembers else file_fingerprint


def _read_fer_archive(members: Members, how: Reading) -> RawFaces:
    files = {
        name: (members.read(name, _HEAD_BYTES), members.size(name))
        for name in members.files
        if name.count("/") < 2
    }
    table, note = _best_table(files)
    if table is None:
        return _read_fer_members(members, how)
    try:
        with members.open(table) as file:
            raw = read_fer_csv(file, members.where(table), how.splitting)
    except READ_ERRORS as error:
        raise DataError(f"{members.where(table)}: cannot be read ({error})") from error
    return _finished(raw, how, note)


def _read_fer_members(members: Members, how: Reading) -> RawFaces:
    if members.folders_in(inner_root(members)):
        return read_fer_folder(members, how)
    found = [legible(name) for name in (*members.folders_in(""), *members.files_in(""))]
    shown = ", ".join(found[:5]) + (", …" if len(found) > 5 else "") if found else "nothing"
    raise DataError(
        f"{members.path}: not a form of FER2013 that is understood; found {shown}; expected {_FER_FORMS}"
    )
