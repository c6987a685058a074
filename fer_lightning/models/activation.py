"""Activations by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from torch import nn

from fer_lightning.errors import ConfigError
from fer_lightning.models.options import check_name

# None of them works in place: explanations hook the values before the activation.
_BUILD: Final[dict[str, Callable[[float], nn.Module]]] = {
    "relu": lambda _: nn.ReLU(),
    "selu": lambda _: nn.SELU(),
    "leaky_relu": lambda slope: nn.LeakyReLU(slope),
    "elu": lambda _: nn.ELU(),
    "gelu": lambda _: nn.GELU(),
    "silu": lambda _: nn.SiLU(),
    "prelu": lambda slope: nn.PReLU(init=slope),
}
ACTIVATIONS: Final = tuple(_BUILD)
SLOPED: Final = ("leaky_relu", "prelu")


def make_activation(name: str, slope: float = 0.1) -> nn.Module:
    """Build the activation called `name`.

    `slope` is the leak of `leaky_relu` and the start of `prelu`, which learns one slope for each layer
    (not one for each channel); the others ignore it.

    Raises
    ------
    ConfigError
        If `name` is unknown, or the slope is not in [0, 1].
    """
    check_name("model.activation", name, ACTIVATIONS)
    if isinstance(slope, bool) or not isinstance(slope, (int, float)) or not 0 <= slope <= 1:
        raise ConfigError(f"model.slope={slope}: expected a number in [0, 1]")
    return _BUILD[name](float(slope))
