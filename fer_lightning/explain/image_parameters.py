"""Images as functions of free parameters that an optimizer can move anywhere, always within black and white."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from fer_lightning.config.values import Count
from fer_lightning.data.normalization import GREY_MAX

MARGIN = 1 / 255  # start images are kept this far from black and white, where the sigmoid's slope is zero
ImageSize = Count | tuple[Count, Count]
Channels = Literal[1, 3]
# From three independent colours to RGB: the root of the covariance of natural images' colours, from Olah et al. 2017
# (github.com/tensorflow/lucid), its largest column of length 1.
_COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
_COLOURS = _COLOURS / _COLOURS.norm(dim=0).max()


def height_and_width(image_size: int | tuple[int, int]) -> tuple[int, int]:
    """Return height and width of images whose size is one number, or both."""
    return (image_size, image_size) if isinstance(image_size, int) else (image_size[0], image_size[1])


def _inverse_sigmoid(images: Tensor) -> Tensor:
    return torch.logit((images / GREY_MAX).clamp(MARGIN, 1 - MARGIN))


class PixelImages(nn.Module):
    """Every pixel for itself: image = sigmoid(parameter). ``values`` is float ``[N, C, H, W]``."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.values = nn.Parameter(values)

    @classmethod
    def draw(
        cls,
        generators: Sequence[torch.Generator],
        shape: tuple[int, int, int, int],
        noise: float,
        start: Tensor | None,
    ) -> PixelImages:
        """Draw starting values for images of ``shape`` ``(K, C, H, W)`` from each generator.

        ``start``, levels of that shape, is what the noise is added to; mid-grey where it is None.
        """
        values = noise * torch.cat([torch.randn(shape, generator=each) for each in generators])
        if start is not None:
            values += _inverse_sigmoid(start.cpu().float()).repeat(len(generators), 1, 1, 1)
        return cls(values)

    def forward(self) -> Tensor:
        """Return the images, float ``[N, C, H, W]`` in [0, 1]."""
        return torch.sigmoid(self.values)


class FourierImages(nn.Module):
    """A sum of waves, image = sigmoid(waves); a wave's amplitude is its parameter over its frequency.

    So a step of the optimizer changes coarse structure most, as in natural images, whose amplitudes fall as
    1/frequency (Olah et al. 2017). ``spectrum`` is float ``[N, C, H, W//2+1, 2]``. In colour, the channels of the
    spectrum are not red, green and blue but the independent colours of natural images, brightness first: an optimizer
    moves brightness most and makes no rainbow of noise.
    """

    scale: Tensor
    colours: Tensor

    def __init__(self, spectrum: Tensor, image_size: int | tuple[int, int]) -> None:
        super().__init__()
        self.spectrum, self.size = nn.Parameter(spectrum), height_and_width(image_size)
        self.register_buffer("scale", self.amplitudes(image_size))
        self.register_buffer("colours", _COLOURS)

    @staticmethod
    def amplitudes(image_size: int | tuple[int, int]) -> Tensor:
        """Return each wave's amplitude for a parameter of 1, ``[H, W//2+1]``: 1 / max(frequency, 1 / size)."""
        height, width = height_and_width(image_size)
        down = torch.fft.fftfreq(height)[:, None]
        across = torch.fft.rfftfreq(width)[None]
        return 1.0 / (down.square() + across.square()).sqrt().clamp_min(1.0 / max(height, width))

    @classmethod
    def draw(
        cls,
        generators: Sequence[torch.Generator],
        shape: tuple[int, int, int, int],
        noise: float,
        start: Tensor | None,
    ) -> FourierImages:
        """Draw starting spectra for images of ``shape`` from each generator; see `PixelImages.draw`."""
        count, channels, height, width = shape
        scale = cls.amplitudes((height, width))
        # Scaled so that the waves together have the deviation `noise` (Parseval).
        size = noise / (2 * scale.square().mean()).sqrt()
        waves_shape = (count, channels, height, width // 2 + 1, 2)
        spectrum = size * torch.cat([torch.randn(waves_shape, generator=each) for each in generators])
        if start is not None:
            values = _inverse_sigmoid(start.cpu().float())
            if channels == 3:
                values = _mixed(values, torch.linalg.inv(_COLOURS))
            waves = torch.fft.rfft2(values, norm="ortho") / scale
            spectrum += torch.view_as_real(waves).repeat(len(generators), 1, 1, 1, 1)
        return cls(spectrum, (height, width))

    def forward(self) -> Tensor:
        """Return the images, float ``[N, C, H, W]`` in [0, 1]."""
        waves = torch.view_as_complex(self.spectrum) * self.scale
        values = torch.fft.irfft2(waves, s=self.size, norm="ortho")
        return torch.sigmoid(_mixed(values, self.colours) if values.shape[1] == 3 else values)


def _mixed(values: Tensor, colours: Tensor) -> Tensor:
    """Return ``[N, 3, H, W]`` with each pixel's three values multiplied by ``colours`` ``[3, 3]``."""
    return torch.einsum("rc,nchw->nrhw", colours, values)
