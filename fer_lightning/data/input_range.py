"""The numbers that stand for black and white in a network's input, and the way to levels 0–255 and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fer_lightning.data.normalization import GREY_MAX
from fer_lightning.errors import ConfigError

Bound = float | Sequence[float]
InputRange = tuple[Bound, Bound]
LEVELS: InputRange = (0.0, GREY_MAX)
_USUAL = ((0.0, 1.0), (-1.0, 1.0), LEVELS)


def standardized_range(mean: Sequence[float], std: Sequence[float]) -> InputRange:
    """Return the range of pictures in [0, 1] of which each channel's mean was subtracted and which ``std`` divides.

    Examples
    --------
    >>> standardized_range([0.5], [0.25])
    ([-2.0], [2.0])
    """
    pairs = list(zip(mean, std, strict=True))
    return [-each / spread for each, spread in pairs], [(1 - each) / spread for each, spread in pairs]


def range_of(images: Tensor) -> InputRange:
    """Return the range that pictures ``[N, C, H, W]`` seem to have.

    It is 0–255 for whole numbers; else the first of [0, 1], [-1, 1] and [0, 255] that holds all values; else each
    channel's smallest and largest value.
    """
    if not images.is_floating_point():
        return LEVELS
    low, high = (each.tolist() for each in (images.amin(dim=(0, 2, 3)), images.amax(dim=(0, 2, 3))))
    for usual in _USUAL:
        if usual[0] <= min(low) and max(high) <= usual[1]:
            return usual
    return low, high


@dataclass(frozen=True, eq=False)
class Scale:
    """What is black and what is white, float32 ``[C]`` or ``[1]`` each, channel by channel.

    Raises
    ------
    ConfigError
        White is not above black in each channel.
    """

    black: Tensor
    white: Tensor

    def __post_init__(self) -> None:
        """Check that there is a range."""
        fits = len(self.black) == len(self.white) or 1 in (len(self.black), len(self.white))
        if not fits or not bool((self.white > self.black).all()):
            raise ConfigError(
                f"input_range=({self.black.tolist()}, {self.white.tolist()}): expected numbers for black and white, "
                "the second above the first, or as many of each as there are channels"
            )

    @classmethod
    def of(cls, input_range: InputRange) -> Scale:
        """Return the scale of a range as a person writes it: two numbers, or two sequences of one a channel."""
        try:
            black, white = (torch.as_tensor(bound, dtype=torch.float32).reshape(-1) for bound in input_range)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"input_range={input_range!r}: expected (black, white), two numbers or two sequences of one a channel"
            ) from error
        return cls(black, white)

    @property
    def is_levels(self) -> bool:
        """Whether the numbers are levels already."""
        return bool((self.black == 0).all() and (self.white == GREY_MAX).all())

    def levels(self, images: Tensor) -> Tensor:
        """Return pictures ``[N, C, H, W]`` of this scale as float32 levels 0–255."""
        if self.is_levels:
            return images.float()
        black, white = (each.to(images.device)[:, None, None] for each in (self.black, self.white))
        return (images.float() - black) * (GREY_MAX / (white - black))


class InLevels(nn.Module):
    """A network of any input range as one that takes levels 0–255, as all explanations do.

    Parameters
    ----------
    model
        Maps float ``[N, C, H, W]`` of ``scale`` to logits ``[N, K]``.
    """

    black: Tensor
    factor: Tensor

    def __init__(self, model: nn.Module, scale: Scale) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("black", scale.black[:, None, None])
        self.register_buffer("factor", (scale.white - scale.black)[:, None, None] / GREY_MAX)
        self.train(model.training)

    def forward(self, images: Tensor) -> Tensor:
        """Return the model's logits of levels ``[N, C, H, W]``."""
        logits: Tensor = self.model(images * self.factor + self.black)
        return logits


def taking_levels(model: nn.Module, scale: Scale) -> nn.Module:
    """Return a network that takes levels: the model itself where it does."""
    if scale.is_levels:
        return model
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    return InLevels(model, scale).to(device)
