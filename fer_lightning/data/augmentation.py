"""Random changes of the training faces that keep their expression, in batches on the faces' device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from fer_lightning.config.values import Count, Share, checked
from fer_lightning.data.affine import AffineParameters, warp
from fer_lightning.errors import ConfigError

ERASED_AREA_MIN = (
    0.02  # the smallest share erased, and the limits of height : width (Zhong et al. 2020, section 4)
)
ERASED_ASPECT_MAX = 10 / 3
RGB_TO_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
"""Luma of ITU-R 601 and the two chrominances of NTSC, for each of red, green and blue."""
NEEDS_COLOUR = (
    "augmentation.saturation and augmentation.hue need pictures in colour; expected data.channels=3"
)


class Augmentation(nn.Module):
    """Draw one affine warp, one change of light and colour, and one erased rectangle for each face.

    ``forward`` takes float32 [B, C, H, W] in levels 0 to 255, C being 1 or 3, and returns the same; in ``eval()`` it
    returns its input. Random numbers come from torch's global generator of the faces' device. What is left
    at 0 is not done.

    Parameters
    ----------
    rotation
        Degrees; angles are uniform in ±rotation.
    width_shift, height_shift
        Shares of the width and the height; shifts are uniform in ±share.
    shear
        Pixels sideways for each pixel down; uniform in ±shear. 0.1 is 5.7 degrees. (Keras' ``shear_range``
        was in radians before Keras 2.1.5, which for 0.1 is the same; since then it is in degrees, where 0.1
        does nothing.)
    zoom
        Factors of width and height, drawn separately as Keras does, are uniform in [1 - zoom, 1 + zoom].
    flip
        Mirror left to right with probability 1/2.
    brightness
        Share of 255; what is added is uniform in ±brightness.
    contrast
        Factors of the distance to the face's mean level, of all channels together, are uniform in
        [1 - contrast, 1 + contrast].
    saturation
        Factors of the distance of colours to their own grey are uniform in [1 - saturation, 1 + saturation].
    hue
        Share of a full turn; colours are turned about grey by angles uniform in ±hue, so that their luma stays.
    erase
        Probability of a rectangle overwritten with one random level or colour (Random Erasing, Zhong et al. 2020).
    erase_area
        Largest share of the image that is erased; the smallest is 0.02.
    crop
        Side in pixels of a square cut from a random place in the face, after it was rotated, sheared and zoomed;
        None trains on whole faces. In ``eval()`` faces are whole, so the net must take images of any size.
    growth
        Pairs of a share of the run and a side in pixels: from that share on, what is trained on is resampled
        to that side (progressive resizing: small images early cost little). Before the first share, and if
        None, nothing is resampled. The net must take images of any size.

    Attributes
    ----------
    progress
        Share of the run that is over, in [0, 1]; whoever trains sets it.
    """

    @checked("augmentation.")
    def __init__(
        self,
        *,
        rotation: Annotated[float, Field(ge=0, le=180)] = 0.0,
        width_shift: Share = 0.0,
        height_shift: Share = 0.0,
        shear: Share = 0.0,
        zoom: Annotated[float, Field(ge=0, le=0.9)] = 0.0,
        flip: bool = False,
        brightness: Share = 0.0,
        contrast: Share = 0.0,
        saturation: Share = 0.0,
        hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0,
        erase: Share = 0.0,
        erase_area: Annotated[float, Field(ge=ERASED_AREA_MIN, le=1)] = 0.2,
        crop: Count | None = None,
        growth: Sequence[Sequence[float]] | None = None,
    ) -> None:
        super().__init__()
        self.rotation = rotation
        self.width_shift = width_shift
        self.height_shift = height_shift
        self.shear = shear
        self.zoom = zoom
        self.flip = flip
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue
        self.erase = erase
        self.erase_area = erase_area
        self.crop = crop
        self.growth = _steps_of(growth or [])
        self.progress = 0.0

    def forward(self, images: Tensor) -> Tensor:
        """Return changed copies of the faces in training, the faces themselves in evaluation."""
        if not self.training:
            return images
        moved = self.rotation or self.width_shift or self.height_shift or self.shear or self.zoom
        size = self.size_now()
        if moved or self.crop or size:
            images = warp(images, self.draw_affine(images), crop=self.crop, size=size)
        elif self.flip:
            images = mirror(images, self.draw_affine(images).flip)
        if self.brightness or self.contrast:
            images = relight(images, *self.draw_light(images))
        if self.saturation or self.hue:
            images = recolour(images, *self.draw_colour(images))
        if self.erase:
            images = overwrite(images, *self.draw_rectangles(images))
        return images

    def size_now(self) -> int | None:
        """Return the side to which faces are resampled at this point of the run, or None."""
        begun = [side for share, side in self.growth if share <= self.progress]
        return begun[-1] if begun else None

    def draw_affine(self, images: Tensor) -> AffineParameters:
        """Draw one affine warp for each of the images [B, 1, H, W], whose values are not read."""
        height, width = images.shape[-2:]
        # A square that may lie anywhere is one that stays in the middle of a face that is shifted.
        slack_x, slack_y = ((width - self.crop) / 2, (height - self.crop) / 2) if self.crop else (0.0, 0.0)
        angle, shear, zoom_x, zoom_y, shift_x, shift_y, coin = _uniform(images, 7)
        return AffineParameters(
            angle=angle * math.radians(self.rotation),
            shear=shear * self.shear,
            zoom_x=1 + zoom_x * self.zoom,
            zoom_y=1 + zoom_y * self.zoom,
            shift_x=shift_x * (self.width_shift * width + slack_x),
            shift_y=shift_y * (self.height_shift * height + slack_y),
            flip=(coin > 0) & self.flip,
        )

    def draw_light(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Draw a factor of contrast and a number of grey levels to add for each image, both [B]."""
        contrast, brightness = _uniform(images, 2)
        return 1 + contrast * self.contrast, brightness * (self.brightness * 255)

    def draw_colour(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Draw a factor of saturation and an angle in radians for each image, both [B]."""
        saturation, hue = _uniform(images, 2)
        return 1 + saturation * self.saturation, hue * (self.hue * 2 * math.pi)

    def draw_rectangles(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Draw rectangles [B, 4] and levels [B, C]; the rectangle is empty where nothing is to be erased.

        A rectangle is top, left, bottom, right in whole pixels, half-open.
        """
        channels, height, width = images.shape[1:]
        area, aspect, down, right, *levels, coin = (_uniform(images, 5 + channels) + 1) / 2
        area = (ERASED_AREA_MIN + area * (self.erase_area - ERASED_AREA_MIN)) * height * width
        aspect = ERASED_ASPECT_MAX ** (2 * aspect - 1)
        erased = coin < self.erase
        rows = ((area * aspect).sqrt().clamp(1, height) * erased).round()
        columns = ((area / aspect).sqrt().clamp(1, width) * erased).round()
        top = (down * (height - rows)).round()
        left = (right * (width - columns)).round()
        return torch.stack((top, left, top + rows, left + columns), dim=-1), torch.stack(levels, dim=-1) * 255


def mirror(images: Tensor, flip: Tensor) -> Tensor:
    """Mirror the images [B, C, H, W] left to right where ``flip`` [B] is true."""
    return torch.where(flip.view(-1, 1, 1, 1), images.flip(-1), images)


def relight(images: Tensor, contrast: Tensor, brightness: Tensor) -> Tensor:
    """Scale the distance to each image's mean by ``contrast`` [B], add ``brightness`` [B], clip to 0–255."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    factor = contrast.view(-1, 1, 1, 1)
    return (images * factor + (mean * (1 - factor) + brightness.view(-1, 1, 1, 1))).clamp_(0, 255)


def recolour(images: Tensor, saturation: Tensor, angle: Tensor) -> Tensor:
    """Turn the colours of images [B, 3, H, W] about grey and scale their distance to it, clip to 0–255.

    Parameters
    ----------
    saturation
        Factors [B]: 0 is the image's luma (ITU-R 601), 1 the image itself.
    angle
        Radians [B], in the plane of YIQ's two chrominances.

    Raises
    ------
    ConfigError
        The images are grey.
    """
    if images.shape[1] != 3:
        raise ConfigError(NEEDS_COLOUR)
    to_yiq = torch.tensor(RGB_TO_YIQ, device=images.device)
    turn = torch.zeros(len(images), 3, 3, device=images.device)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = saturation * angle.cos()
    turn[:, 2, 1] = saturation * angle.sin()
    turn[:, 1, 2] = -turn[:, 2, 1]
    with torch.autocast(images.device.type, enabled=False):  # in half precision levels would be rounded
        matrix = torch.linalg.inv(to_yiq) @ turn @ to_yiq
        return (matrix @ images.flatten(2)).view(images.shape).clamp_(0, 255)


def overwrite(images: Tensor, rectangles: Tensor, levels: Tensor) -> Tensor:
    """Set each image's rectangle (top, left, bottom, right; half-open [B, 4]) to its levels [B, C]."""
    top, left, bottom, right = rectangles.view(-1, 4, 1, 1, 1).unbind(1)
    y = torch.arange(images.shape[-2], device=images.device).view(-1, 1)
    x = torch.arange(images.shape[-1], device=images.device).view(1, -1)
    inside = ((y >= top) & (y < bottom)) & ((x >= left) & (x < right))
    return torch.where(inside, levels[:, :, None, None], images)


def _uniform(images: Tensor, rows: int) -> Tensor:
    """Random numbers [rows, B] in [-1, 1) on the images' device, in one call because each has its cost."""
    return torch.rand(rows, len(images), device=images.device) * 2 - 1


def _steps_of(growth: Sequence[Sequence[float]]) -> list[tuple[float, int]]:
    """Check the pairs of ``growth``: shares that rise within [0, 1), and whole sides of at least one pixel."""
    steps: list[tuple[float, int]] = []
    for step in growth:
        share, side = step if len(step) == 2 else (-1.0, 0)
        if not (0 <= share < 1 and side >= 1 and side == int(side)) or (steps and share <= steps[-1][0]):
            raise ConfigError(
                f"augmentation.growth={[list(pair) for pair in growth]}: expected pairs of a share of the run, "
                "rising within [0, 1), and a side in pixels"
            )
        steps.append((float(share), int(side)))
    return steps
