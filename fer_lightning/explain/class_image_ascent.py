"""The image that a network takes for each class most surely (activation maximisation)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from fer_lightning.config.values import Count, NotNegative, Positive, ShareBelowOne, checked
from fer_lightning.data.affine import AffineParameters, warp
from fer_lightning.data.normalization import GREY_MAX
from fer_lightning.data.picture_arrays import as_pictures
from fer_lightning.errors import ConfigError
from fer_lightning.explain.image_parameters import (
    Channels,
    FourierImages,
    ImageSize,
    PixelImages,
    height_and_width,
)
from fer_lightning.explain.undisturbed import device_of, undisturbed
from fer_lightning.messages import progress

NOISE: Final = 0.3  # deviation of the starting parameters, before the sigmoid
DEVIATION: Final = 0.25  # of images whose contrast the network ignores, on the scale [0, 1]; FER2013's: 0.255


@dataclass(frozen=True)
class ClassImages:
    """Images that maximise each class's logit.

    Attributes
    ----------
    images
        float32 ``[S, K, H, W]`` or, in colour, ``[S, K, H, W, 3]``, levels 0–255, for S seeds and K classes.
    logits, probabilities
        float32 ``[S, K]``: what the class of each image reaches on it, unwarped.
    start
        float32 ``[S, K]``: the logit of the starting image.
    seeds
        Of the starting noise and of the warps.
    regularised
        Whether the images are kept smooth and have to hold under small warps.
    guided
        Whether they started from given images (the classes' mean faces) and not from noise: then what looks like
        a face may come from the start.
    """

    images: np.ndarray
    logits: np.ndarray
    probabilities: np.ndarray
    start: np.ndarray
    seeds: tuple[int, ...]
    regularised: bool
    guided: bool


@checked()
def class_images(
    model: nn.Module,
    image_size: ImageSize,
    *,
    channels: Channels = 1,
    seeds: Annotated[Sequence[int], Field(min_length=1)] = (0, 1, 2),
    regularised: bool = True,
    start: Tensor | None = None,
    steps: Count = 200,
    lr: Positive = 0.03,
    jitter: NotNegative = 3.0,
    rotation: Annotated[float, Field(ge=0, lt=180)] = 8.0,
    scale: ShareBelowOne = 0.08,
    tv: NotNegative = 60.0,
) -> ClassImages:
    """Maximise every class's logit over images, all classes and seeds in one batch.

    Regularised, an image is the sigmoid of a sum of waves whose amplitudes fall as 1/frequency; each Adam step
    warps it at random, and its total variation is held down (Olah et al. 2017, "Feature Visualization"). Where
    the network ignores brightness and contrast, the images are kept at mid-grey and at the contrast of
    faces: otherwise the least variation would be that of a white or black image.
    Otherwise every pixel is free under the sigmoid and nothing is held down (Simonyan et al. 2014): what comes
    out is high-frequency noise which the network is nevertheless sure of.

    Parameters
    ----------
    model
        Maps levels, float ``[N, C, H, W]``, to logits ``[N, K]``.
    image_size
        Height and width in pixels: one number, or both.
    channels
        1 for grey images, 3 for colour.
    seeds
        One set of images each; a seed's images do not depend on the other seeds.
    start
        Levels ``[K, C, H, W]`` to start from, such as each class's mean face: the images are then called guided.
        None starts from noise.
    steps, lr
        Of Adam.
    jitter, rotation, scale
        Largest shift in pixels, rotation in degrees and relative change of size, drawn anew at each step.
    tv
        Weight of the mean absolute difference of neighbouring pixels on the scale [0, 1], against the logit.

    Raises
    ------
    ConfigError
        An option is out of range, or ``start`` does not fit.
    """
    height, width = height_and_width(image_size)
    if jitter >= min(height, width):
        raise ConfigError(f"jitter={jitter}: expected pixels, below the image's {min(height, width)}")
    device = device_of(model)
    with undisturbed(model):
        with torch.no_grad():
            grey = torch.full((1, channels, height, width), GREY_MAX / 2, device=device)
            shape = (model(grey).shape[1], channels, height, width)
        if start is not None and tuple(start.shape) != shape:
            raise ConfigError(f"start has shape {tuple(start.shape)}; expected {shape}")
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        kind = FourierImages if regularised else PixelImages
        parameters = kind.draw(generators, shape, NOISE, start).to(device)
        warps = _Warps(generators, shape[0], jitter, rotation, scale, device) if regularised else None
        wanted = torch.arange(shape[0], device=device).repeat(len(seeds))
        first = _logits(model, parameters(), wanted)[0]
        level = _evened if regularised and ignores_contrast(model, parameters()) else nn.Identity()
        optimizer = torch.optim.Adam(parameters.parameters(), lr=lr)
        for _ in progress(range(steps), "class images"):
            images = parameters()
            shown = images if warps is None else warp(images, warps.draw())
            logits = model(shown * GREY_MAX).gather(1, wanted[:, None])
            loss = -logits.sum()
            if regularised:
                loss = loss + tv * total_variation(level(images)).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            found = level(parameters()).clamp(0, 1)
        reached, probabilities = _logits(model, found, wanted)

    def table(values: np.ndarray) -> np.ndarray:
        return values.reshape(len(seeds), shape[0], *values.shape[1:])

    return ClassImages(
        images=table(as_pictures((found * GREY_MAX).cpu())),
        logits=table(reached.cpu().numpy()),
        probabilities=table(probabilities.cpu().numpy()),
        start=table(first.cpu().numpy()),
        seeds=tuple(seeds),
        regularised=regularised,
        guided=start is not None,
    )


def total_variation(images: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbouring pixels, down plus across, of each image ``[N]``."""
    down = (images[:, :, 1:] - images[:, :, :-1]).abs().mean(dim=(1, 2, 3))
    across = (images[:, :, :, 1:] - images[:, :, :, :-1]).abs().mean(dim=(1, 2, 3))
    return down + across


@torch.no_grad()
def ignores_contrast(model: nn.Module, images: Tensor) -> bool:
    """Say whether ``images``, in [0, 1], get the same logits at half their contrast and a quarter brighter."""
    there, paler = model(images * GREY_MAX), model((0.25 + 0.5 * images) * GREY_MAX)
    return torch.allclose(there, paler, rtol=1e-3, atol=1e-3 * float(there.std()))


def _evened(images: Tensor) -> Tensor:
    centred = images - images.mean(dim=(1, 2, 3), keepdim=True)
    deviation = centred.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return 0.5 + DEVIATION * centred / deviation.clamp_min(1e-6)


@torch.no_grad()
def _logits(model: nn.Module, images: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    logits = model(images * GREY_MAX)
    return tuple(each.gather(1, wanted[:, None])[:, 0] for each in (logits, logits.softmax(1)))


class _Warps:
    """Random small warps, drawn for each seed from its own generator."""

    def __init__(
        self,
        generators: list[torch.Generator],
        classes: int,
        jitter: float,
        rotation: float,
        scale: float,
        device: torch.device,
    ) -> None:
        self.generators, self.classes, self.device = generators, classes, device
        self.ranges = torch.tensor([jitter, jitter, math.radians(rotation), scale])

    def draw(self) -> AffineParameters:
        """Return the warps of one step, one an image."""
        drawn = torch.cat([torch.rand(self.classes, 4, generator=each) for each in self.generators])
        right, down, angle, size = ((2 * drawn - 1) * self.ranges).to(self.device).unbind(dim=1)
        none = torch.zeros_like(angle)
        return AffineParameters(angle, none, 1 + size, 1 + size, right, down, none.bool())
