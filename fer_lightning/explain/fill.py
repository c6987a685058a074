"""What stands in for the pixels of a face that are taken away: it matters more than chance does, so it is named."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import conv2d, pad

from fer_lightning.config.values import checked
from fer_lightning.errors import ConfigError

BLUR_SHARE = 0.1  # standard deviation of the blur in image widths: features go, the head's shape stays
NamedFill = Literal["mean", "blur", "black"]
Fill = Annotated[
    NamedFill | Annotated[float, Field(ge=0, le=255)] | np.ndarray,
    Field(description="mean, blur, black, a grey level from 0 to 255, or an image [H, W] or [H, W, 3]"),
]


def fill_words(fill: Fill) -> str:
    """Return ``fill`` as words for a caption."""
    if isinstance(fill, np.ndarray):
        return "a given image"
    return {"mean": "each image's mean", "blur": "the blurred image", "black": "black"}.get(
        str(fill), f"grey level {fill}"
    )


@checked()
def filled(images: Tensor, fill: Fill) -> Tensor:
    """Return the images with every pixel taken away, float ``[N, C, H, W]``, levels 0–255.

    Parameters
    ----------
    images
        float ``[N, C, H, W]``, levels 0–255.
    fill
        ``mean`` (each image's own mean, by channel), ``blur`` (a Gaussian of a tenth of the image's width),
        ``black``, a grey level, or an image ``[H, W]`` or ``[H, W, 3]`` such as the mean training face.

    Raises
    ------
    ConfigError
        The fill is not known, or an image of another size.
    """
    if isinstance(fill, np.ndarray):
        channels, *size = images.shape[1:]
        if fill.shape not in ((*size,), (*size, channels)):
            raise ConfigError(
                f"fill: an image of shape {fill.shape} for faces of {channels} channels and size {tuple(size)}"
            )
        cover = torch.as_tensor(fill, dtype=images.dtype, device=images.device)
        return (cover if cover.ndim == 2 else cover.permute(2, 0, 1)).expand_as(images)
    if fill == "mean":
        return images.mean(dim=(2, 3), keepdim=True).expand_as(images)
    if fill == "blur":
        return blurred(images, BLUR_SHARE * images.shape[3])
    return torch.full_like(images, 0.0 if fill == "black" else float(fill))


def blurred(images: Tensor, sigma: float, *, reach: float = 3.0, edges: str = "replicate") -> Tensor:
    """Return images ``[N, C, H, W]`` smoothed by a Gaussian of ``sigma`` pixels, cut off at ``reach`` of them.

    Beyond the edges lies what `torch.nn.functional.pad` puts there in the mode ``edges``; ``constant`` is zeros.
    """
    radius = math.ceil(reach * sigma)
    steps = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel = kernel / kernel.sum()
    wide = pad(images, (radius, radius, radius, radius), mode=edges)
    single = wide.reshape(-1, 1, *wide.shape[2:])
    return conv2d(conv2d(single, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1)).view_as(images)
