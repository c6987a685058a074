"""The report page for others to see: without the machine, the commands and the folders, and also without faces."""

from __future__ import annotations

import base64
import re
import zlib
from dataclasses import replace
from typing import Any, Final

from fer_lightning.report.gallery import Gallery
from fer_lightning.report.gallery.packed import packed_lines
from fer_lightning.report.page.page_data import PageModel
from fer_lightning.report.page.study_provenance import MACHINE

# A path from the root or from the home directory, after a blank, a quote, a bracket or an equals sign; its last part
# stays. What follows a letter or a slash, as in val/acc and https://, is none.
_PATH: Final = re.compile(
    r"(?<![\w.~/\\:+-])(?:file://)?(?:~|(?=/))(?:/[^\s/:;,'\"<>()\[\]{}]+)*/([^\s/:;,'\"<>()\[\]{}]+)"
)


def without_folders(value: Any) -> Any:
    """Return a copy of nested plain values in which a path from the root is its last part alone.

    Examples
    --------
    >>> without_folders("no data.path=/home/ada/faces.zip, val/acc of https://host/a/b")
    'no data.path=…/faces.zip, val/acc of https://host/a/b'
    """
    if isinstance(value, dict):
        return {key: without_folders(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_folders(item) for item in value]
    return _PATH.sub(r"…/\1", value) if isinstance(value, str) and "/" in value else value


def shared(model: PageModel, *, faces: bool = True) -> PageModel:
    """Return a page that may leave this machine.

    Its provenance names no machine and no command, and nothing in it names a folder by its path from the root.

    Parameters
    ----------
    model
        Of the page for this machine.
    faces
        Whether it shows faces: the gallery, the saliency grids and the sheet of doubtful labels.
    """
    head = {key: value for key, value in model.head.items() if key != "label_parts"}
    parts = [
        {
            **without_folders({**part, "picture": None}),
            "picture": part["picture"] if _shows(part, faces) else None,
        }
        for part in model.head["label_parts"]
    ]
    head = without_folders(head) | {"label_parts": parts, "command": None, "steps": [], "shared": True}
    head["facts"] = [(name, text) for name, text in head["facts"] if name not in MACHINE]
    data = without_folders(model.data)
    data["runs"] = [{**run, "folder": None, "sheets": run["sheets"] if faces else {}} for run in data["runs"]]
    gallery = _without_folders(model.gallery) if faces and model.gallery is not None else None
    return PageModel(head, data, model.pictures if faces else {}, gallery)


def _shows(part: dict[str, Any], faces: bool) -> bool:
    return faces or part["title"] == "Calibration"


def _without_folders(gallery: Gallery) -> Gallery:
    info = dict(gallery.info)
    info["notes"] = without_folders(info["notes"])
    info["ids"] = _shortened(info["ids"])
    if info.get("nearest"):
        info["nearest"] = {**info["nearest"], "ids": _shortened(info["nearest"]["ids"])}
    return replace(gallery, info=info)


def _shortened(packed: str) -> str:
    lines = zlib.decompress(base64.b64decode(packed)).decode("utf-8").split("\n")
    return packed_lines(without_folders(lines))
