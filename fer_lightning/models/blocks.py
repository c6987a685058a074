"""The blocks that every model is composed of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from fer_lightning.models.activation import make_activation
from fer_lightning.models.dropout import make_dropout
from fer_lightning.models.norm import make_norm
from fer_lightning.models.options import Activation, Norm, NormPosition


def sequential(layers: Mapping[str, nn.Module]) -> nn.Sequential:
    """Build a Sequential whose children have the given names, so that a layer can be asked for by name."""
    return nn.Sequential(OrderedDict(layers))


@dataclass(frozen=True)
class Blocks:
    """Builds blocks of layers with one activation, norm and set of dropout rates.

    `dropout` gives the rate of each place by name. Each method returns layers by name, in order.
    """

    activation: Activation
    slope: float
    norm: Norm
    norm_position: NormPosition
    dropout: Mapping[str, float]
    alpha_dropout: bool = False

    def norm_layer(self, channels: int, *, maps: bool, number: int | str = "") -> dict[str, nn.Module]:
        """Return the norm layer, or nothing for `none`."""
        layer = make_norm(self.norm, channels, maps=maps)
        return {} if layer is None else {f"norm{number}": layer}

    def dropout_layer(self, place: str) -> dict[str, nn.Module]:
        """Return the dropout layer of `place`, or nothing where its rate is 0."""
        layer = make_dropout(self.dropout[place], alpha=self.alpha_dropout)
        return {} if layer is None else {"dropout": layer}

    def convolution(
        self,
        inputs: int,
        filters: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        bias: bool = True,
        number: int | str = "",
    ) -> dict[str, nn.Module]:
        """Return convolution, norm and activation; `padding` None keeps the map's size at stride 1.

        A `bias` has no effect under a norm. `number` is appended to the layers' names, for blocks of several
        convolutions.
        """
        padding = kernel // 2 if padding is None else padding
        conv = nn.Conv2d(inputs, filters, kernel, stride=stride, padding=padding, bias=bias)
        return {f"conv{number}": conv} | self._activated(filters, maps=True, number=number)

    def dense(self, inputs: int, units: int, place: str, *, norm: bool = True) -> nn.Sequential:
        """Return a block of linear layer, norm (if `norm` is True), activation and dropout of `place`."""
        layers: dict[str, nn.Module] = {"linear": nn.Linear(inputs, units)}
        layers |= self._activated(units, maps=False, norm=norm)
        return sequential(layers | self.dropout_layer(place))

    def _activated(
        self, channels: int, *, maps: bool, number: int | str = "", norm: bool = True
    ) -> dict[str, nn.Module]:
        normed = self.norm_layer(channels, maps=maps, number=number) if norm else {}
        activation = {f"activation{number}": make_activation(self.activation, self.slope)}
        return normed | activation if self.norm_position == "before" else activation | normed
