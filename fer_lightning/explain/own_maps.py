"""The map of one filter an image: what gradient ascent climbs, without the maps of all the other filters."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_lightning.explain.layers import activation_of
from fer_lightning.explain.pre_activation import as_maps

FEW_CHANNELS = 8  # with 64 input channels a grouped convolution on a CPU takes as long as computing all maps


class _ReachedError(Exception):
    """Ends a forward pass before the layer that was asked for."""


def input_of(model: nn.Module, layer: nn.Module, images: Tensor) -> Tensor:
    """Return what ``layer`` takes in for ``images``; neither the layer nor what is behind it is computed."""
    found: list[Tensor] = []

    def stop(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.append(inputs[0])
        raise _ReachedError

    handle = layer.register_forward_pre_hook(stop)
    try:
        model(images)
    except _ReachedError:
        pass
    finally:
        handle.remove()
    return found[0]


def own_maps(
    model: nn.Module, layer: nn.Module, behind: nn.Module, images: Tensor, filters: Tensor, name: str
) -> Tensor:
    """Return for each image the pre-activation of its own filter, ``[N, h, w]``.

    Parameters
    ----------
    model
        The whole network, in evaluation mode.
    layer, behind
        A layer, and the module that ends its pre-activation (see `pre_activation`).
    images, filters
        ``[N, C, H, W]``, and int64 ``[N]``: the filter of each.
    name
        The layer's, for messages.
    """
    if not _separable(layer, behind):
        maps = as_maps(activation_of(model, behind, images), name)
        return maps[torch.arange(len(images), device=images.device), filters]
    assert isinstance(layer, nn.Conv2d)
    inputs = input_of(model, layer, images)
    bias = None if layer.bias is None else layer.bias[filters]
    # One group an image, so that each meets only the weights of its own filter.
    maps = F.conv2d(
        inputs.reshape(1, -1, *inputs.shape[2:]),
        layer.weight[filters],
        bias,
        layer.stride,
        layer.padding,
        layer.dilation,
        groups=len(images),
    )[0]
    if not isinstance(behind, nn.BatchNorm2d):
        return maps
    assert behind.running_mean is not None
    assert behind.running_var is not None
    scale = (behind.running_var[filters] + behind.eps).rsqrt()
    if behind.weight is not None:
        scale = scale * behind.weight[filters]
    offset = 0.0 if behind.bias is None else behind.bias[filters][:, None, None]
    return (maps - behind.running_mean[filters][:, None, None]) * scale[:, None, None] + offset


def _separable(layer: nn.Module, behind: nn.Module) -> bool:
    """Return whether one filter's map can be had alone, and is cheaper so."""
    if not isinstance(layer, nn.Conv2d) or layer.groups != 1 or layer.padding_mode != "zeros":
        return False
    plain = behind is layer or (isinstance(behind, nn.BatchNorm2d) and behind.running_mean is not None)
    return plain and layer.in_channels <= FEW_CHANNELS
