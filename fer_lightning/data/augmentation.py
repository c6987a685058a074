"""Random changes of the training faces that keep their expression, in batches on the faces' device."""

from __future__ import annotations

import math
from numbers import Real

import torch
from torch import Tensor, nn

from fer_lightning.data.affine import AffineParameters, warp
from fer_lightning.errors import ConfigError

ERASED_AREA_MIN = (
    0.02  # the smallest share erased, and the limits of height : width (Zhong et al. 2020, section 4)
)
ERASED_ASPECT_MAX = 10 / 3


class Augmentation(nn.Module):
    """Draw one affine warp, one change of light and one erased rectangle for each face.

    ``forward`` takes float32 [B, 1, H, W] in grey levels 0 to 255 and returns the same; in ``eval()`` it
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
        Factors of the distance to the face's mean grey level are uniform in [1 - contrast, 1 + contrast].
    erase
        Probability of a rectangle overwritten with one random grey level (Random Erasing, Zhong et al. 2020).
    erase_area
        Largest share of the image that is erased; the smallest is 0.02.

    Raises
    ------
    ConfigError
        When a value is out of its range.
    """

    def __init__(
        self,
        *,
        rotation: float = 0.0,
        width_shift: float = 0.0,
        height_shift: float = 0.0,
        shear: float = 0.0,
        zoom: float = 0.0,
        flip: bool = False,
        brightness: float = 0.0,
        contrast: float = 0.0,
        erase: float = 0.0,
        erase_area: float = 0.2,
    ) -> None:
        super().__init__()
        _check("rotation", rotation, 0, 180)
        _check("width_shift", width_shift, 0, 1)
        _check("height_shift", height_shift, 0, 1)
        _check("shear", shear, 0, 1)
        _check("zoom", zoom, 0, 0.9)
        _check("brightness", brightness, 0, 1)
        _check("contrast", contrast, 0, 1)
        _check("erase", erase, 0, 1)
        _check("erase_area", erase_area, ERASED_AREA_MIN, 1)
        if not isinstance(flip, bool):
            raise ConfigError(f"augmentation.flip={flip!r}: expected true or false")
        self.rotation = rotation
        self.width_shift = width_shift
        self.height_shift = height_shift
        self.shear = shear
        self.zoom = zoom
        self.flip = flip
        self.brightness = brightness
        self.contrast = contrast
        self.erase = erase
        self.erase_area = erase_area

    def forward(self, images: Tensor) -> Tensor:
        """Return changed copies of the faces in training, the faces themselves in evaluation."""
        if not self.training:
            return images
        if self.rotation or self.width_shift or self.height_shift or self.shear or self.zoom:
            images = warp(images, self.draw_affine(images))
        elif self.flip:
            images = mirror(images, self.draw_affine(images).flip)
        if self.brightness or self.contrast:
            images = relight(images, *self.draw_light(images))
        if self.erase:
            images = overwrite(images, *self.draw_rectangles(images))
        return images

    def draw_affine(self, images: Tensor) -> AffineParameters:
        """Draw one affine warp for each of the images [B, 1, H, W], whose values are not read."""
        height, width = images.shape[-2:]
        angle, shear, zoom_x, zoom_y, shift_x, shift_y, coin = _uniform(images, 7)
        return AffineParameters(
            angle=angle * math.radians(self.rotation),
            shear=shear * self.shear,
            zoom_x=1 + zoom_x * self.zoom,
            zoom_y=1 + zoom_y * self.zoom,
            shift_x=shift_x * (self.width_shift * width),
            shift_y=shift_y * (self.height_shift * height),
            flip=(coin > 0) & self.flip,
        )

    def draw_light(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Draw a factor of contrast and a number of grey levels to add for each image, both [B]."""
        contrast, brightness = _uniform(images, 2)
        return 1 + contrast * self.contrast, brightness * (self.brightness * 255)

    def draw_rectangles(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Draw rectangles [B, 4] and grey levels [B]; the rectangle is empty where nothing is to be erased.

        A rectangle is top, left, bottom, right in whole pixels, half-open.
        """
        height, width = images.shape[-2:]
        area, aspect, down, right, level, coin = (_uniform(images, 6) + 1) / 2
        area = (ERASED_AREA_MIN + area * (self.erase_area - ERASED_AREA_MIN)) * height * width
        aspect = ERASED_ASPECT_MAX ** (2 * aspect - 1)
        erased = coin < self.erase
        rows = ((area * aspect).sqrt().clamp(1, height) * erased).round()
        columns = ((area / aspect).sqrt().clamp(1, width) * erased).round()
        top = (down * (height - rows)).round()
        left = (right * (width - columns)).round()
        return torch.stack((top, left, top + rows, left + columns), dim=-1), level * 255


def mirror(images: Tensor, flip: Tensor) -> Tensor:
    """Mirror the images [B, C, H, W] left to right where ``flip`` [B] is true."""
    return torch.where(flip.view(-1, 1, 1, 1), images.flip(-1), images)


def relight(images: Tensor, contrast: Tensor, brightness: Tensor) -> Tensor:
    """Scale the distance to each image's mean by ``contrast`` [B], add ``brightness`` [B], clip to 0–255."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    factor = contrast.view(-1, 1, 1, 1)
    return (images * factor + (mean * (1 - factor) + brightness.view(-1, 1, 1, 1))).clamp_(0, 255)


def overwrite(images: Tensor, rectangles: Tensor, levels: Tensor) -> Tensor:
    """Set each image's rectangle (top, left, bottom, right; half-open [B, 4]) to its grey level [B]."""
    top, left, bottom, right = rectangles.view(-1, 4, 1, 1, 1).unbind(1)
    y = torch.arange(images.shape[-2], device=images.device).view(-1, 1)
    x = torch.arange(images.shape[-1], device=images.device).view(1, -1)
    inside = ((y >= top) & (y < bottom)) & ((x >= left) & (x < right))
    return torch.where(inside, levels.view(-1, 1, 1, 1), images)


def _uniform(images: Tensor, rows: int) -> Tensor:
    """Random numbers [rows, B] in [-1, 1) on the images' device, in one call because each has its cost."""
    return torch.rand(rows, len(images), device=images.device) * 2 - 1


def _check(name: str, value: float, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, Real) or not low <= value <= high:
        raise ConfigError(f"augmentation.{name}={value!r}: expected a number from {low} to {high}")
