"""Normalizations: from levels (0 to 255) to the numbers a network sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fer_lightning.config.values import Positive, Share, checked
from fer_lightning.data.picture_arrays import Images
from fer_lightning.errors import ConfigError, DataError

GREY_MAX = 255.0
COLOURS = ("red", "green", "blue")
BLANK_DEVIATION = 1.0  # grey levels; a face that varies less than this holds rounding noise, no picture


class Normalization(nn.Module):
    """What every normalization is: a module that maps levels to network input.

    ``forward`` takes uint8 or floating images [B, C, H, W] in levels 0 to 255 and returns float32 of the same shape;
    C is 1 for grey and 3 for colour.
    """

    def fit(self, images: Images) -> None:
        """Take what is needed from the training faces, uint8 [N, H, W] or [N, H, W, 3]; by default nothing is."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the network input, float32 [B, C, H, W]."""
        raise NotImplementedError


class GreyLevels(Normalization):
    """No scaling: 0 to 255 as they are; deep networks get stuck on it."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the grey levels themselves as float32."""
        return images.float()


class Unit(Normalization):
    """Scale to [0, 1]."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the grey levels divided by 255."""
        return images.float() / GREY_MAX


class Symmetric(Normalization):
    """Scale to [-1, 1]."""

    def forward(self, images: Tensor) -> Tensor:
        """Return black as -1 and white as 1."""
        return images.float() / (GREY_MAX / 2) - 1.0


class Standard(Normalization):
    """Subtract the training set's mean and divide by its deviation, both over all pixels, of colours for each channel.

    ``mean`` and ``std`` are buffers on the [0, 1] scale, so that a checkpoint holds them: one number each for grey
    faces, [3] for colour. FER2013's training faces give 0.5077 and 0.2551.

    Raises
    ------
    ConfigError
        When it is used before ``fit`` or before a state is loaded.
    DataError
        When the faces given to ``fit`` are no uint8 images, or all pixels are equal.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(math.nan))
        self.register_buffer("std", torch.tensor(math.nan))
        self._known = False

    def fit(self, images: Images) -> None:
        """Take mean and deviation of all pixels of ``images``, uint8 [N, H, W] or [N, H, W, 3]."""
        for name, values in zip(("mean", "std"), moments(images), strict=True):
            setattr(self, name, torch.tensor(values / GREY_MAX, dtype=torch.float32, device=self.mean.device))
        self._known = False

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        """Take as many numbers as the checkpoint has: one of grey faces, three of colour."""
        for name in ("mean", "std"):
            if f"{prefix}{name}" in state_dict:
                stored = state_dict[f"{prefix}{name}"]
                setattr(self, name, torch.full_like(stored, math.nan, device=self.mean.device))
        super()._load_from_state_dict(state_dict, prefix, *others)

    def forward(self, images: Tensor) -> Tensor:
        """Return (images / 255 - mean) / std."""
        # Reading a buffer waits for the device, so it is read once and not for each batch.
        if not self._known:
            if not torch.isfinite(self.mean + self.std).all():
                raise ConfigError(
                    "normalization=standard has no mean and deviation yet: "
                    "expected fit() on the training faces or a checkpoint that holds them"
                )
            self._known = True
        mean, std = ((values * GREY_MAX).view(-1, 1, 1) for values in (self.mean, self.std))
        return (images.float() - mean) / std


class PerImage(Normalization):
    """Subtract each face's own mean and divide by its own deviation, of colours for each channel.

    The deviation is taken to be at least one grey level, so that a blank image becomes zeros and not NaN.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Return every face with mean 0 and deviation 1 in each channel; blank ones as zeros."""
        levels = images.float()
        centred = levels - levels.mean(dim=(2, 3), keepdim=True)
        deviation = centred.square().mean(dim=(2, 3), keepdim=True).sqrt()
        return centred / deviation.clamp_min(BLANK_DEVIATION)


class Fixed(Normalization):
    """Subtract a given mean and divide by a given deviation, such as those of another data set.

    Parameters
    ----------
    mean, std
        On the scale [0, 1], one for each channel; for images of another number of channels their average counts.
    """

    mean: Tensor
    std: Tensor

    @checked("normalization.")
    def __init__(self, mean: Sequence[Share], std: Sequence[Positive]) -> None:
        super().__init__()
        if not len(mean) or len(mean) != len(std):
            raise ConfigError(f"normalization.std={list(std)}: expected one for each mean, {list(mean)}")
        self.register_buffer("mean", torch.tensor(list(mean)).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(list(std)).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return (images / 255 - mean) / std."""
        mean, std = self.mean, self.std
        if images.shape[1] != len(mean):
            mean, std = mean.mean(), std.mean()
        return (images.float() / GREY_MAX - mean) / std


def moments(images: Images, *, block: int = 1024) -> tuple[np.ndarray, np.ndarray]:
    """Mean and population deviation of all pixels, in levels, of colours for each channel.

    Parameters
    ----------
    images
        uint8 [N, H, W] or [N, H, W, 3], possibly memory-mapped: 256 counts of each channel are kept, and ``block``
        images at a time are read.
    block
        Images counted at a time.

    Returns
    -------
    tuple
        float64 arrays of shape () for grey and [3] for colour.

    Raises
    ------
    DataError
        When the images are not uint8, there are none, or all pixels of a channel are equal.
    """
    if images.dtype != np.uint8 or 0 in images.shape:
        raise DataError(
            f"normalization=standard was fitted on {images.dtype} of shape {images.shape}: "
            "expected uint8 faces [N, H, W] or [N, H, W, 3]"
        )
    channels = images.shape[3:]
    counts = np.zeros((math.prod(channels), 256), dtype=np.int64)
    for start in range(0, len(images), block):
        pixels = images[start : start + block].reshape(-1, len(counts))
        counts += [np.bincount(pixels[:, channel], minlength=256) for channel in range(len(counts))]
    levels, total = np.arange(256), counts.sum(axis=1)
    mean = (counts * levels).sum(axis=1) / total
    variance = (counts * (levels - mean[:, None]) ** 2).sum(axis=1) / total
    if (variance == 0).any():
        blank = int((variance == 0).argmax())
        raise DataError(
            f"normalization=standard was fitted on faces whose every {COLOURS[blank] if channels else 'pixel'} is "
            f"{mean[blank]:.0f}: expected some contrast"
        )
    return mean.reshape(channels), np.sqrt(variance).reshape(channels)
