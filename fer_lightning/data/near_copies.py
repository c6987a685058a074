"""Near copies: the same photograph with another mark on it, shifted by a pixel or two, or lit otherwise."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fer_lightning.data.picture_arrays import LUMA, Images, as_tensor

NEAR: Final = 0.9
"""Correlation from which two faces count as one photograph.

On FER2013, pairs of a test face and its nearest training face were looked at, nine of each band: from 0.900 to 0.905
and from 0.930 to 0.940 seventeen of eighteen showed one photograph, from 0.840 to 0.844 and from 0.860 to 0.864 three.
"""
NEAR_SIZE: Final = 48
"""Pixels of the faces that are compared, FER2013's own: NEAR is known there, and smaller faces correlate more."""
CHUNK: Final = 512
KNOWN: Final = 8192
"""Grey images of the set that are compared with at a time, a third as many in colour: 75 MB, 17 MB of correlations."""
_LEAST: Final = 1e-3


def nearest_correlation(images: Images, among: Images) -> np.ndarray:
    """Return for each image the largest correlation of its pixels with those of an image in a set: float32 [N].

    Grey images correlate by their levels. Images in colour correlate by the levels of all channels, once with the mean
    of each channel removed and once with the mean over the channels, and the smaller of the two counts: the first asks
    whether the structure is the same, the second whether the colour is. Where one image of a pair is grey, the two are
    compared by luma.

    Parameters
    ----------
    images
        uint8 [N, H, W] or [N, H, W, 3], possibly memory-mapped: some are looked at at a time.
    among
        The set, of the same form. Images are compared as they are and mirrored. A blank image correlates with none: its
        value is 0.
    """
    nearest = np.full(len(images), -1 if len(among) else 0, np.float32)
    at_a_time = KNOWN // (3 if len(images.shape) == 4 else 1)
    for first in range(0, len(among), at_a_time):
        known = CentredImages.of(among[first : first + at_a_time])
        for start in range(0, len(images), CHUNK):
            part = images[start : start + CHUNK]
            found = [CentredImages.of(side).correlation(known).amax(1) for side in (part, part[:, :, ::-1])]
            so_far = nearest[start : start + CHUNK]
            np.maximum(so_far, torch.maximum(*found).numpy(), out=so_far)
    return nearest


def has_near_copy(images: Images, among: Images, least: float = NEAR) -> np.ndarray:
    """Say which images correlate with some image of a set by ``least`` or more: bool [N]; see NEAR.

    The form of the images: see `nearest_correlation`.
    """
    return nearest_correlation(images, among) >= least


@dataclass(frozen=True)
class CentredImages:
    """Images of which each channel's mean is removed.

    Attributes
    ----------
    shape
        float32 [N, C·H·W], of length 1, so that a product is a correlation.
    length
        float32 [N, 1]: the length that `shape` had.
    cast
        float32 [N, C]: how far each channel's mean lies from the mean over the channels, times the root of H·W.
    levels
        float32 [N, C, H·W], as they were.
    grey
        bool [N]: whether the channels are equal.
    """

    shape: Tensor
    length: Tensor
    cast: Tensor
    levels: Tensor
    grey: Tensor

    @classmethod
    def of(cls, images: np.ndarray) -> CentredImages:
        """Centre uint8 images [N, H, W] or [N, H, W, 3]."""
        levels = as_tensor(np.ascontiguousarray(images)).flatten(2)
        grey = (levels == levels[:, :1]).flatten(1).all(1)
        levels = levels.float()
        means = levels.mean(2, keepdim=True)
        centred = (levels - means).flatten(1)
        cast = (means - means.mean(1, keepdim=True)).squeeze(2) * levels.shape[2] ** 0.5
        return cls(F.normalize(centred, dim=1, eps=_LEAST), centred.norm(dim=1), cast, levels, grey)

    def __getitem__(self, rows: Tensor | slice) -> CentredImages:
        """Return some of the images."""
        return CentredImages(*(getattr(self, each.name)[rows] for each in fields(self)))

    def correlation(self, other: CentredImages) -> Tensor:
        """Return the correlation of each image with each of another set: float32 [N, M]."""
        found = self.shape @ other.shape.T
        if self.levels.shape[1] == 1:
            return found
        lengths = [
            torch.hypot(each.length, each.cast.norm(dim=1)).clamp_min(_LEAST) for each in (self, other)
        ]
        together = found * torch.outer(self.length, other.length) + self.cast @ other.cast.T
        in_colour = torch.minimum(found, together / torch.outer(*lengths))
        if not (self.grey.any() or other.grey.any()):
            return in_colour
        either = self.grey[:, None] | other.grey[None, :]
        return torch.where(either, self.luma() @ other.luma().T, in_colour)

    def luma(self) -> Tensor:
        """Return the luma of each image, of mean 0 and length 1: float32 [N, H·W]."""
        luma = torch.einsum("ncp,c->np", self.levels, torch.tensor(LUMA))
        return F.normalize(luma - luma.mean(1, keepdim=True), dim=1, eps=_LEAST)
