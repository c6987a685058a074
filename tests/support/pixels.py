"""Figures as pixels, for tests of what can be seen."""

from __future__ import annotations

import io

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image


def pixels(drawn: Axes | Figure, dpi: int = 100) -> np.ndarray:
    """The figure as a run writes it, int ``[H, W, 3]``."""
    buffer = io.BytesIO()
    figure = drawn if isinstance(drawn, Figure) else drawn.get_figure(root=True)
    assert isinstance(figure, Figure)
    figure.savefig(buffer, dpi=dpi)
    return np.asarray(Image.open(buffer).convert("RGB"), int)


def shade(share: float) -> np.ndarray:
    """The colour of a share on the project's scale, int ``[3]``."""
    return np.rint(np.array(colormaps["cividis"](share)[:3]) * 255).astype(int)


def border(picture: np.ndarray) -> np.ndarray:
    """The outermost pixels: white where nothing is cut off."""
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
