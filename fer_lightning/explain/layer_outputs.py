"""What each layer makes of one face."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from fer_lightning.errors import ConfigError
from fer_lightning.explain.layers import calls_of, convolutions, find_layer, recorded
from fer_lightning.explain.undisturbed import device_of, undisturbed


def block_layers(model: nn.Module, image: Tensor) -> list[str]:
    """Return the names of the blocks between which a network's convolutions are parted, from the first to the last.

    They are found in one pass: the outermost modules that put out maps, where there are several, such as the stages of
    a ResNet; else the convolutions themselves.

    Raises
    ------
    ConfigError
        The network has no convolution.
    """
    names = list(convolutions(model, image))
    if not names:
        raise ConfigError("layer: the network has no convolution, so it has no feature maps; expected a CNN")
    maps = {call.name for call in calls_of(model, image) if call.gives_maps}

    def below(prefix: str) -> list[str]:
        return list(
            dict.fromkeys(
                prefix + name.removeprefix(prefix).split(".")[0] for name in names if name.startswith(prefix)
            )
        )

    def blocks(prefix: str) -> list[str]:
        return [each for name in below(prefix) for each in ([name] if name in maps else blocks(f"{name}."))]

    prefix = ""
    while len(inner := below(prefix)) == 1 and inner[0] not in names:
        prefix = f"{inner[0]}."
    return blocks(prefix)


def kinds_of_layers(model: nn.Module, names: Iterable[str]) -> dict[str, str]:
    """Return the class of each of a network's layers by its dotted name, such as ``Conv2d``."""
    return {name: type(find_layer(model, name)).__name__ for name in names}


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
    batch = image[(None,) * (4 - image.ndim)].to(device_of(model)).float()
    names = block_layers(model, batch) if layers is None else list(layers)
    modules = {name: find_layer(model, name) for name in names}
    with undisturbed(model), torch.no_grad(), recorded(modules) as outputs:
        model(batch)
        for name in names:
            if name not in outputs or outputs[name].dim() != 4:
                raise ConfigError(
                    f"layer={name}: it puts out no maps; expected a layer before the flattening"
                )
        return {name: outputs[name][0].float().cpu().numpy() for name in names}
