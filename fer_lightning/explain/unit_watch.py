"""Units that never activate: what a network that is stuck has lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType

import torch
from torch import Tensor, nn

from fer_lightning.config.values import NotNegative, Share, checked
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.explain.examined import check_module, failed
from fer_lightning.explain.undisturbed import device_of, undisturbed

# For each of these the output is positive exactly where the input is.
ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish)
TOLERANCE = 1e-4
_BATCH = 64
# Small nets without norm that learn lose up to 70 % of a layer, those that are stuck up to 84 %: docs/explanations.md.
ALERT = 0.75


@dataclass(frozen=True)
class LayerUnits:
    """What the units of one activation layer did over a pass.

    A unit is a channel of a map or a dense neuron; a map's positions (channel, row, column) are also counted one
    by one, and a channel has a property when all its positions have it.

    Attributes
    ----------
    layer, activation
        Dotted name of the activation layer, and its kind, such as ``ReLU``.
    units, positions
        How many there are; equal for a dense layer.
    dead_units, dead_positions
        Never positive, and the same output for every input: a ReLU at 0, an SELU or ELU at its lower bound, a GELU
        or SiLU in its flat tail. Nothing of the input passes and no gradient comes back.
    constant_units
        The same output for every input, of either sign: dead, or fed by layers that are.
    silent_units
        Never positive. A ReLU that is silent is dead; a leaky ReLU that is silent still passes its input on, as a
        linear unit, and so do SELU and ELU short of their bound.
    """

    layer: str
    activation: str
    units: int
    positions: int
    dead_units: int
    dead_positions: int
    constant_units: int
    silent_units: int

    @property
    def dead(self) -> float:
        """Share of the units that are dead, in [0, 1]."""
        return self.dead_units / self.units

    @property
    def constant(self) -> float:
        """Share of the units whose output is the same for every input, in [0, 1]."""
        return self.constant_units / self.units

    @property
    def silent(self) -> float:
        """Share of the units that are never positive, in [0, 1]."""
        return self.silent_units / self.units


class UnitWatch:
    """Watches the activation layers of ``model`` while it is in a ``with``; the hooks go with it.

    It keeps the largest and the smallest output of every position over all forward passes, so a split may go
    through in batches of any size, and a training or validation epoch that runs anyway can be watched.

    Parameters
    ----------
    model
        The network; its activation layers are those of :data:`ACTIVATIONS`.
    tolerance
        Outputs that differ by no more than this, or this times their size when they are above 1, are the same.
        It decides how far into its flat part an SELU or GELU must be to be dead; for ReLU it is without effect.

    Raises
    ------
    ConfigError
        The model has no such layer, or ``tolerance`` is negative.
    """

    @checked()
    def __init__(self, model: nn.Module, tolerance: NotNegative = TOLERANCE) -> None:
        self.tolerance = tolerance
        self._layers = {name: each for name, each in model.named_modules() if isinstance(each, ACTIVATIONS)}
        if not self._layers:
            names = ", ".join(kind.__name__ for kind in ACTIVATIONS)
            raise ConfigError(
                f"the model has no activation layer: expected one of {names} as a module; functions such as "
                "torch.relu cannot be watched"
            )
        self._model = model
        self._calls: Counter[str] = Counter()
        self._dense = False  # whether what was passed last puts its units last
        self._extremes: dict[str, tuple[Tensor, Tensor]] = {}
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> UnitWatch:
        """Begin to watch."""
        self._handles.append(self._model.register_forward_pre_hook(lambda *_: self._calls.clear()))
        for module in self._model.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                self._handles.append(module.register_forward_hook(self._note_kind))
        for name, layer in self._layers.items():
            self._handles.append(layer.register_forward_hook(self.hook_for(name)))
        return self

    def _note_kind(self, module: nn.Module, inputs: object, output: object) -> None:
        self._dense = isinstance(module, nn.Linear)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def hook_for(self, name: str):  # type: ignore[no-untyped-def]
        """Return the hook that keeps a layer's largest and smallest outputs."""

        def hook(module: nn.Module, inputs: object, output: Tensor) -> None:
            self._calls[name] += 1
            # A layer that stands in several places is another layer in each of them.
            place = name if self._calls[name] == 1 else f"{name}#{self._calls[name]}"
            values = output.detach()
            low, high = _extremes(values.movedim(-1, 1) if self._dense and values.ndim > 2 else values)
            if place in self._extremes:
                before = self._extremes[place]
                low, high = torch.minimum(low, before[0]), torch.maximum(high, before[1])
            self._extremes[place] = low, high

        return hook

    def layers(self) -> list[LayerUnits]:
        """Return what was seen so far, from the first layer to the last; layers not passed are left out."""
        found = []
        order = {name: number for number, name in enumerate(self._layers)}
        for name in sorted(self._extremes, key=lambda place: order[place.partition("#")[0]]):
            layer = self._layers[name.partition("#")[0]]
            low, high = (each.flatten(1) if each.ndim > 1 else each[:, None] for each in self._extremes[name])
            silent = high <= 0
            constant = high - low <= self.tolerance * torch.maximum(high.abs(), low.abs()).clamp_min(1)
            dead = silent & constant
            found.append(
                LayerUnits(
                    layer=name,
                    activation=type(layer).__name__,
                    units=len(dead),
                    positions=dead.numel(),
                    dead_units=int(dead.all(1).sum()),
                    dead_positions=int(dead.sum()),
                    constant_units=int(constant.all(1).sum()),
                    silent_units=int(silent.all(1).sum()),
                )
            )
        return found


def _extremes(output: Tensor) -> tuple[Tensor, Tensor]:
    """Return the smallest and the largest output of every position over a batch."""
    if output.ndim != 4:
        return output.amin(0), output.amax(0)
    # As rows in the order of the memory: torch's own reduction over a batch of maps takes nine times as long.
    last = output.is_contiguous(memory_format=torch.channels_last)
    maps = output.permute(0, 2, 3, 1) if last else output
    low, high = (each.view(maps.shape[1:]) for each in _column_extremes(maps.flatten(1)))
    return (low.permute(2, 0, 1), high.permute(2, 0, 1)) if last else (low, high)


def _column_extremes(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the smallest and the largest value of every column; on a processor NumPy takes half of torch's time."""
    if rows.device.type == "cpu" and rows.dtype == torch.float32:
        values = rows.numpy()
        return torch.from_numpy(values.min(0)), torch.from_numpy(values.max(0))
    return rows.amin(0), rows.amax(0)


@torch.no_grad()
def dead_units(
    model: nn.Module, batches: Iterable[Tensor | Sequence[Tensor]], tolerance: float = TOLERANCE
) -> list[LayerUnits]:
    """Count the units of each activation layer that never activate over a pass in evaluation mode.

    Parameters
    ----------
    model
        The network; it is left as it was.
    batches
        Inputs ``[B, …]`` as the model takes them, alone or at the head of a batch such as ``(images, labels)``; or one
        tensor of all. A hundred faces tell little: a unit that is on for one
        face in a thousand is not dead.
    tolerance
        See :class:`UnitWatch`.

    Raises
    ------
    ConfigError
        The model has no activation layer.
    DataError
        There is no batch, or the model does not take one.
    """
    check_module(model)
    device = device_of(model)
    with undisturbed(model), UnitWatch(model, tolerance) as watch:
        for number, batch in enumerate(batches.split(_BATCH) if isinstance(batches, Tensor) else batches):
            images = batch[0] if isinstance(batch, (tuple, list)) and batch else batch
            if not isinstance(images, Tensor) or 0 in images.shape:
                raise DataError(
                    f"batches: the one at {number} is a {type(batch).__name__} without a tensor of inputs at its head; "
                    "expected tensors [B, …], or (inputs, …)"
                )
            try:
                model(images.to(device))
            except Exception as error:
                raise DataError(f"batches: {failed(model, images, error)}") from error
    layers = watch.layers()
    if not layers:
        raise DataError(
            "batches: none goes through an activation layer; expected at least one batch that does"
        )
    return layers


def dead_share(layers: Sequence[LayerUnits]) -> float:
    """Return the share of dead units over all layers together, in [0, 1]."""
    return sum(layer.dead_units for layer in layers) / sum(layer.units for layer in layers)


@checked()
def dead_alert(layers: Sequence[LayerUnits], threshold: Share = ALERT) -> str:
    """Return one sentence on the layers with a share of dead or constant units above ``threshold``, or nothing."""
    bad = [layer for layer in layers if max(layer.dead, layer.constant) > threshold]
    if not bad:
        return ""
    worst = max(bad, key=lambda layer: (layer.dead, layer.constant))
    more = len(bad) - 1
    others = f", and more than {100 * threshold:g} % in {more} other layer{'s' * (more > 1)}" if more else ""
    return (
        f"dead units: in {worst.layer} {worst.dead_units:,} of {worst.units:,} never activate and "
        f"{worst.constant_units:,} give the same output for every image{others}; "
        "the input may be unscaled or the learning rate too high"
    )
