"""Where a study is stored whose storage lies outside its folder: a small file in the folder says so."""

from __future__ import annotations

import json
import os
from pathlib import Path

from fer_lightning.redact import redact_text
from fer_lightning.runs.files import write_json
from fer_lightning.sweeps.study.address import JOURNAL_PREFIX, storage_file

PLACE = "study.json"
_OWN = ("study.db", "study.journal")
# One of these files is in the folder of every study.
STORED_IN = {*_OWN, PLACE}


def own_storage(folder: Path) -> str | None:
    """Return the address of the storage that lies in a study's folder; None where there is none."""
    for name in _OWN:
        path = folder.resolve() / name
        if path.exists():
            return _address(path)
    return None


def _address(path: Path) -> str:
    return f"{JOURNAL_PREFIX}{path}" if path.suffix == ".journal" else f"sqlite:///{path}"


def leave_place(folder: Path, url: str, study_name: str) -> None:
    """Write ``study.json``, or remove it where the study is stored in the folder itself.

    A file's place is kept twice: relative to the folder, and in full without the home folder's name, so that it is
    found where both were moved or the folder alone. An address never holds a password.
    """
    path, place = storage_file(url), folder / PLACE
    if path is not None and path.resolve() in [folder.resolve() / name for name in _OWN]:
        place.unlink(missing_ok=True)
        return
    written = {"study": study_name, "storage": url if path is None else redact_text(str(path))}
    if path is not None:
        written["relative"] = os.path.relpath(path.resolve(), folder.resolve())
    write_json(place, written)


def read_place(folder: Path) -> tuple[str, str] | None:
    """Return the storage's address and the study's name from ``study.json``; None where there is no such file."""
    try:
        found = json.loads((folder / PLACE).read_text(encoding="utf-8"))
        name, storage, relative = str(found["study"]), str(found["storage"]), found.get("relative")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if relative is None:
        return storage, name
    near = (folder.resolve() / str(relative)).resolve()
    return _address(near if near.exists() else Path(storage).expanduser()), name
