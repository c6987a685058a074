"""Initial weights from a file: a checkpoint of this project or of Lightning, or a plain state dict."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fer_lightning.config.typed import typed_path
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.runs.removed_checkpoints import why_removed

_SHOWN = 4
_DEEPEST = 3  # names before the net's own, such as state_dict's model.backbone.


def load_plain(path: Path, hint: str) -> Any:
    """Return what a file of ``torch.save`` holds, on the CPU; only tensors and plain values are ever unpickled.

    Raises
    ------
    DataError
        The file is damaged, or holds other objects; the message ends with ``hint``.
    """
    # PyTorch maps a file by its name alone, and takes no name with bytes that are no UTF-8; files that versions before
    # 1.6 wrote are no zip files, and are read at once.
    named = str(path) == str(path).encode(errors="replace").decode()
    try:
        if not path.stat().st_size:
            raise DataError(f"{path}: not a readable checkpoint (it is empty)")
        mapped = named and zipfile.is_zipfile(path)
        with path.open("rb") as stream:
            return torch.load(path if mapped else stream, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path}: not a readable checkpoint, or one with other programs' objects, which are never loaded; {hint}"
        ) from error
    except (RuntimeError, zipfile.BadZipFile, EOFError, ValueError, LookupError, OSError) as error:
        if getattr(error, "filename", None) is not None:
            raise  # the file cannot be opened
        # What the system says of a file that ends too early, "Invalid argument", says nothing to a person.
        said = "it is cut short" if isinstance(error, OSError) else str(error) or "damaged"
        raise DataError(f"{path}: not a readable checkpoint ({said.splitlines()[0]})") from error


def read_weights(path: str) -> dict[str, Tensor]:
    """Return the tensors of a file by name: those of its largest mapping of tensors, such as ``state_dict``.

    Raises
    ------
    ConfigError
        There is no such file.
    DataError
        It is damaged, or holds no tensors.
    """
    place, asked = typed_path(path), f"model.weights={path}"
    if not place.is_file():
        raise ConfigError(f"{asked}: no such file; expected a checkpoint or a state dict{why_removed(place)}")
    try:
        held = load_plain(place, "expected tensors: torch.save(model.state_dict(), FILE)")
    except DataError as error:
        raise DataError(f"model.weights: {error}") from None
    mappings = [held, *held.values()] if isinstance(held, Mapping) else []
    tensors = [
        {str(name): value for name, value in each.items() if isinstance(value, Tensor)}
        for each in mappings
        if isinstance(each, Mapping)
    ]
    found = max(tensors, key=len, default={})
    if not found:
        raise DataError(f"{asked}: holds no tensors by name; expected a checkpoint or a state dict")
    return found


def fingerprint_of(weights: Mapping[str, Tensor]) -> str:
    """Return the hex digest of named tensors, wherever their file lies."""
    total = blake2b(digest_size=16)
    for name, tensor in sorted(weights.items()):
        total.update(f"{name} {tensor.dtype} {list(tensor.shape)}\0".encode())
        total.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


@dataclass(frozen=True)
class Fit:
    """Which tensors of a file fit a net.

    Attributes
    ----------
    taken
        By their names in the net.
    new
        Names of the net's tensors that the file lacks or has in another shape, each with both shapes.
    left_out
        Names in the file that the net has no tensor for.
    """

    taken: dict[str, Tensor]
    new: list[str]
    left_out: list[str]

    def in_words(self) -> str:
        """Return what was taken over, what begins anew, and what was left out."""
        words = [f"{len(self.taken)} of {len(self.taken) + len(self.new)} tensors taken over"]
        words += [f"initialized anew: {_some(self.new)}"] if self.new else []
        words += [f"left out of the file: {_some(self.left_out)}"] if self.left_out else []
        return "; ".join(words)


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def fit(model: nn.Module, weights: Mapping[str, Tensor]) -> Fit:
    """Find which tensors of a file a net takes: those of its names and shapes.

    Names may have something before them, in the file (``model.``, ``module.``) or in the net (``backbone.``); what lets
    most values fit is decided for all of them alike.

    Raises
    ------
    ConfigError
        Nothing fits; the message names a tensor of each.
    """
    own = {name: tensor for name, tensor in model.state_dict().items()}

    def fitting(strip: str, add: str) -> dict[str, str]:
        named = {add + name.removeprefix(strip): name for name in weights if name.startswith(strip)}
        return {new: old for new, old in named.items() if new in own and own[new].shape == weights[old].shape}

    def values(found: Mapping[str, str]) -> int:
        return sum(own[name].numel() for name in found if own[name].dim())

    pairs = [(strip, add) for strip in _prefixes(weights) for add in _prefixes(own)]
    strip, add = max(pairs, key=lambda pair: (values(fitting(*pair)), -len(pair[0]) - len(pair[1])))
    found = fitting(strip, add)
    if not values(found):
        first, there = next(iter(own.items())), next(iter(weights.items()))
        raise ConfigError(
            f"no tensor fits {type(model).__name__}: it has {_shaped(*first)} and others, the file {_shaped(*there)}"
        )
    named = {add + name.removeprefix(strip): name for name in weights if name.startswith(strip)}
    new = [
        _shaped(name, tensor)
        + (f" (in the file {list(weights[named[name]].shape)})" if name in named else "")
        for name, tensor in own.items()
        if name not in found
    ]
    return Fit(
        {name: weights[old] for name, old in found.items()},
        new,
        [old for name, old in named.items() if name not in own],
    )


def _prefixes(names: Iterable[str]) -> list[str]:
    found = {""}
    for name in names:
        parts = name.split(".")[:-1][:_DEEPEST]
        found.update(".".join(parts[: end + 1]) + "." for end in range(len(parts)))
    return sorted(found, key=len)


def _shaped(name: str, tensor: Tensor) -> str:
    return f"{name} {list(tensor.shape)}"


def take_weights(model: nn.Module, weights: Mapping[str, Tensor], path: str) -> str:
    """Copy what fits into a net and return a line on what was taken over.

    Raises
    ------
    ConfigError
        Nothing fits.
    """
    try:
        found = fit(model, weights)
    except ConfigError as error:
        raise ConfigError(f"model.weights={path}: {error}") from None
    model.load_state_dict(found.taken, strict=False)
    return f"model.weights={path}: {found.in_words()}"
