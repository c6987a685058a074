"""Affine warps of a batch of images: flip, zoom, shear, rotation and shift in one resampling."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class AffineParameters(NamedTuple):
    """One affine warp an image, each field a tensor [B].

    The content is flipped, zoomed, sheared, rotated and shifted, in this order, about the image's centre.
    """

    angle: Tensor
    """Radians, counter-clockwise as one sees it (``torch.rot90`` is pi / 2)."""
    shear: Tensor
    """Pixels to the right for each pixel further down: the tangent of the shear angle."""
    zoom_x: Tensor
    """Factor of the width; above 1 enlarges the content."""
    zoom_y: Tensor
    """Factor of the height."""
    shift_x: Tensor
    """Pixels to the right."""
    shift_y: Tensor
    """Pixels down."""
    flip: Tensor
    """bool, mirrored left to right."""


def inverse_matrix(parameters: AffineParameters, height: int, width: int) -> Tensor:
    """Matrices [B, 2, 3] from a point of the output to the point of the input that it shows.

    Points are (x, y, 1) in ``grid_sample``'s coordinates, in which -1 and 1 are the image's outer edges
    (``align_corners=False``), so the matrix also undoes the unequal units of an image that is not square.
    """
    angle, shear, zoom_x, zoom_y, shift_x, shift_y, flip = parameters
    cos, sin = angle.cos(), angle.sin()
    mirrored_x = torch.where(flip, -zoom_x, zoom_x)
    # (rotation · shear · zoom · flip)^-1, multiplied out; pixels from the centre.
    x_from_x = (cos - shear * sin) / mirrored_x
    x_from_y = -(sin + shear * cos) / mirrored_x
    y_from_x = sin / zoom_y
    y_from_y = cos / zoom_y
    x_offset = -(x_from_x * shift_x + x_from_y * shift_y)
    y_offset = -(y_from_x * shift_x + y_from_y * shift_y)
    row_x = torch.stack((x_from_x, x_from_y * (height / width), x_offset * (2 / width)), dim=-1)
    row_y = torch.stack((y_from_x * (width / height), y_from_y, y_offset * (2 / height)), dim=-1)
    return torch.stack((row_x, row_y), dim=-2)


def pixel_centres(
    height: int, width: int, device: torch.device, *, extent: tuple[float, float] = (1.0, 1.0)
) -> Tensor:
    """(x, y, 1) of every pixel's centre, float32 [3, H·W], in ``grid_sample``'s coordinates.

    The pixels share out the middle of an image: ``extent`` is how much of its height and width.
    """
    y = ((torch.arange(height, device=device) * 2 + 1) / height - 1) * extent[0]
    x = ((torch.arange(width, device=device) * 2 + 1) / width - 1) * extent[1]
    rows = y[:, None].expand(height, width)
    columns = x[None, :].expand(height, width)
    return torch.stack((columns, rows, torch.ones_like(rows))).reshape(3, -1)


def warp(
    images: Tensor, parameters: AffineParameters, *, crop: int | None = None, size: int | None = None
) -> Tensor:
    """Warp each image by its own parameters: bilinear, edges repeated (Keras' fill "nearest").

    Parameters
    ----------
    images
        float32 [B, C, H, W].
    parameters
        One warp an image.
    crop
        Side in pixels of the square that is cut from the middle of the warped image; None keeps all of it.
    size
        Side in pixels to which what is kept is resampled; None leaves it at its own size.

    Returns
    -------
    Tensor
        float32 [B, C, H', W'], where H' and W' are ``size``, else ``crop``, else H and W.
    """
    batch, _, height, width = images.shape
    rows, columns = (crop, crop) if crop else (height, width)
    extent = (rows / height, columns / width)
    if size:
        rows = columns = size
    matrix = inverse_matrix(parameters, height, width).to(images.dtype)
    centres = pixel_centres(rows, columns, images.device, extent=extent).to(images.dtype)
    points = matrix.reshape(-1, 3) @ centres
    # grid_sample reads planes of x and of y as fast as pairs, so the transposed view costs no copy.
    grid = points.view(batch, 2, rows, columns).permute(0, 2, 3, 1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
