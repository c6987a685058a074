"""Checkpoints that a study has removed from its trials' folders, and what is left there that says so."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from fer_lightning.runs.files import write_json
from fer_lightning.runs.run import RECORD_FILE

# By their names: of Lightning, of PyTorch, and what a killed process left half written.
CHECKPOINT_NAMES: Final = "*.ckpt, *.pt, *.pth, *.safetensors"
_CHECKPOINT: Final = re.compile(r".+\.(ckpt|pt|pth|safetensors)(\.part)?")
_NOTE = "checkpoints_removed.json"  # where a folder has no run.json
_KEY = "checkpoints_removed"


def find_checkpoints(folder: Path, others: Collection[Path] = ()) -> list[Path]:
    """Return the checkpoints at or below a run's folder; no link is followed.

    Parameters
    ----------
    folder
        Of the run.
    others
        Folders of other runs, which may lie below it and are passed over.
    """
    found = []
    for place, below, names in os.walk(folder, followlinks=False):
        below[:] = [name for name in below if Path(place, name) not in others]
        found += [Path(place, name) for name in names if _CHECKPOINT.fullmatch(name)]
    return [path for path in found if not path.is_symlink()]


def remove_checkpoints(folder: Path, paths: Collection[Path], why: str) -> None:
    """Write down which checkpoints of a run are removed and why, then remove them.

    Killed in between, it may be repeated.

    Parameters
    ----------
    folder
        Of the run; the note goes into its ``run.json``, or into ``checkpoints_removed.json`` where it has none.
    paths
        Of its checkpoints.
    why
        The option that asked for it.
    """
    record = _read(folder / RECORD_FILE)
    before = _read(folder / _NOTE) if record is None else record.get(_KEY) or {}
    names = [*(before or {}).get("files", []), *(str(path.relative_to(folder)) for path in paths)]
    note = {"because": why, "files": sorted(set(names))}
    if record is None:
        write_json(folder / _NOTE, note)
    else:
        write_json(folder / RECORD_FILE, record | {_KEY: note})
    for path in paths:
        path.unlink(missing_ok=True)


def why_removed(place: Path) -> str:
    """Return why a checkpoint, or those of a run's folder, are gone, as the end of a message; empty if nobody says."""
    for folder in (place, place.parent, place.parent.parent):
        note = (_read(folder / RECORD_FILE) or {}).get(_KEY) or _read(folder / _NOTE)
        if note and (folder == place or str(place.relative_to(folder)) in note.get("files", [])):
            return f"; the study has removed it ({note.get('because')})"
    return ""


def _read(path: Path) -> dict[str, Any] | None:
    """Return the mapping in a JSON file; None where there is no readable one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
