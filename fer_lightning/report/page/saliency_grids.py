"""Saliency grids small enough to lie inside the page."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

# One picture at most, and all of them together: base64 adds a third, and 500 runs are to stay under 40 MB.
LARGEST = 40_000
TOTAL = 20_000_000
WIDTH = 900


def picture_budget(n_pictures: int) -> int:
    """Bytes that one of so many pictures may take before it is written as text."""
    return min(LARGEST, TOTAL // max(n_pictures, 1))


def embedded(path: Path, budget: int = LARGEST) -> tuple[str, int, int] | None:
    """A picture as a ``data:`` address of at most `budget` bytes, its width and its height.

    WebP of falling quality, then of falling size, until it fits; None where the file is no picture or does
    not fit at 64 pixels.
    """
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    image.thumbnail((WIDTH, 4 * WIDTH))
    while image.width >= 64:
        for quality in (85, 70, 50):
            buffer = io.BytesIO()
            image.save(buffer, "WEBP", quality=quality, method=2)
            if buffer.tell() <= budget:
                text = base64.b64encode(buffer.getvalue()).decode("ascii")
                return f"data:image/webp;base64,{text}", image.width, image.height
        image = image.resize((int(image.width * 0.75), int(image.height * 0.75)))
    return None
