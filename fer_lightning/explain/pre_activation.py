"""What a filter computes before its activation function, and how strongly an image drives it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from fer_lightning.errors import ConfigError
from fer_lightning.explain.layers import convolutions, find_layer

_NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)


def pre_activation(model: nn.Module, name: str) -> nn.Module:
    """Return the module whose output the activation function behind layer ``name`` sees.

    That is the norm layer where one follows directly, else the layer itself. Behind a batch norm zero is the
    activation's threshold, and a filter that the norm turns over (negative weight) is turned over here too.

    Raises
    ------
    ConfigError
        There is no such layer.
    """
    layer = find_layer(model, name)
    for parent in model.modules():
        children = list(parent.children())
        for child, following in pairwise(children):
            if child is layer and isinstance(parent, nn.Sequential) and isinstance(following, _NORMS):
                return following
    return layer


def filter_layers(model: nn.Module, count: int = 4, images: Tensor | None = None) -> list[str]:
    """Return the names of ``count`` convolutions from the first to the last, evenly spaced in depth.

    With ``images`` of those that a pass goes through.

    Raises
    ------
    ConfigError
        The network has no convolution, or ``count`` is not positive.
    """
    if count < 1:
        raise ConfigError(f"layers={count}: expected at least one")
    names = list(convolutions(model, images))
    if not names:
        raise ConfigError("layer: the network has no convolution, so it has no filters; expected a CNN")
    if count >= len(names):
        return names
    if count == 1:
        return names[:1]
    return [names[round(i * (len(names) - 1) / (count - 1))] for i in range(count)]


def as_maps(output: Tensor, name: str) -> Tensor:
    """Return a layer's output as maps ``[N, K, h, w]``; a dense layer's units are maps of one pixel.

    Raises
    ------
    ConfigError
        It is neither ``[N, K, h, w]`` nor ``[N, K]``.
    """
    if output.dim() == 2:
        return output[:, :, None, None]
    if output.dim() != 4:
        raise ConfigError(
            f"layer={name}: its output has shape {tuple(output.shape)}; expected maps [N, K, h, w]"
        )
    return output


def response(maps: Tensor) -> Tensor:
    """Return how strongly each image drives each filter: the mean of the positive part of its map.

    ``maps`` are pre-activations ``[N, K, h, w]``; the result is ``[N, K]`` and never negative. Zero means that
    a rectifier lets nothing of the filter through.
    """
    return torch.relu(maps).mean(dim=(2, 3))


def check_filters(filters: Sequence[int] | None, count: int, name: str) -> list[int]:
    """Return the filters asked for, by default all ``count``.

    Raises
    ------
    ConfigError
        A number is not one of the layer's.
    """
    if filters is None:
        return list(range(count))
    wrong = [each for each in filters if not 0 <= each < count]
    if wrong or not filters:
        raise ConfigError(f"filters={wrong or []}: layer {name} has the filters 0 to {count - 1}")
    return list(filters)
