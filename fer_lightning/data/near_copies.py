"""Near copies: the same photograph with another mark on it, shifted by a pixel or two, or lit otherwise."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fer_lightning.data.picture_arrays import Images

NEAR: Final = 0.9
"""Correlation from which two faces count as one photograph.

On FER2013, pairs of a test face and its nearest training face were looked at, nine of each band: from 0.900 to 0.905
and from 0.930 to 0.940 seventeen of eighteen showed one photograph, from 0.840 to 0.844 and from 0.860 to 0.864 three.
"""
NEAR_SIZE: Final = 48
"""Pixels of the faces that are compared, FER2013's own: NEAR is known there, and smaller faces correlate more."""
CHUNK: Final = 512
KNOWN: Final = 8192
"""Faces of the set that are compared with at a time: 75 MB, and 17 MB of correlations."""


def nearest_correlation(images: Images, among: Images) -> np.ndarray:
    """Return for each face the largest correlation of its pixels with those of a face in a set: float32 [N].

    Parameters
    ----------
    images
        Grey, uint8 [N, H, W], possibly memory-mapped: some are looked at at a time.
    among
        uint8 [M, H, W]: the set, as well. Faces are compared as they are and mirrored. A blank face correlates with
        none: its value is 0.
    """
    nearest = np.full(len(images), -1 if len(among) else 0, np.float32)
    for first in range(0, len(among), KNOWN):
        known = standardized(among[first : first + KNOWN])
        for start in range(0, len(images), CHUNK):
            part = images[start : start + CHUNK]
            found = [(standardized(side) @ known.T).amax(1) for side in (part, part[:, :, ::-1])]
            so_far = nearest[start : start + CHUNK]
            np.maximum(so_far, torch.maximum(*found).numpy(), out=so_far)
    return nearest


def has_near_copy(images: Images, among: Images, least: float = NEAR) -> np.ndarray:
    """Say which faces correlate with some face of a set by ``least`` or more: bool [N]; see NEAR.

    ``images`` are uint8 [N, H, W], ``among`` uint8 [M, H, W].
    """
    return nearest_correlation(images, among) >= least


def standardized(images: np.ndarray) -> Tensor:
    """Bring each image to mean 0 and length 1, so that a product is a correlation: float32 [N, H·W]."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).flatten(1).float()
    return F.normalize(pixels - pixels.mean(1, keepdim=True), dim=1, eps=1e-3)
