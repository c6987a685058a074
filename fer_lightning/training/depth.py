"""The parts of a net from its input to its head: to freeze some of them, and to train the deep ones more slowly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch.optim import Optimizer

from fer_lightning.errors import ConfigError, nearest

_LISTS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass
class Part:
    """A part of a net: its name, and its parameters by their dotted names."""

    name: str
    parameters: dict[str, nn.Parameter] = field(default_factory=dict)


def parts_of(model: nn.Module) -> list[Part]:
    """Return the parts of a net from its input to its head.

    A part is an immediate child of the net, or of one of its lists (``Sequential``, ``ModuleList``): a block, a stage.
    A wrapper around a single module counts as that module. Parameters of the net itself (a position embedding) belong
    to the first part, and a part of nothing but vectors (a norm) to the part before it.
    """
    names: dict[int, str] = {id(parameter): name for name, parameter in model.named_parameters()}
    prefix = ""
    while len(children := _children(model)) == 1 and not list(model.parameters(recurse=False)):
        (name, model) = children[0]
        prefix += f"{name}."
    found = [Part("", _named(model.parameters(recurse=False), names))]
    for name, child in _units(model):
        part = Part(f"{prefix}{name}", _named(child.parameters(), names))
        vectors = all(parameter.dim() < 2 for parameter in part.parameters.values())
        if vectors or not _matrices(found[-1]):
            found[-1].parameters |= part.parameters
            found[-1].name = part.name if not vectors else found[-1].name
        else:
            found.append(part)
    return found


def _children(model: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(name, child) for name, child in model.named_children() if any(True for _ in child.parameters())]


def _units(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, child in _children(model):
        within = _children(child) if isinstance(child, _LISTS) else []
        yield from [(f"{name}.{inner}", part) for inner, part in within] or [(name, child)]


def _named(parameters: Iterable[nn.Parameter], names: dict[int, str]) -> dict[str, nn.Parameter]:
    return {names[id(parameter)]: parameter for parameter in parameters if id(parameter) in names}


def _matrices(part: Part) -> bool:
    return bool(part.name) and any(parameter.dim() > 1 for parameter in part.parameters.values())


def freeze(model: nn.Module, asked: int | str | Sequence[str]) -> None:
    """Freeze parts of a net: their weights, the statistics of their norms, and their dropout.

    Parameters
    ----------
    asked
        How many parts, counted from the input (see `parts_of`); or the dotted name of a module or parameter, or
        several names.

    Raises
    ------
    ConfigError
        The net has fewer parts, none of this name, or nothing is left to train.
    """
    if isinstance(asked, int):
        parts = parts_of(model)
        if asked >= len(parts):
            listed = ", ".join(part.name for part in parts)
            raise ConfigError(
                f"model.freeze={asked}: the net has {len(parts)} parts ({listed}); expected at most {len(parts) - 1}"
            )
        frozen = [parameter for part in parts[:asked] for parameter in part.parameters.values()]
    else:
        names = [asked] if isinstance(asked, str) else list(asked)
        frozen = [parameter for name in names for parameter in _below(model, name)]
    for parameter in frozen:
        parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError(f"model.freeze={asked}: nothing is left to train")
    for module in frozen_modules(model):
        module.register_forward_pre_hook(_evaluate)


def _below(model: nn.Module, name: str) -> list[nn.Parameter]:
    found = [
        parameter
        for full, parameter in model.named_parameters()
        if full == name or full.startswith(f"{name}.")
    ]
    if not found:
        known = [
            full for full, module in model.named_modules() if full and any(True for _ in module.parameters())
        ]
        raise ConfigError(f"model.freeze={name}: no such part with parameters; {nearest(name, known)}")
    return found


def frozen_modules(model: nn.Module) -> set[nn.Module]:
    """Return the modules of which no parameter is trained, and everything within them."""
    found: set[nn.Module] = set()
    for module in model.modules():
        trained = [parameter.requires_grad for parameter in module.parameters()]
        if trained and not any(trained):
            found.update(module.modules())
    return found


def _evaluate(module: nn.Module, inputs: object) -> None:
    module.training = False


def with_layer_decay(
    make: Callable[..., Optimizer], model: nn.Module, decay: float
) -> Callable[[Iterable[nn.Parameter]], Optimizer]:
    """Return what makes an optimizer whose learning rate falls with the distance from the head.

    A part that is n parts below the head has its rate times ``decay``ⁿ (Clark et al., "ELECTRA", 2020; Bao et al.,
    "BEiT", 2022). The head's groups come first, so that the first group has the whole rate.
    """

    def decayed(parameters: Iterable[nn.Parameter]) -> Optimizer:
        optimizer = make(parameters)
        parts = parts_of(model)
        below = {
            id(parameter): len(parts) - 1 - number
            for number, part in enumerate(parts)
            for parameter in part.parameters.values()
        }
        groups: list[dict[str, Any]] = []
        for group in optimizer.param_groups:
            for distance in range(len(parts)):
                chosen = [each for each in group["params"] if below.get(id(each), 0) == distance]
                if chosen:
                    groups.append({**group, "params": chosen, "lr": group["lr"] * decay**distance})
        optimizer.param_groups[:] = groups
        return optimizer

    return decayed
