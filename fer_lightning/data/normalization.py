"""Normalizations: from grey levels (0 to 255) to the numbers a network sees."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from fer_lightning.config.values import Positive, Share, checked
from fer_lightning.errors import ConfigError, DataError

GREY_MAX = 255.0
BLANK_DEVIATION = 1.0  # grey levels; a face that varies less than this holds rounding noise, no picture


class Normalization(nn.Module):
    """What every normalization is: a module that maps grey levels to network input.

    ``forward`` takes uint8 or floating images [B, 1, H, W] in grey levels 0 to 255 and returns float32 of the
    same shape.
    """

    def fit(self, images: np.ndarray) -> None:
        """Take what is needed from the training faces, uint8 [N, H, W]; by default nothing is."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the network input, float32 [B, 1, H, W]."""
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
    """Subtract the training set's mean and divide by its deviation, both over all pixels.

    ``mean`` and ``std`` are buffers on the [0, 1] scale, so that a checkpoint holds them. FER2013's training
    faces give 0.5077 and 0.2551.

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

    def fit(self, images: np.ndarray) -> None:
        """Take mean and deviation of all pixels of ``images``, uint8 [N, H, W]."""
        mean, std = grey_moments(images)
        self.mean.fill_(mean / GREY_MAX)
        self.std.fill_(std / GREY_MAX)

    def forward(self, images: Tensor) -> Tensor:
        """Return (images / 255 - mean) / std."""
        # Reading a buffer waits for the device, so it is read once and not for each batch.
        if not self._known:
            if not torch.isfinite(self.mean + self.std).item():
                raise ConfigError(
                    "normalization=standard has no mean and deviation yet: "
                    "expected fit() on the training faces or a checkpoint that holds them"
                )
            self._known = True
        return (images.float() - self.mean * GREY_MAX) / (self.std * GREY_MAX)


class PerImage(Normalization):
    """Subtract each face's own mean and divide by its own deviation.

    The deviation is taken to be at least one grey level, so that a blank image becomes zeros and not NaN.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Return every face with mean 0 and deviation 1; blank ones as zeros."""
        levels = images.float()
        centred = levels - levels.mean(dim=(1, 2, 3), keepdim=True)
        deviation = centred.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
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


def grey_moments(images: np.ndarray, *, block: int = 1024) -> tuple[float, float]:
    """Mean and population deviation of all pixels, in grey levels.

    Parameters
    ----------
    images
        uint8 [N, H, W], possibly memory-mapped: 256 counts are kept, and ``block`` images at a time are read.
    block
        Images counted at a time.

    Raises
    ------
    DataError
        When the images are not uint8, there are none, or all their pixels are equal.
    """
    if images.dtype != np.uint8 or images.size == 0:
        raise DataError(
            f"normalization=standard was fitted on {images.dtype} of shape {images.shape}: "
            "expected uint8 faces [N, H, W]"
        )
    counts = np.zeros(256, dtype=np.int64)
    for start in range(0, len(images), block):
        counts += np.bincount(images[start : start + block].reshape(-1), minlength=256)
    levels = np.arange(256)
    mean = float((counts * levels).sum() / counts.sum())
    variance = float((counts * (levels - mean) ** 2).sum() / counts.sum())
    if variance == 0.0:
        raise DataError(
            f"normalization=standard was fitted on faces whose every pixel is {mean:.0f}: "
            "expected some contrast"
        )
    return mean, math.sqrt(variance)
