"""The features by which a network decides: what its last layer with weights gets."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from fer_lightning.errors import ConfigError, DataError
from fer_lightning.explain.layers import calls_of, find_layer
from fer_lightning.explain.undisturbed import device_of, undisturbed


def last_layer(model: nn.Module, images: Tensor) -> str:
    """Return the name of the last layer with a matrix of weights that a forward pass goes through.

    Raises
    ------
    ConfigError
        There is none.
    """
    for call in reversed(calls_of(model, images)):
        if any(each.dim() >= 2 for each in call.module.parameters(recurse=False)):
            return call.name
    raise ConfigError("the network's forward pass goes through no layer with a matrix of weights")


def penultimate_features(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor, Tensor]]) -> np.ndarray:
    """Return what the last layer with weights gets for each face, in one forward pass in evaluation mode.

    Parameters
    ----------
    model
        Levels 0–255 ``[B, C, H, W]`` to logits.
    batches
        Levels, labels and positions, as `LabelledPictures.batches` gives them.

    Returns
    -------
    numpy.ndarray
        float32 ``[N, D]``; maps are averaged over all positions but those of the last axis of a sequence
        ``[B, T, D]`` or the channels of maps ``[B, D, h, w]``.

    Raises
    ------
    ConfigError
        There is no such layer, or it gets no tensor with a row for each face.
    DataError
        There are no faces.
    """
    found: list[Tensor] = []
    given: list[Tensor] = []
    handle = None
    try:
        with undisturbed(model), torch.no_grad():
            for images, _, _ in batches:
                levels = images.to(device_of(model)).float()
                if handle is None:
                    name = last_layer(model, levels[:1])
                    layer = find_layer(model, name)
                    handle = layer.register_forward_pre_hook(lambda _, inputs: given.extend(inputs[:1]))
                given.clear()
                model(levels)
                # A layer that is gone through several times gets the features that decide last.
                found.append(_rows(given[-1] if given else None, len(levels), name).float().cpu())
    finally:
        if handle is not None:
            handle.remove()
    if not found:
        raise DataError("no faces: expected at least one batch of them")
    return torch.cat(found).numpy()


def _rows(features: object, count: int, layer: str) -> Tensor:
    if not isinstance(features, Tensor) or features.dim() < 2 or len(features) != count:
        shape = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise ConfigError(f"the last layer, {layer}, gets {shape}; expected a row for each of {count} faces")
    if features.dim() == 2:
        return features
    return features.mean(dim=1) if features.dim() == 3 else features.flatten(2).mean(dim=2)
