"""How much of the class's logit is lost when a window of the face is covered."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fer_lightning.config.values import Count, checked
from fer_lightning.errors import ConfigError
from fer_lightning.explain.fill import Fill, fill_words, filled
from fer_lightning.explain.saliency_methods.attribution import Display

_PASS = 128  # covered faces in one pass


class Occlusion:
    """Occlusion by a sliding window: Zeiler & Fergus 2014, https://arxiv.org/abs/1311.2901.

    A pixel's value is the mean loss of logit over the windows that cover it, all channels at once; the map is the
    positive part.

    Parameters
    ----------
    window
        Side of the window in pixels.
    stride
        Pixels from one window to the next, at most ``window``.
    fill
        What covers: ``mean`` (each face's mean), ``blur``, ``black``, a grey level, or an image.

    Raises
    ------
    ConfigError
        A value is out of range; on use, where the window is larger than the face.
    """

    name = "occlusion"
    display: Display = "positive"

    @checked("saliency.")
    def __init__(self, window: Count = 8, stride: Count = 4, fill: Fill = "mean") -> None:
        if stride > window:
            raise ConfigError(
                f"saliency.stride={stride}: expected at most the window's {window} pixels, so that none is left out"
            )
        self.window, self.stride, self.fill = window, stride, fill

    @property
    def settings(self) -> str:
        """Window, stride and fill."""
        cover = fill_words(self.fill)
        return f"a window of {self.window}×{self.window} pixels, moved by {self.stride}, filled with {cover}"

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> tuple[Tensor, None]:
        """Return the mean loss of logit ``[N, H, W]``."""
        if self.window > min(images.shape[2:]):
            raise ConfigError(
                f"saliency.window={self.window}: expected at most the face's {min(images.shape[2:])} pixels"
            )
        from captum.attr import Occlusion as CaptumOcclusion  # here: it takes half a second

        with torch.no_grad():
            values = CaptumOcclusion(model).attribute(
                images.detach(),
                sliding_window_shapes=(images.shape[1], self.window, self.window),
                strides=(images.shape[1], self.stride, self.stride),
                baselines=filled(images, self.fill),
                target=targets,
                perturbations_per_eval=max(1, _PASS // len(images)),
            )
        return values[:, 0], None  # a window covers all channels: each has the whole loss
