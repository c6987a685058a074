"""The confusion matrix as a small picture that every run can afford: the cells of the figure, by Pillow."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from fer_lightning.plots.confusion import CellsData, confusion_data, readable_on
from fer_lightning.plots.lettering import PAPER, color_bar, colored, font, wrap, write_text
from fer_lightning.plots.style import SEQUENTIAL
from fer_lightning.runs.confusion_counts import Confusion

CELL = 56  # pixels
_EMPTY = (0xDD, 0xDD, 0xDD)
_MARGIN = 8


def confusion_sheet(matrix: Confusion, title: str = "Confusion matrix") -> Image.Image:
    """Draw a confusion matrix, coloured by the share of the true class on the scale 0–100 %.

    Parameters
    ----------
    matrix
        Rows are true classes.
    title
        What the matrix is of; it should say "synthetic" for drawn faces.
    """
    data = confusion_data(matrix)
    size = len(data.rows)
    note = f"accuracy {100 * matrix.accuracy:.1f} % of {int(matrix.counts.sum()):,} faces"
    if matrix.undecided:
        note += f"; {matrix.undecided:,} without a prediction left out"
    left = _MARGIN + math.ceil(max(font(12).getlength(name) for name in data.rows)) + 10
    slanted = max(font(12).getlength(name) for name in data.columns) > CELL - 4
    width = max(left + CELL * size + 62, 380)
    lines = [*wrap(title, 13, width - 2 * _MARGIN), *wrap(note, 12, width - 2 * _MARGIN)]
    top = _MARGIN + 18 * len(lines) + 24
    names = _names_height(data) if slanted else 20
    sheet = Image.new("RGB", (width, top + CELL * size + names + 26), PAPER)
    canvas = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        write_text(canvas, (_MARGIN, _MARGIN + 18 * number), line, 13 if number == 0 else 12)
    write_text(canvas, (_MARGIN, top - 18), "true class (faces)", 11)
    _cells(canvas, data, left, top)
    for index, name in enumerate(data.rows):
        write_text(canvas, (left - 8, top + CELL * (index + 0.5)), name, 12, anchor="rm")
    _columns(sheet, canvas, data, left, top + CELL * size, slanted)
    write_text(
        canvas, (left + CELL * size / 2, top + CELL * size + names + 4), "predicted class", 11, anchor="ma"
    )
    _scale(sheet, canvas, left + CELL * size + 14, top, CELL * size)
    return sheet


def _cells(canvas: ImageDraw.ImageDraw, data: CellsData, left: int, top: int) -> None:
    shades = colored(data.values, SEQUENTIAL, *data.limits)
    for i, j in np.ndindex(data.values.shape):
        empty = math.isnan(data.values[i, j])
        shade = _EMPTY if empty else tuple(int(part) for part in shades[i, j])
        x, y = left + CELL * j, top + CELL * i
        canvas.rectangle((x, y, x + CELL - 2, y + CELL - 2), fill=shade)
        ink = (0, 0, 0) if readable_on([part / 255 for part in shade]) == "black" else (255, 255, 255)
        middle = (x + CELL / 2 - 1, y + CELL / 2 - (8 if data.lower[i][j] else 0))
        write_text(canvas, middle, data.upper[i][j], 13, anchor="mm", color=ink, bold=bool(data.bold[i, j]))
        write_text(canvas, (middle[0], middle[1] + 17), data.lower[i][j], 10, anchor="mm", color=ink)


def _names_height(data: CellsData) -> int:
    return math.ceil(max(font(12).getlength(name) for name in data.columns) * 0.71) + 20


def _columns(
    sheet: Image.Image, canvas: ImageDraw.ImageDraw, data: CellsData, left: int, top: int, slanted: bool
) -> None:
    for index, name in enumerate(data.columns):
        middle = left + CELL * index + CELL / 2
        if not slanted:
            write_text(canvas, (middle, top + 4), name, 12, anchor="ma")
            continue
        label = Image.new("L", (math.ceil(font(12).getlength(name)) + 2, 16), 0)
        ImageDraw.Draw(label).text((1, 8), name, fill=255, font=font(12), anchor="lm")
        turned = label.rotate(45, expand=True, resample=Image.Resampling.BICUBIC)
        place = (int(middle - turned.width + 6), top + 2)
        sheet.paste(Image.new("RGB", turned.size, (34, 34, 34)), place, turned)


def _scale(sheet: Image.Image, canvas: ImageDraw.ImageDraw, left: int, top: int, height: int) -> None:
    sheet.paste(color_bar(SEQUENTIAL, height - 2, 10, "up"), (left, top))
    for share in (0, 50, 100):
        y = top + (height - 3) * (1 - share / 100)
        anchor = {0: "ls", 50: "lm", 100: "lt"}[share]
        write_text(canvas, (left + 14, y), f"{share} %", 10, anchor=anchor)
