"""The layers of a network by name, and a network that ends at one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from fer_lightning.errors import ConfigError, nearest
from fer_lightning.models.modes import evaluation


@dataclass(frozen=True)
class Call:
    """A module's part in a forward pass: its dotted name, and the shape that it put out; ``None`` for no tensor."""

    name: str
    module: nn.Module
    shape: tuple[int, ...] | None

    @property
    def gives_maps(self) -> bool:
        """Whether the output is maps, ``[N, K, h, w]``."""
        return self.shape is not None and len(self.shape) == 4


def calls_of(model: nn.Module, images: Tensor) -> list[Call]:
    """Return the calls of a pass in evaluation mode, in the order in which they end; the model is left as it was."""
    calls: list[Call] = []

    def note(name: str) -> Any:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            calls.append(Call(name, module, tuple(output.shape) if isinstance(output, Tensor) else None))

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in model.named_modules() if name]
    try:
        with evaluation(model):
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def convolutions(model: nn.Module, images: Tensor | None = None) -> dict[str, nn.Conv2d]:
    """Return the convolutions by their dotted names, from the first to the last.

    With ``images`` those that a pass goes through, in its order; else all, in the order in which the network has them.
    """
    if images is not None:
        return {
            call.name: call.module for call in calls_of(model, images) if isinstance(call.module, nn.Conv2d)
        }
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
            outputs[name] = output.clone()  # what follows may work in place

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
