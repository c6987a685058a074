"""The layers of a network by name, and a network that ends at one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from fer_lightning.errors import ConfigError, nearest


def convolutions(model: nn.Module) -> dict[str, nn.Conv2d]:
    """Return the convolutions by their dotted names, from the first to the last."""
    return {name: module for name, module in model.named_modules() if isinstance(module, nn.Conv2d)}


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """Return the submodule with this dotted name; a leading ``model.`` may be left out.

    Raises
    ------
    ConfigError
        There is none; the message names the nearest.
    """
    known = dict(model.named_modules())
    for candidate in (name, f"model.{name}"):
        if candidate and candidate in known:
            return known[candidate]
    raise ConfigError(f"layer={name}: no such layer; {nearest(name, [each for each in known if each])}")


class _ReachedError(Exception):
    """Ends a forward pass at the layer that was asked for."""


@contextmanager
def recorded(layers: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Collect the outputs of ``layers`` in every forward pass within this context; the hooks go with it."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> object:
        def hook(module: nn.Module, inputs: object, output: Tensor) -> None:
            outputs[name] = output

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in layers.items()]  # type: ignore[arg-type]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def activation_of(model: nn.Module, layer: nn.Module, images: Tensor) -> Tensor:
    """Return what ``layer`` puts out for ``images``; nothing behind the layer is computed.

    Parameters
    ----------
    model
        The whole network.
    layer
        One of its submodules, such as a convolution: then this is its pre-activation, ``[N, K, H, W]``.
    images
        float ``[N, 1, H, W]``, as the model takes them.

    Raises
    ------
    ConfigError
        The forward pass does not go through the layer.
    """
    found: list[Tensor] = []

    def stop(module: nn.Module, inputs: object, output: Tensor) -> None:
        found.append(output)
        raise _ReachedError

    handle = layer.register_forward_hook(stop)
    try:
        model(images)
    except _ReachedError:
        return found[0]
    finally:
        handle.remove()
    raise ConfigError("layer: the network's forward pass does not go through it")


def sizes(model: nn.Module, image_size: int) -> dict[str, tuple[int, ...]]:
    """Return the output size of every convolution, ``(K, H, W)`` by name, for square images of ``image_size``."""
    layers: dict[str, nn.Module] = dict(convolutions(model))
    device = next(model.parameters()).device
    with torch.no_grad(), recorded(layers) as outputs:
        model(torch.zeros(1, 1, image_size, image_size, device=device))
    return {name: tuple(output.shape[1:]) for name, output in outputs.items()}
