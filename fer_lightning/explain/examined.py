"""What the functions of `fer_lightning.explain` are given, checked in one place before anything is computed.

Each error is one line that begins with the name of the argument and says what was expected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fer_lightning.config.values import check_keys, hints_of
from fer_lightning.data.input_range import LEVELS, InputRange, Scale, range_of, taking_levels
from fer_lightning.data.normalization import GREY_MAX
from fer_lightning.data.picture_arrays import as_tensor
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.explain.undisturbed import device_of, undisturbed
from fer_lightning.messages import one_line

Pictures = np.ndarray | Tensor
_LAYOUTS = {
    np.ndarray: "[N, H, W] or [N, H, W, 3] as a NumPy array, with at least one picture",
    Tensor: "[N, C, H, W] as a tensor, with at least one picture",
}


@dataclass(frozen=True, eq=False)
class Examined:
    """A network that takes levels 0–255, and pictures for it.

    Attributes
    ----------
    network
        Levels float ``[N, C, H, W]`` to logits ``[N, K]``.
    levels
        Float32 ``[N, C, H, W]``.
    classes
        K.
    """

    network: nn.Module
    levels: Tensor
    classes: int


def examine(model: nn.Module, images: Pictures, input_range: InputRange | None = None) -> Examined:
    """Check the network and the pictures that every explanation begins with, and bring both to levels.

    Raises
    ------
    DataError
        ``images`` are no pictures, hold NaN, or do not go with the network.
    ConfigError
        ``model`` is no network, or gives no logits; ``input_range`` is none.
    """
    pictures = _pictures(images)
    scale = _scale(pictures, input_range)
    check_module(model)
    network, levels = taking_levels(model, scale), scale.levels(pictures)
    of = f"images of shape {tuple(images.shape)}"
    return Examined(network, levels, _count_classes(model, network, levels, of, DataError))


def examine_size(
    model: nn.Module, image_size: int | tuple[int, int], channels: int, input_range: InputRange
) -> nn.Module:
    """Check a network on a black picture of a size, and return it as one that takes levels 0–255.

    Raises
    ------
    ConfigError
        The size or the channels do not go with the network, or it gives no logits.
    """
    size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise ConfigError(f"image_size={image_size}: expected pixels, or (height, width)")
    if channels not in (1, 3):
        raise ConfigError(f"channels={channels}: expected 1 for grey or 3 for RGB")
    blank = torch.zeros(1, channels, *size)
    scale = _scale(blank, input_range)
    check_module(model)
    network = taking_levels(model, scale)
    _count_classes(model, network, blank, f"image_size={image_size} and channels={channels}", ConfigError)
    return network


def class_indices(values: Any, name: str, found: Examined) -> np.ndarray:
    """Return one class for each picture, int64 ``[N]``; ``name`` is that of the argument.

    Raises
    ------
    DataError
        They are no whole numbers, not one for each picture, or not among the network's classes.
    """
    count = len(found.levels)
    expected = f"expected a whole number from 0 to {found.classes - 1} for each of {count} pictures"
    try:
        known = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)
    except ValueError as error:  # lists of several lengths
        raise DataError(f"{name}: lists of several lengths; {expected}") from error
    if known.dtype.kind not in "iu":
        raise DataError(f"{name}: {known.dtype} of shape {known.shape}; {expected}")
    if known.shape != (count,):
        raise DataError(f"{name} of shape {known.shape}: {expected}")
    wrong = np.flatnonzero((known < 0) | (known >= found.classes))
    if len(wrong):
        raise DataError(f"{name}[{wrong[0]}]={known[wrong[0]]}: {expected}")
    return known.astype(np.int64)


def check_settings(target: Any, settings: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the settings of a call, checked against what ``target`` takes; messages begin with ``prefix``.

    Raises
    ------
    ConfigError
        There is no such setting, or its value is out of range.
    """
    check_keys(settings, hints_of(target), prefix)
    return settings


def check_module(model: Any) -> None:
    """Refuse what is no network with a ConfigError."""
    if isinstance(model, type) or not isinstance(model, nn.Module):
        what = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
        raise ConfigError(f"model: {what}; expected a torch.nn.Module that maps pictures to logits [N, K]")


def failed(model: nn.Module, given: Tensor, error: Exception) -> str:
    """Return the line on a network that does not take what it is given."""
    text = f"{type(model).__name__} fails on a batch {list(given.shape)}: {one_line(error)}"
    first = next((each for each in model.modules() if isinstance(each, nn.Conv2d)), None)
    if first is not None and given.ndim == 4 and first.in_channels != given.shape[1]:
        return f"its first convolution takes {first.in_channels} channels, the batch has {given.shape[1]}; {text}"
    return text


def _pictures(images: Any) -> Tensor:
    """Return pictures as a tensor ``[N, C, H, W]`` of their own numbers."""
    kind = next((each for each in _LAYOUTS if isinstance(images, each)), None)
    if kind is None:
        both = " or ".join(_LAYOUTS.values())
        raise DataError(f"images: a {type(images).__name__}; expected {both}")
    shape = tuple(images.shape)
    hint = _layout_hint(images, shape)
    if hint is not None:
        raise DataError(f"images of shape {shape}: expected {_LAYOUTS[kind]}{hint}")
    if isinstance(images, np.ndarray):
        if images.dtype.kind not in "iuf":
            raise DataError(f"images of type {images.dtype}: expected whole numbers or floats")
        whole = images.astype(np.int64) if images.dtype.kind in "iu" and images.dtype != np.uint8 else images
        tensor = as_tensor(np.ascontiguousarray(whole))
    else:
        if images.is_complex() or images.dtype == torch.bool or images.layout != torch.strided:
            raise DataError(f"images of type {images.dtype}: expected whole numbers or floats")
        tensor = images.detach()
    if tensor.is_floating_point():
        finite = torch.isfinite(tensor).flatten(1).all(1)
        if not bool(finite.all()):
            bad = (~finite).nonzero().flatten().tolist()
            raise DataError(
                f"images: {len(bad)} of {len(finite)} pictures hold NaN or infinity, the first is images[{bad[0]}]; "
                "expected finite numbers"
            )
    return tensor


def _layout_hint(images: Pictures, shape: tuple[int, ...]) -> str | None:
    """Return what to write instead of pictures of another layout, or nothing; None where the layout is right."""
    axes, channels_last = len(shape), shape[-1:] == (3,)
    if isinstance(images, Tensor):
        if axes == 4 and 0 not in shape:
            last = channels_last and shape[1] not in (1, 3)
            return "; the channels come last here: images.permute(0, 3, 1, 2)" if last else None
        return "; one picture is images[None]" if axes == 3 and shape[0] in (1, 3) else ""
    if axes == 2 or (axes == 3 and channels_last):
        return "; one picture is images[None]"
    if axes == 4 and shape[3] == 1:
        return "; grey is images[..., 0]"
    if axes == 4 and not channels_last and shape[1] in (1, 3):
        return "; a tensor of this shape is torch.from_numpy(images)"
    return None if 0 not in shape and (axes == 3 or (axes == 4 and channels_last)) else ""


def _scale(pictures: Tensor, input_range: InputRange | None) -> Scale:
    """Return what is black and what is white, checked against the pictures."""
    if input_range is None:
        found = range_of(pictures)
        if found == LEVELS and not pictures.is_floating_point():
            low, high = int(pictures.min()), int(pictures.max())
            if low < 0 or high > GREY_MAX:
                raise DataError(
                    f"images: whole numbers from {low} to {high}; expected levels 0 to 255, or "
                    "input_range=(black, white)"
                )
        return Scale.of(found)
    scale = Scale.of(input_range)
    channels = pictures.shape[1]
    if {len(scale.black), len(scale.white)} - {1, channels}:
        raise ConfigError(
            f"input_range: {len(scale.black)} and {len(scale.white)} numbers; expected one each, or one for each of "
            f"{channels} channels"
        )
    return scale


def _count_classes(
    model: nn.Module, network: nn.Module, levels: Tensor, of: str, kind: type[DataError] | type[ConfigError]
) -> int:
    """Return how many logits the network gives, called with two pictures at most."""
    batch = levels[:2].to(device_of(model)).float()
    with undisturbed(model), torch.no_grad():
        try:
            logits: Any = network(batch)
        except Exception as error:
            raise kind(f"{of}: {failed(model, batch, error)}") from error
    name = type(model).__name__
    expected = f"expected logits [{len(batch)}, K], one row a picture"
    if not isinstance(logits, Tensor):
        raise ConfigError(
            f"model: {name} returns a {type(logits).__name__} for {of}; {expected}; a module that calls it and returns "
            "the logits may stand around it"
        )
    if logits.ndim != 2 or len(logits) != len(batch) or not logits.shape[1] or not logits.is_floating_point():
        raise ConfigError(f"model: {name} returns {logits.dtype} {list(logits.shape)} for {of}; {expected}")
    if not bool(torch.isfinite(logits).all()):
        raise ConfigError(f"model: {name} returns NaN or infinity for {of}; expected finite logits")
    return int(logits.shape[1])


def names_of(class_names: Sequence[str] | None, classes: int) -> tuple[str, ...]:
    """Return the names of the classes, numbers where there are none.

    Raises
    ------
    ConfigError
        There are not as many names as classes.
    """
    if class_names is None:
        return tuple(map(str, range(classes)))
    if isinstance(class_names, str) or len(class_names) != classes:
        raise ConfigError(
            f"class_names={class_names}: expected {classes}, one for each of the model's classes"
        )
    return tuple(map(str, class_names))
