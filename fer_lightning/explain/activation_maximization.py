"""The image that drives each filter of a layer most, found by gradient ascent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from fer_lightning.config.values import Count, Positive, checked
from fer_lightning.data.picture_arrays import as_pictures
from fer_lightning.errors import ConfigError
from fer_lightning.explain.ascent import MID_GREY, Climb, Objective, measure
from fer_lightning.explain.image_parameters import Channels, ImageSize, height_and_width
from fer_lightning.explain.layers import activation_of
from fer_lightning.explain.pre_activation import as_maps, check_filters, pre_activation, response
from fer_lightning.explain.undisturbed import device_of, undisturbed
from fer_lightning.messages import progress

NOISE: Final = 8.0  # deviation of the starting image in grey levels


@dataclass(frozen=True)
class Ascent:
    """What gradient ascent found for the filters of one layer.

    Attributes
    ----------
    layer
        Its name.
    filters
        int64 ``[K]``: number of each filter in the layer.
    images
        float32 ``[K, H, W]`` or, in colour, ``[K, H, W, 3]``, levels 0–255.
    activation, start
        float32 ``[K]``: what each filter's own image and the starting noise reach; for the objective ``map`` the
        mean of the positive part of the pre-activation, for ``unit`` the central unit's pre-activation.
    faces
        float32 ``[K]``: the largest of the same over real faces (for ``unit``: over all their places), or None.
    stuck
        bool ``[K]``: the gradient was zero at every step, so the image is the starting noise and says nothing.
    box
        (top, bottom, left, right), half open: the part of the image that any gradient reached. For ``unit`` it
        is the central unit's receptive field.
    objective, seed
        As asked for.
    """

    layer: str
    filters: np.ndarray
    images: np.ndarray
    activation: np.ndarray
    start: np.ndarray
    faces: np.ndarray | None
    stuck: np.ndarray
    box: tuple[int, int, int, int]
    objective: str
    seed: int

    @property
    def patterns(self) -> np.ndarray:
        """The images cut to ``box``, float32 ``[K, h, w]`` or ``[K, h, w, 3]``."""
        top, bottom, left, right = self.box
        return self.images[:, top:bottom, left:right]


@checked()
def gradient_ascent(
    model: nn.Module,
    layer: str,
    image_size: ImageSize,
    *,
    channels: Channels = 1,
    filters: Sequence[int] | None = None,
    objective: Objective = "map",
    steps: Count = 40,
    lr: Positive = 8.0,
    contrast: Positive = 64.0,
    smooth: float = 0.7,
    jitter: int = 0,
    seed: int = 0,
    faces: Tensor | None = None,
    batch_size: Count = 64,
) -> Ascent:
    """Find for each filter the image that drives it most (Erhan et al. 2009), many filters a pass.

    Image k climbs filter k; nothing behind the layer is computed. What is climbed is the pre-activation (behind
    the norm, where one follows), because a rectifier's gradient is zero wherever the start leaves it silent.

    Parameters
    ----------
    model
        Maps levels, float ``[N, C, H, W]``, to logits.
    layer
        Name of a convolution or a dense layer.
    image_size
        Height and width of the images in pixels: one number, or both.
    channels
        1 for grey images, 3 for colour.
    filters
        Which of the layer's filters; all by default.
    objective
        ``map``: the mean over the filter's map, each place leakily rectified, which fills the image with the
        filter's texture (without rectification a first layer's gradient would be the same at every pixel).
        ``unit``: the map's central unit alone, which shows the pattern in its receptive field.
    steps, lr
        Number of steps, and the root mean square of one step in levels.
    contrast
        Largest root mean square deviation from mid-grey over the pixels that a gradient reached. FER2013's
        faces have 65, so that the activations reached can be compared with those of faces.
    smooth
        Width in pixels of the Gaussian with which the gradient is smoothed, against checkerboards; with 0 the image
        follows the filter to the pixel.
    jitter
        Largest shift in pixels by which the images are rolled before each step; only for ``map``.
    seed
        Of the starting noise, which is the same for all filters, and of the jitter.
    faces
        Real faces to compare with, ``[N, C, H, W]`` levels, or None.
    batch_size
        Images in one pass.

    Raises
    ------
    ConfigError
        The layer or a filter does not exist, or an option is out of range.
    """
    size = height_and_width(image_size)
    _check(min(size), objective, smooth, jitter)
    module = pre_activation(model, layer)
    device = device_of(model)
    with undisturbed(model):
        generator = torch.Generator().manual_seed(seed)
        noise = MID_GREY + NOISE * torch.randn(1, channels, *size, generator=generator)
        shifts = torch.randint(-jitter, jitter + 1, (steps, 2), generator=generator).tolist()
        noise = noise.to(device)
        with torch.no_grad():
            at_start = measure(as_maps(activation_of(model, module, noise), layer), objective)[0]
        chosen = check_filters(filters, len(at_start), layer)
        climb = Climb(model, module, layer, objective, lr, contrast, smooth)
        parts = [
            climb.run(noise, torch.tensor(chosen[first : first + batch_size], device=device), shifts)
            for first in progress(range(0, len(chosen), batch_size), f"filters of {layer}")
        ]
        images, reached, touched = (torch.cat(column) for column in zip(*parts, strict=True))
        largest = None if faces is None else _largest(climb, faces.to(device), batch_size)[chosen]
    return Ascent(
        layer=layer,
        filters=np.array(chosen),
        images=as_pictures(images.cpu()),
        activation=reached.cpu().numpy(),
        start=at_start[chosen].cpu().numpy(),
        faces=None if largest is None else largest.cpu().numpy(),
        stuck=~touched.any(dim=(1, 2, 3)).cpu().numpy(),
        box=_box(touched.any(dim=(0, 1)).cpu().numpy()),
        objective=objective,
        seed=seed,
    )


@torch.no_grad()
def _largest(climb: Climb, faces: Tensor, batch_size: int) -> Tensor:
    """Return each filter's largest activation over faces, ``[K]``."""
    best = []
    for batch in faces.float().split(batch_size):
        maps = climb.maps(batch)
        values = maps.amax(dim=(2, 3)) if climb.objective == "unit" else response(maps)
        best.append(values.amax(dim=0))
    return torch.stack(best).amax(dim=0)


def _box(touched: np.ndarray) -> tuple[int, int, int, int]:
    """Return the smallest box around the true pixels of ``[H, W]``; all of it where there are none."""
    rows, columns = np.flatnonzero(touched.any(axis=1)), np.flatnonzero(touched.any(axis=0))
    if len(rows) == 0:
        return (0, touched.shape[0], 0, touched.shape[1])
    return (int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def _check(image_size: int, objective: str, smooth: float, jitter: int) -> None:
    if not 0 <= smooth < image_size:
        raise ConfigError(f"smooth={smooth}: expected pixels, from 0 to below the image's {image_size}")
    if not 0 <= jitter < image_size or (jitter and objective == "unit"):
        raise ConfigError(
            f"jitter={jitter}: expected pixels below the image's size, and 0 with objective=unit"
        )
