"""The page of one model's faces: its confusion matrix and the validation faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fer_lightning.redact import redact
from fer_lightning.report.gallery import ShownSlices, predictions_gallery
from fer_lightning.report.page.label_parts import with_pictures
from fer_lightning.report.page.render_page import OF_FACES, json_for_html, render_page
from fer_lightning.report.slice_cells import slice_sections
from fer_lightning.runs.confusion_counts import confusion
from fer_lightning.runs.files import write_text
from fer_lightning.runs.predictions import Predictions
from fer_lightning.runs.provenance import command_line
from fer_lightning.stats.slices import FaceSlices

if TYPE_CHECKING:
    from fer_lightning.data.chosen_faces import ChosenFaces

FACES_PAGE: Final = "faces.html"
SCRIPTS: Final = (
    "dom",
    "study",
    "later",
    "tooltip",
    "selection",
    *OF_FACES,
    "confusion",
    "compare",
    "faces_start",
)


def write_faces_page(
    predictions: Predictions,
    data: ChosenFaces,
    folder: Path,
    lines: Sequence[str] = (),
    slices: FaceSlices | None = None,
    reason: str | None = None,
) -> Path:
    """Write ``faces.html`` into a folder and return its path.

    Parameters
    ----------
    predictions : of a model, or of the average of several, on the validation faces of `data`
    data : that they are of
    folder : where the nearest training faces are kept, too
    lines : sentences below the title
    slices, reason : groups of faces in which the model fails; or why they were not looked for

    Raises
    ------
    DataError
        The predictions are not of the validation faces of the data.
    """
    found = confusion(predictions)
    run = {
        **dict.fromkeys(("arm", "seed", "fold", "reason", "folder", "note")),
        **{"number": 0, "name": "this model", "state": "complete", "stage": "plain"},
        **{"overrides": [], "curves": {}, "sheets": {}},
        **{"confusion": found.counts.tolist(), "classes": list(found.class_names)},
    }
    model = {
        **{"kind": "model", "columns": [], "runs": [run], "classes": list(found.class_names)},
        **{"config": {"common": [], "varying": []}, "cell_quantile": 0},
    }
    path = folder / FACES_PAGE
    text = render_page(
        "faces",
        SCRIPTS,
        predictions_gallery(
            predictions, data, folder, slices=None if slices is None else ShownSlices(slices)
        ),
        data=json_for_html(redact(model)),
        synthetic=data.faces.synthetic,
        title="What the model takes each face for",
        lines=redact(list(lines)),
        label_parts=with_pictures(redact([asdict(part) for part in slice_sections(slices, reason)]), folder),
        command=command_line(),
        matrix=True,
        back=None,
        pictures={},
    )
    write_text(path, text)
    return path
