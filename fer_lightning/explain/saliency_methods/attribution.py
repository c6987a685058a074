"""What a saliency method is, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from torch import Tensor, nn

Display = Literal["magnitude", "positive"]


class Method(Protocol):
    """A way to say how much each pixel counts for a class.

    Attributes
    ----------
    name
        As in ``METHODS`` or ``CONTROLS``.
    display
        How signed values become a picture: their ``magnitude``, or their ``positive`` part.
    """

    name: str
    display: Display

    def attribute(self, model: nn.Module, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return signed values ``[N, H, W]`` and, where the method has one, its completeness error ``[N]``.

        Called within ``undisturbed(model)``, with images float ``[N, C, H, W]`` (levels 0–255) and
        targets int64 ``[N]`` on the model's device.
        """

    @property
    def settings(self) -> str:
        """The method's settings in a few words, for captions; empty where there are none."""


@dataclass(frozen=True, eq=False)
class Attribution:
    """How much each pixel of each face counts for a class.

    Attributes
    ----------
    signed
        float32 ``[N, H, W]``: above 0 speaks for the class. Logits per level (gradients) or logits.
    targets
        int64 ``[N]``: the class each map is about.
    method, settings
        The method's name, and its settings in words.
    display
        Whether :attr:`maps` are the magnitude or the positive part.
    completeness_error
        float32 ``[N]``, logits: what the values' sum misses of f(face) − f(baseline); ``None`` for methods
        that promise no sum.
    """

    signed: np.ndarray
    targets: np.ndarray
    method: str
    settings: str = ""
    display: Display = "magnitude"
    completeness_error: np.ndarray | None = None

    @property
    def maps(self) -> np.ndarray:
        """The picture: float32 ``[N, H, W]``, at least 0."""
        return np.abs(self.signed) if self.display == "magnitude" else np.maximum(self.signed, 0.0)

    @property
    def difference(self) -> np.ndarray | None:
        """Return f(face) − f(baseline), float32 ``[N]``: the values' sum minus its error."""
        if self.completeness_error is None:
            return None
        return np.asarray(self.signed.sum(axis=(1, 2)) - self.completeness_error)
