"""The learning curves of one run by Pillow: every run has them, and a matplotlib figure costs a tenth of a second."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageColor, ImageDraw

from fer_lightning.plots.learning_curves import COLOURS, NAMES, history_data
from fer_lightning.plots.lettering import INK, PAPER, font, write_text

WIDTH, HEIGHT, HEAD = 450, 326, 34  # pixels of one panel, and of the line above both
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 14, 46
_FINER = 3  # lines are drawn larger by this and reduced, so that they are smooth
_GRID = (227, 227, 227)
Points = list[tuple[float, float]]


def ticks(low: float, high: float, *, integer: bool = False) -> list[float]:
    """Return round numbers that span ``low`` to ``high``; the first and the last are the ends of an axis."""
    if not high > low:
        low, high = low - 0.5, high + 0.5
    return [float(tick) for tick in MaxNLocator(6, integer=integer).tick_values(low, high)]


def labels_of(values: Sequence[float]) -> list[str]:
    """Return ticks as text, all with the decimals that the distance between them needs."""
    step = values[1] - values[0]
    decimals = next((n for n in range(9) if abs(step * 10**n - round(step * 10**n)) < 1e-6), 9)
    return [f"{value + 0.0:.{decimals}f}" for value in values]


def history_sheet(rows: Sequence[dict[str, float]], title: str = "") -> Image.Image:
    """Draw accuracy and loss of each epoch side by side, for training and validation.

    Parameters
    ----------
    rows
        One an epoch, as :func:`read_metrics` returns them.
    title
        Of the data; it should say "synthetic" for drawn faces.
    """
    sheet = Image.new("RGB", (2 * WIDTH, HEAD + HEIGHT), PAPER)
    canvas = ImageDraw.Draw(sheet)
    write_text(canvas, (_LEFT, HEAD / 2), title, 15, anchor="lm", width=2 * WIDTH - _LEFT - 170)
    for number, (split, color) in enumerate(COLOURS.items()):
        x = 2 * WIDTH - _RIGHT - 140 + 80 * number
        canvas.line((x, HEAD / 2, x + 22, HEAD / 2), fill=color, width=2)
        canvas.ellipse((x + 8, HEAD / 2 - 3, x + 14, HEAD / 2 + 3), fill=color)
        write_text(canvas, (x + 28, HEAD / 2), split, 13, anchor="lm")
    for number, metric in enumerate(("acc", "loss")):
        sheet.paste(_panel(rows, metric), (WIDTH * number, HEAD))
    return sheet


def _panel(rows: Sequence[dict[str, float]], metric: str) -> Image.Image:
    data = history_data(rows, metric)
    curves = {split: _finite(*points) for split, points in data.items()}
    xs = [x for epochs, _ in data.values() for x in epochs] or [1.0]
    ys = [y for points in curves.values() for _, y in points] or [0.0]
    across = [tick for tick in ticks(min(xs), max(xs), integer=True) if min(xs) <= tick <= max(xs)]
    up = ticks(min(ys), max(ys))
    spread = max(max(xs) - min(xs), 1.0) * 0.04
    place = _Place(min(xs) - spread, max(xs) + spread, up[0], up[-1])
    drawn = Image.new("RGB", (WIDTH * _FINER, HEIGHT * _FINER), PAPER)
    _lines(ImageDraw.Draw(drawn), place, across, up, curves)
    panel = drawn.reduce(_FINER)
    canvas = ImageDraw.Draw(panel)
    for tick, text in zip(across, labels_of(across) if len(across) > 1 else ["1"], strict=False):
        write_text(canvas, (place.x(tick), HEIGHT - _BOTTOM + 6), text, 12, anchor="ma")
    for tick, text in zip(up, labels_of(up), strict=True):
        write_text(canvas, (_LEFT - 6, place.y(tick)), text, 12, anchor="rm")
    write_text(canvas, ((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 20), "epoch", 13, anchor="ma")
    _name_upwards(panel, NAMES.get(metric, metric))
    return panel


class _Place:
    """From values to pixels of a panel."""

    def __init__(self, left: float, right: float, low: float, high: float) -> None:
        self.left, self.right, self.low, self.high = left, right, low, high

    def x(self, value: float) -> float:
        return _LEFT + (value - self.left) / (self.right - self.left) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - _TOP - _BOTTOM)


def _finite(xs: Sequence[float], ys: Sequence[float]) -> Points:
    return [(x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(y)]


def _lines(
    canvas: ImageDraw.ImageDraw,
    place: _Place,
    across: Sequence[float],
    up: Sequence[float],
    curves: Mapping[str, Points],
) -> None:
    """Draw grid, axes and curves, all in the finer pixels."""
    ends = (_LEFT, WIDTH - _RIGHT, HEIGHT - _BOTTOM, _TOP)
    left, right, bottom, top = (_FINER * end for end in ends)
    for tick in across:
        x = _FINER * place.x(tick)
        canvas.line((x, top, x, bottom), fill=_GRID, width=2)
        canvas.line((x, bottom, x, bottom + 4 * _FINER), fill=INK, width=_FINER)
    for tick in up:
        y = _FINER * place.y(tick)
        canvas.line((left, y, right, y), fill=_GRID, width=2)
        canvas.line((left - 4 * _FINER, y, left, y), fill=INK, width=_FINER)
    canvas.line((left, top, left, bottom), fill=INK, width=_FINER)
    canvas.line((left, bottom, right, bottom), fill=INK, width=_FINER)
    for split, points in curves.items():
        color = ImageColor.getrgb(COLOURS[split])
        pixels = [(_FINER * place.x(x), _FINER * place.y(y)) for x, y in points]
        if len(pixels) > 1:
            canvas.line(pixels, fill=color, width=2 * _FINER, joint="curve")
        for x, y in pixels:
            size = 2.5 * _FINER
            canvas.ellipse((x - size, y - size, x + size, y + size), fill=color)


def _name_upwards(panel: Image.Image, name: str) -> None:
    label = Image.new("L", (math.ceil(font(13).getlength(name)) + 2, 18), 0)
    ImageDraw.Draw(label).text((1, 9), name, fill=255, font=font(13), anchor="lm")
    turned = label.transpose(Image.Transpose.ROTATE_90)
    place = (2, (_TOP + HEIGHT - _BOTTOM - turned.height) // 2)
    panel.paste(Image.new("RGB", turned.size, INK), place, turned)
