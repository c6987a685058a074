"""How large a feature map comes out of convolutions and pools."""

from __future__ import annotations

import torch
from torch import nn

from fer_lightning.errors import ConfigError
from fer_lightning.models.modes import evaluation

_LARGER = 16
_LARGEST_MINIMUM = 4096


def conv_output_size(size: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """Return the output size of a convolution or pool in one direction, in pixels.

    `floor((size + 2·padding − kernel) / stride) + 1`; 0 or less if the kernel does not fit.
    """
    return (size + 2 * padding - kernel) // stride + 1


def layer_output_size(layer: nn.Module, size: int) -> int:
    """Return the height (= width) of the maps that `layer` makes of square maps of `size`."""
    if isinstance(layer, nn.ZeroPad2d):
        return size + layer.padding[0] + layer.padding[1]
    if isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
        kernel, stride, padding = (_one(v) for v in (layer.kernel_size, layer.stride, layer.padding))
        return conv_output_size(size, kernel, stride, padding)
    return size


def _one(value: object) -> int:
    first = value[0] if isinstance(value, tuple) else value
    if not isinstance(first, int):
        raise TypeError(f"expected a size in pixels, not {first!r}")
    return first


def feature_map_size(features: nn.Module, image_size: int) -> int:
    """Return the height (= width) of the maps that `features` makes; 0 if a layer does not fit the image.

    `features` is a chain: its layers are applied in the order of `modules()`.
    """
    size = image_size
    for layer in features.modules():
        size = layer_output_size(layer, size)
        if size < 1:
            return 0
    return size


def check_image_size(features: nn.Module, image_size: int) -> int:
    """Return `feature_map_size`.

    Raises
    ------
    ConfigError
        If the image is too small for the layers; names the smallest that is not.
    """
    size = feature_map_size(features, image_size)
    if size < 1:
        smallest = next(s for s in range(image_size, _LARGEST_MINIMUM) if feature_map_size(features, s))
        raise ConfigError(
            f"model.image_size={image_size}: too small for this model, expected at least {smallest}"
        )
    return size


def require_any_size(model: nn.Module, asked: str, size: int) -> None:
    """Refuse what makes images of another size for a net that takes images of ``size`` pixels only.

    A net says by its attribute ``any_size`` whether it takes others; one that has none is tried with larger images.

    Raises
    ------
    ConfigError
        Begins with ``asked``, such as ``crop=40``.
    """
    any_size = getattr(model, "any_size", None)
    if not (_takes(model, size + _LARGER) if any_size is None else any_size):
        raise ConfigError(
            f"{asked}: {type(model).__name__} takes images of {size} pixels only; "
            "expected a net for any size, such as model=fast"
        )


def _takes(model: nn.Module, size: int) -> bool:
    first = next(model.parameters(), torch.empty(0))
    weights = (each.weight for each in model.modules() if isinstance(each, nn.Conv2d))
    channels = next((weight.shape[1] for weight in weights), 1)
    try:
        with evaluation(model):
            model(torch.zeros(1, channels, size, size, device=first.device, dtype=first.dtype))
    except (AssertionError, RuntimeError, ValueError):
        return False
    return True
