"""Images as functions of free parameters that an optimizer can move anywhere, always within black and white."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fer_lightning.data.normalization import GREY_MAX

MARGIN = 1 / 255  # start images are kept this far from black and white, where the sigmoid's slope is zero


def _inverse_sigmoid(images: Tensor) -> Tensor:
    return torch.logit((images / GREY_MAX).clamp(MARGIN, 1 - MARGIN))


class PixelImages(nn.Module):
    """Every pixel for itself: image = sigmoid(parameter). ``values`` is float ``[N, 1, H, W]``."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.values = nn.Parameter(values)

    @classmethod
    def draw(
        cls,
        generators: Sequence[torch.Generator],
        classes: int,
        image_size: int,
        noise: float,
        start: Tensor | None,
    ) -> PixelImages:
        """Draw starting values for ``classes`` images from each generator.

        ``start``, grey levels ``[classes, H, W]``, is what the noise is added to; mid-grey where it is None.
        """
        shape = (classes, 1, image_size, image_size)
        values = noise * torch.cat([torch.randn(shape, generator=each) for each in generators])
        if start is not None:
            values += _inverse_sigmoid(start.cpu().float()).unsqueeze(1).repeat(len(generators), 1, 1, 1)
        return cls(values)

    def forward(self) -> Tensor:
        """Return the images, float ``[N, 1, H, W]`` in [0, 1]."""
        return torch.sigmoid(self.values)


class FourierImages(nn.Module):
    """A sum of waves, image = sigmoid(waves); a wave's amplitude is its parameter over its frequency.

    So a step of the optimizer changes coarse structure most, as in natural images, whose amplitudes fall as
    1/frequency (Olah et al. 2017). ``spectrum`` is float ``[N, 1, H, W//2+1, 2]``.
    """

    scale: Tensor

    def __init__(self, spectrum: Tensor, image_size: int) -> None:
        super().__init__()
        self.spectrum, self.image_size = nn.Parameter(spectrum), image_size
        self.register_buffer("scale", self.amplitudes(image_size))

    @staticmethod
    def amplitudes(image_size: int) -> Tensor:
        """Return each wave's amplitude for a parameter of 1, ``[H, W//2+1]``: 1 / max(frequency, 1 / size)."""
        down = torch.fft.fftfreq(image_size)[:, None]
        across = torch.fft.rfftfreq(image_size)[None]
        return 1.0 / (down.square() + across.square()).sqrt().clamp_min(1.0 / image_size)

    @classmethod
    def draw(
        cls,
        generators: Sequence[torch.Generator],
        classes: int,
        image_size: int,
        noise: float,
        start: Tensor | None,
    ) -> FourierImages:
        """Draw starting spectra for ``classes`` images from each generator; see `PixelImages.draw`."""
        shape = (classes, 1, image_size, image_size // 2 + 1, 2)
        scale = cls.amplitudes(image_size)
        # Scaled so that the waves together have the deviation `noise` (Parseval).
        size = noise / (2 * scale.square().mean()).sqrt()
        spectrum = size * torch.cat([torch.randn(shape, generator=each) for each in generators])
        if start is not None:
            waves = torch.fft.rfft2(_inverse_sigmoid(start.cpu().float()), norm="ortho") / scale
            spectrum += torch.view_as_real(waves).unsqueeze(1).repeat(len(generators), 1, 1, 1, 1)
        return cls(spectrum, image_size)

    def forward(self) -> Tensor:
        """Return the images, float ``[N, 1, H, W]`` in [0, 1]."""
        waves = torch.view_as_complex(self.spectrum) * self.scale
        size = (self.image_size, self.image_size)
        return torch.sigmoid(torch.fft.irfft2(waves, s=size, norm="ortho"))
