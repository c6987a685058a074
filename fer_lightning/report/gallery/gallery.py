"""The gallery as the page reads it: predictions, pictures and nearest faces within what a page may weigh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from fer_lightning.data.picture_arrays import Selection
from fer_lightning.messages import counted
from fer_lightning.redact import redact
from fer_lightning.report.gallery.face_table import FaceTable
from fer_lightning.report.gallery.packed import packed, packed_lines
from fer_lightning.report.gallery.shown_faces import ShownFaces
from fer_lightning.report.gallery.shown_slices import ShownSlices
from fer_lightning.report.gallery.sprite import Sprite, sprite

# In bytes, before base64 adds a third: a page of 50 runs on FER2013, each with its saliency grid, stays under 8 MB.
MOST_FACES: Final = 6000
PROBABILITIES: Final = 3_200_000
PICTURES: Final = 2_000_000
NEAREST_PICTURES: Final = 900_000
FACE_SIZE: Final = 48
NEAREST_SIZE: Final = 24


@dataclass(frozen=True)
class Gallery:
    """The gallery of a page.

    Attributes
    ----------
    info
        Plain values: counts, packed arrays, notes. Redacted.
    pictures
        ``faces`` and ``nearest``: ``data:`` addresses of the pictures in one; either may be missing.
    """

    info: dict[str, Any]
    pictures: dict[str, str]

    @property
    def count(self) -> int:
        """How many faces it shows."""
        return int(self.info["count"])


def sampled(table: FaceTable, most: int = MOST_FACES) -> tuple[FaceTable, str | None]:
    """Return every k-th face, so that there are ``most`` at most, and a note of it; all where there are no more."""
    step = -(-len(table) // most)
    if step <= 1:
        return table, None
    kept = table.only(np.arange(0, len(table), step))
    return kept, f"Shown are {len(kept):,} of {len(table):,} faces, one of each {step} in their order"


def gallery(
    table: FaceTable,
    arms: Mapping[str, Sequence[int]],
    shown: ShownFaces | None,
    notes: Sequence[str] = (),
    slices: ShownSlices | None = None,
) -> Gallery:
    """Pack a table of faces for the page.

    Parameters
    ----------
    table
        Of at most :data:`MOST_FACES` faces: see `sampled`.
    arms
        Which of the table's runs belong to each arm.
    shown
        The pictures; None where there are none.
    notes
        Sentences that stand above the gallery.
    slices
        Groups of its faces that can be asked for.
    """
    said = list(notes)
    values = _predictions(table, arms, said)
    pictures: dict[str, str] = {}
    of_faces = (
        None if shown is None else sprite(Selection(shown.faces.images, shown.rows), FACE_SIZE, PICTURES)
    )
    if of_faces is not None:
        pictures["faces"] = of_faces.address
    elif shown is not None:
        said.append(f"Without pictures: those of {counted(len(table), 'face')} do not fit into the page")
    if shown is not None and shown.nearest is None:
        said.append(
            "Without copies in training and nearest training faces: the runs do not all train on the same faces"
        )
    info = {
        "count": len(table),
        "classes": list(table.class_names),
        "runs": list(table.runs),
        "ids": packed_lines(redact(table.ids.tolist())),
        "labels": packed(table.labels),
        "predicted": packed(table.predicted),
        **values,
        "sprite": _layout(of_faces),
        "copies": None if shown is None or shown.copies is None else packed(shown.copies),
        "nearest": None if shown is None else _nearest(shown, pictures),
        "slices": None if slices is None else redact(slices.plain(table)),
    }
    return Gallery(redact({"notes": said}) | info, pictures)


def _predictions(table: FaceTable, arms: Mapping[str, Sequence[int]], notes: list[str]) -> dict[str, Any]:
    """Return all probabilities, or where they are too many those of the predicted classes and the means of arms."""
    if table.probabilities.size <= PROBABILITIES:
        return {"probabilities": packed(table.probabilities)}
    found: dict[str, Any] = {"confidence": packed(table.confidence)}
    said = (
        f"Of {counted(len(table.runs), 'run')} the page holds the class that each predicts and its probability, not "
        f"those of all {len(table.class_names)} classes"
    )
    if arms and len(arms) * len(table) * len(table.class_names) <= PROBABILITIES:
        means = [table.mean_probabilities(members) for members in arms.values()]
        found |= {"arms": list(arms), "means": packed(np.stack(means, axis=1))}
        said += "; these are kept as the mean of each arm"
    notes.append(said)
    return found


def _layout(found: Sprite | None) -> dict[str, int] | None:
    return None if found is None else {"size": found.size, "columns": found.columns}


def _nearest(shown: ShownFaces, pictures: dict[str, str]) -> dict[str, Any] | None:
    """Return which training faces are nearest, each once, and add their pictures."""
    if shown.nearest is None or shown.correlations is None or not shown.nearest.size:
        return None
    rows, places = np.unique(shown.nearest, return_inverse=True)
    drawn = sprite(Selection(shown.faces.images, rows), NEAREST_SIZE, NEAREST_PICTURES)
    if drawn is not None:
        pictures["nearest"] = drawn.address
    percent = np.floor(100 * np.clip(shown.correlations, 0, 1) + 1e-4)
    return {
        "each": shown.nearest.shape[1],
        "places": packed(places.reshape(shown.nearest.shape).astype(np.uint16)),
        "percent": packed(percent.astype(np.uint8)),
        "labels": packed(np.asarray(shown.faces.labels)[rows].astype(np.uint8)),
        "ids": packed_lines(redact(np.asarray(shown.faces.ids)[rows].tolist())),
        "sprite": _layout(drawn),
    }
