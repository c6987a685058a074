"""The images a network takes for each class most surely: a column a class, a row a seed and kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from fer_lightning.explain.class_image_ascent import ClassImages
from fer_lightning.plots.contact_sheet import tile
from fer_lightning.plots.show_pictures import show_picture
from fer_lightning.plots.style import figure_style, new_axes

INCHES = 1.0
LABEL_INCHES = 1.75


def row_labels(found: ClassImages) -> list[str]:
    """Return what stands beside each seed's row."""
    kind = "regularised" if found.regularised else "unregularised"
    start = "guided: from each\nclass's mean face" if found.guided else "from noise"
    return [f"{kind}\n{start}\nseed {seed}" for seed in found.seeds]


def logit_texts(found: ClassImages, face_logits: np.ndarray | None = None) -> list[str]:
    """Return what stands above each image, seed by seed: the logit it reaches and its probability.

    One that reaches less than the largest logit of an image, float ``[C]``, is marked.
    """
    least = np.full(found.logits.shape[1], -np.inf) if face_logits is None else face_logits
    return [
        f"{logit:.1f} ({_percent(probability)})" + (" < images" if logit < least[column] else "")
        for row in range(len(found.logits))
        for column, (logit, probability) in enumerate(
            zip(found.logits[row], found.probabilities[row], strict=True)
        )
    ]


def _percent(probability: float) -> str:
    if probability >= 0.9995:
        return ">99.9 %"
    return f"{100 * probability:.1f} %"


def class_image_sheet(
    kinds: Sequence[ClassImages],
    class_names: Sequence[str],
    face_logits: np.ndarray | None = None,
    ax: Axes | None = None,
    *,
    synthetic: bool = False,
) -> Axes:
    """Draw class images of one or more kinds below one another, all from black to white.

    Parameters
    ----------
    kinds
        From `class_images`, such as unregularised, regularised and guided ones.
    class_names
        The columns.
    face_logits
        float ``[C]``: the largest logit that a face of the data reaches for each class, or None.
    ax
        Where to draw; by default a new figure that fits the sheet.
    synthetic
        Say that the model's faces were drawn by a program.

    Raises
    ------
    ValueError
        There is nothing to draw, or the number of classes differs.
    """
    classes = len(class_names)
    if not kinds or any(each.images.shape[1] != classes for each in kinds):
        raise ValueError(f"class images: expected at least one kind, with {classes} classes each")
    images = np.concatenate([each.images.reshape(-1, *each.images.shape[2:]) for each in kinds])
    height, width = images.shape[1:3]
    sheet, corners = tile(images, classes, max(6, round(width * 0.17)))
    head = round(width * (0.42 if face_logits is not None else 0.22))
    with figure_style():
        scale = INCHES / width
        label = LABEL_INCHES / scale
        if ax is None:
            ax = new_axes(sheet.shape[1] * scale + LABEL_INCHES, (sheet.shape[0] + head) * scale + 0.6)
        show_picture(ax, sheet)
        ax.set_axis_off()
        ax.set_anchor("W")
        ax.set_xlim(-label, sheet.shape[1])
        ax.set_ylim(sheet.shape[0] + 1, -head)
        kind = " (a model of synthetic faces)" if synthetic else ""
        ax.set_title(
            f"Images made to maximise each class{kind}\n"
            "above each: the logit it reaches and its probability; above a column: the largest logit of an image",
            fontsize=10,
        )
        for column, name in enumerate(class_names):
            text = name if face_logits is None else f"{name}\nimages up to {face_logits[column]:.1f}"
            ax.text(column * (width + 2) + width / 2, -2, text, ha="center", va="bottom", fontsize=7.5)
        for text, (top, left) in zip(
            [text for each in kinds for text in logit_texts(each, face_logits)], corners, strict=True
        ):
            ax.text(left + width / 2, top - 1.0, text, ha="center", va="bottom", fontsize=7)
        rows = [text for each in kinds for text in row_labels(each)]
        for text, (top, _) in zip(rows, corners[::classes], strict=True):
            ax.text(-label * 0.99, top + height / 2, text, va="center", fontsize=8)
    return ax
