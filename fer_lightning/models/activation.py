"""Activations by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from torch import nn

from fer_lightning.config.values import Share, checked
from fer_lightning.models.options import Activation

# None of them works in place: explanations hook the values before the activation.
_BUILD: Final[dict[Activation, Callable[[float], nn.Module]]] = {
    "relu": lambda _: nn.ReLU(),
    "selu": lambda _: nn.SELU(),
    "leaky_relu": lambda slope: nn.LeakyReLU(slope),
    "elu": lambda _: nn.ELU(),
    "gelu": lambda _: nn.GELU(),
    "silu": lambda _: nn.SiLU(),
    "prelu": lambda slope: nn.PReLU(init=slope),
}
SLOPED: Final = ("leaky_relu", "prelu")


@checked("model.")
def make_activation(activation: Activation, slope: Share = 0.1) -> nn.Module:
    """Build the activation called `activation`.

    `slope` is the leak of `leaky_relu` and the start of `prelu`, which learns one slope for each layer
    (not one for each channel); the others ignore it.
    """
    return _BUILD[activation](float(slope))
