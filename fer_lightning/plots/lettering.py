"""Text on pictures without matplotlib: a figure costs a quarter of a second, which every run would pay."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK = (34, 34, 34)
PAPER = (255, 255, 255)


@lru_cache(maxsize=16)
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return the figures' own font in ``size`` pixels."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / name, size)


def write_text(
    canvas: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int = 12,
    *,
    anchor: str = "la",
    color: tuple[int, int, int] = INK,
    bold: bool = False,
    width: float | None = None,
) -> None:
    """Write one line at a point; ``anchor`` as in Pillow. What is wider than ``width`` pixels ends in an ellipsis."""
    kind = font(size, bold)
    if width is not None and kind.getlength(text) > width:
        while text and kind.getlength(text + "…") > width:
            text = text[:-1]
        text = text.rstrip() + "…"
    canvas.text(at, text, fill=color, font=kind, anchor=anchor)


def wrap(text: str, size: int, width: float) -> list[str]:
    """Break ``text`` between words into lines of at most ``width`` pixels; line breaks of its own stay."""
    lines: list[str] = []
    for part in text.split("\n"):
        line = ""
        for word in part.split():
            longer = f"{line} {word}".strip()
            if line and font(size).getlength(longer) > width:
                lines.append(line)
                line = word
            else:
                line = longer
        lines.append(line)
    return lines


def colored(values: np.ndarray, colormap: str, low: float, high: float) -> np.ndarray:
    """Return the colours of ``values``, uint8 ``[..., 3]``; outside ``low`` to ``high`` the scale's ends."""
    span = max(high - low, 1e-12)
    places = np.clip((np.asarray(values, np.float64) - low) / span, 0.0, 1.0)
    table = mpl.colormaps[colormap](np.linspace(0.0, 1.0, 256))[:, :3]
    return np.asarray(np.rint(table[np.rint(np.nan_to_num(places) * 255).astype(int)] * 255).astype(np.uint8))


def color_bar(
    colormap: str, length: int, thickness: int, direction: Literal["right", "up"] = "right"
) -> Image.Image:
    """Return a bar that runs through a colour scale from low to high, left to right or bottom to top."""
    ramp = colored(np.linspace(0.0, 1.0, length), colormap, 0.0, 1.0)
    if direction == "up":
        return Image.fromarray(np.repeat(ramp[::-1, None], thickness, axis=1))
    return Image.fromarray(np.repeat(ramp[None], thickness, axis=0))
