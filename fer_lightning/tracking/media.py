"""Pictures and tables as W&B takes them: cheap ones, checked before they are handed over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

Picture: TypeAlias = Image.Image | np.ndarray | Path
Table: TypeAlias = tuple[Sequence[str], Sequence[Sequence[Any]]]


def as_image(picture: Picture) -> Image.Image | Path:
    """Return a picture as W&B logs it soonest: as the file that it is copied from, or as a PIL image.

    To encode a sheet again takes W&B 14 ms, a matplotlib figure 254 ms.

    Parameters
    ----------
    picture
        A PNG file, a PIL image, or an array ``[H, W]`` (grey) or ``[H, W, 3]`` (RGB): uint8, or float within [0, 1].

    Raises
    ------
    ValueError
        The array has another shape, another type, or values outside its range.
    """
    if isinstance(picture, (Image.Image, Path)):
        return picture
    if picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] != 3) or 0 in picture.shape:
        raise ValueError(f"picture of shape {picture.shape}: expected [H, W] or [H, W, 3]")
    if np.issubdtype(picture.dtype, np.floating):
        low, high = float(picture.min()), float(picture.max())
        if not (low >= 0.0 and high <= 1.0):
            raise ValueError(
                f"picture with values from {low:.4g} to {high:.4g}: expected floats within [0, 1]"
            )
        picture = np.rint(picture * 255.0).astype(np.uint8)
    if picture.dtype != np.uint8:
        raise ValueError(f"picture of {picture.dtype}: expected uint8, or floats within [0, 1]")
    return Image.fromarray(np.ascontiguousarray(picture))


def as_pil(picture: Picture) -> Image.Image:
    """Return a picture as a PIL image; see `as_image`."""
    known = as_image(picture)
    if isinstance(known, Image.Image):
        return known
    with Image.open(known) as image:
        image.load()
        return image


def as_wandb(images: Mapping[str, Picture], tables: Mapping[str, Table], run: Any) -> dict[str, Any]:
    """Return pictures and tables as ``wandb.Image`` and ``wandb.Table``.

    A table's cells are plain values: a picture in a cell would be staged as an artifact of its own. The table itself
    is made a file of ``run``, a ``wandb.Run``, here. W&B would make an artifact of it as well, and write into the
    run's log where on this machine that lies: the log could not be moved, and would tell of the home directory.
    """
    import wandb

    values: dict[str, Any] = {}
    for key, picture in images.items():
        known = as_image(picture)
        values[key] = wandb.Image(str(known) if isinstance(known, Path) else known)
    for key, (columns, rows) in tables.items():
        values[key] = wandb.Table(
            columns=list(columns), data=[[_cell(value) for value in row] for row in rows]
        )
        values[key].bind_to_run(run, key, run.step)
    return values


def _cell(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def confusion_table(counts: np.ndarray, class_names: Sequence[str]) -> Table:
    """Return a confusion matrix as a table with a row a cell.

    Parameters
    ----------
    counts
        int ``[C, C]``; rows are true classes.
    class_names
        The C names.

    Raises
    ------
    ValueError
        The matrix is not square, or not of as many classes as there are names.
    """
    if counts.shape != (len(class_names), len(class_names)):
        raise ValueError(
            f"counts of shape {counts.shape} for {len(class_names)} classes: expected one row each"
        )
    cells: Iterable[Sequence[Any]] = (
        (true, predicted, int(counts[row, column]))
        for row, true in enumerate(class_names)
        for column, predicted in enumerate(class_names)
    )
    return ("true", "predicted", "faces"), list(cells)
