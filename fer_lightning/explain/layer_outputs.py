"""What each layer makes of one face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from fer_lightning.errors import ConfigError
from fer_lightning.explain.layers import convolutions, find_layer, recorded
from fer_lightning.explain.undisturbed import device_of, undisturbed


def block_layers(model: nn.Module) -> list[str]:
    """Return the names of the blocks of ``features`` that hold convolutions, else of the convolutions.

    Raises
    ------
    ConfigError
        The network has no convolution.
    """
    names = list(convolutions(model))
    if not names:
        raise ConfigError("layer: the network has no convolution, so it has no feature maps; expected a CNN")
    for prefix, module in model.named_modules():
        if prefix.rpartition(".")[2] == "features":
            blocks = [f"{prefix}.{name}" for name, child in module.named_children() if convolutions(child)]
            return blocks if len(blocks) > 1 else names
    return names


def feature_maps(
    model: nn.Module, image: Tensor, layers: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Return the outputs of layers for one face, from the first to the last, by layer name.

    Parameters
    ----------
    model
        Maps levels, float ``[N, C, H, W]``, to logits.
    image
        One face in levels, ``[1, C, H, W]``, ``[C, H, W]`` or ``[H, W]``.
    layers
        Names of layers that put out maps; by default every block of the network.

    Returns
    -------
    dict
        float32 ``[K, h, w]`` for each layer.

    Raises
    ------
    ConfigError
        A layer does not exist or puts out no maps, there is more than one face, or no convolution.
    """
    if not 2 <= image.ndim <= 4 or (image.ndim == 4 and len(image) != 1):
        raise ConfigError(f"image has shape {tuple(image.shape)}; expected one face [1, C, H, W]")
    names = block_layers(model) if layers is None else list(layers)
    modules = {name: find_layer(model, name) for name in names}
    device = device_of(model)
    batch = image[(None,) * (4 - image.ndim)].to(device).float()
    with undisturbed(model), torch.no_grad(), recorded(modules) as outputs:
        model(batch)
        for name in names:
            if name not in outputs or outputs[name].dim() != 4:
                raise ConfigError(
                    f"layer={name}: it puts out no maps; expected a layer before the flattening"
                )
        return {name: outputs[name][0].float().cpu().numpy() for name in names}
