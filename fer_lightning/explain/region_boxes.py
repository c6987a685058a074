"""Regions of a face as boxes, and boxes of the same size elsewhere as their control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fer_lightning.config.values import Count, checked
from fer_lightning.errors import ConfigError

SIZE = 48
# Read off the mean faces of FER2013. Half the faces match the mean eye window, so they are for averages.
BOXES: dict[str, list[list[int]]] = {
    "forehead": [[0, 9, 6, 42]],
    "brows": [[9, 15, 6, 22], [9, 15, 26, 42]],
    "eyes": [[15, 22, 6, 22], [15, 22, 26, 42]],
    "nose": [[22, 32, 17, 31]],
    "cheeks": [[22, 32, 5, 17], [22, 32, 31, 43]],
    "mouth": [[32, 46, 12, 36]],
}
_ATTEMPTS = 2000


class Regions:
    """Named regions of a face.

    Parameters
    ----------
    boxes
        For each region its boxes ``[top, bottom, left, right]`` in pixels, half-open.
    size
        Side of the square picture that the boxes are given for.

    Raises
    ------
    ConfigError
        A box is empty or reaches beyond the picture; the message names it.
    """

    @checked("regions.")
    def __init__(
        self, boxes: Mapping[str, Sequence[Sequence[int]]] | None = None, size: Count = SIZE
    ) -> None:
        self.size = size
        self.boxes = {
            str(name): [tuple(map(int, box)) for box in each] for name, each in (boxes or BOXES).items()
        }
        for name, each in self.boxes.items():
            if not each:
                raise ConfigError(f"regions.boxes.{name}: expected at least one box")
            for box in each:
                if len(box) != 4 or not (0 <= box[0] < box[1] <= size and 0 <= box[2] < box[3] <= size):
                    raise ConfigError(
                        f"regions.boxes.{name}={list(box)}: expected [top, bottom, left, right] within {size} pixels"
                    )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the regions."""
        return tuple(self.boxes)

    def scaled(self, name: str, height: int, width: int) -> list[tuple[int, int, int, int]]:
        """Return a region's boxes in a picture of ``height`` × ``width``, each at least one pixel."""
        found = []
        for top, bottom, left, right in self.boxes[name]:
            low, start = round(top * height / self.size), round(left * width / self.size)
            high, end = round(bottom * height / self.size), round(right * width / self.size)
            low, start = min(low, height - 1), min(start, width - 1)
            found.append((low, max(high, low + 1), start, max(end, start + 1)))
        return found

    def mask(self, name: str, height: int, width: int) -> np.ndarray:
        """Return where the region is, bool ``[height, width]``."""
        return _painted(self.scaled(name, height, width), height, width)

    def elsewhere(self, name: str, height: int, width: int, count: int, seed: int = 0) -> np.ndarray:
        """Return masks of the same boxes at random places outside the region, bool ``[count, height, width]``.

        A region of several boxes keeps their sizes; they are placed one by one and do not overlap.

        Raises
        ------
        ConfigError
            The region is so large that there is no such place.
        """
        boxes, region = self.scaled(name, height, width), self.mask(name, height, width)
        area = sum((bottom - top) * (right - left) for top, bottom, left, right in boxes)
        rng = np.random.default_rng([seed, self.names.index(name)])
        masks: list[np.ndarray] = []
        for _ in range(_ATTEMPTS * count):
            if len(masks) == count:
                break
            placed = []
            for top, bottom, left, right in boxes:
                row = int(rng.integers(0, height - (bottom - top) + 1))
                column = int(rng.integers(0, width - (right - left) + 1))
                placed.append((row, row + bottom - top, column, column + right - left))
            mask = _painted(placed, height, width)
            if mask.sum() == area and not (mask & region).any():
                masks.append(mask)
        if len(masks) < count:
            raise ConfigError(
                f"regions.boxes.{name}: no room for boxes of the same size elsewhere; expected smaller boxes"
            )
        return np.stack(masks)


def _painted(boxes: Sequence[tuple[int, int, int, int]], height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = True
    return mask
