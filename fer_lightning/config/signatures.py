"""What a ``_target_`` takes, and the keys that stand beside its own: those are followed by the training."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypedDict

from hydra.utils import get_object
from omegaconf import OmegaConf

from fer_lightning.config.values import (
    Count,
    CountOrZero,
    Name,
    NotNegative,
    Share,
    ShareAboveZero,
    ShareBelowOne,
    hints_of,
)
from fer_lightning.errors import ConfigError


class LossConfig(TypedDict):
    """The loss: cross-entropy, or one's own, smoothed, mixed, weighted and taught as asked."""

    _target_: str | None
    label_smoothing: ShareBelowOne
    focal_gamma: NotNegative
    mixup: NotNegative
    class_weights: Literal["none", "balanced"] | list[NotNegative]
    teacher: str | list[str] | None
    teacher_share: Share


# Keys of a group that are not for its target, unless (but for the loss) the target has a parameter of this name.
BESIDE: dict[str, dict[str, Any]] = {
    "model": {
        "weights": Name | None,
        "freeze": CountOrZero | Name | list[Name] | None,
        "match": Name | Count | None,
    },
    "optimizer": {"layer_decay": ShareAboveZero | None},
    "loss": {key: kind for key, kind in hints_of(LossConfig).items() if key != "_target_"},
}

_OF_ANY_NAME = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def find_target(name: Any, path: str) -> Any:
    """Return the class or function of this dotted name, which stands at the key ``path``.

    Raises
    ------
    ConfigError
        It cannot be imported, or cannot be called.
    """
    log = logging.getLogger("hydra.utils")
    before, log.disabled = log.disabled, True  # it would say the same in lines of its own
    try:
        target = get_object(name)
    except Exception as error:
        said = " ".join(str(error.__cause__ or error).split())
        raise ConfigError(f"{path}={name}: cannot be imported ({said})") from error
    finally:
        log.disabled = before
    if not callable(target):
        raise ConfigError(f"{path}={name}: expected a class or a function, not {target!r}")
    return target


@cache  # a study asks the same of every trial
def parameters_of(target: Any) -> dict[str, Any] | None:
    """Return what each of a target's parameters takes; ``None`` for a target with parameters of any name."""
    signature = _signature(target)
    if signature is None:
        return None
    try:
        hints = hints_of(target.__init__ if inspect.isclass(target) else target)
    except (
        AttributeError,
        NameError,
        TypeError,
    ):  # annotations that are not importable outside of type checking
        hints = {}
    rest = {name for name, item in signature.items() if item.kind is item.VAR_KEYWORD}
    if rest and hints.keys() <= signature.keys():  # no **options: Unpack[Options]
        return None
    listed = {name for name, item in signature.items() if item.kind is item.VAR_POSITIONAL}
    return dict.fromkeys(signature.keys() - {"self"} - listed - rest, Any) | hints


def named_parameters(target: Any) -> set[str]:
    """Return the parameters that a target has a name for, beside those of any name."""
    known = parameters_of(target)
    signature = _signature(target) or {}
    return set(known or (name for name, item in signature.items() if item.kind not in _OF_ANY_NAME))


def given_to(
    target: Any, node: Mapping[str, Any], offered: Mapping[str, Any], group: str = "model"
) -> dict[str, Any]:
    """Return those of the ``offered`` values that a target takes by name, or that its node has a key for.

    Raises
    ------
    ConfigError
        The target needs something that neither of them has.
    """
    given = {key: value for key, value in offered.items() if key in named_parameters(target) | node.keys()}
    for name, item in (_signature(target) or {}).items():
        needed = item.default is item.empty and item.kind not in _OF_ANY_NAME
        if needed and name not in node.keys() | given.keys():
            raise ConfigError(f"{group}: {_shown(target)} needs {name}; expected {group}.{name}=…")
    return given


def default_of(target: Any, name: str) -> Any:
    """Return the default of a parameter; ``None`` where there is none."""
    item = (_signature(target) or {}).get(name)
    return None if item is None or item.default is item.empty else item.default


def _shown(target: Any) -> str:
    return f"{target.__module__}.{target.__qualname__}" if hasattr(target, "__qualname__") else repr(target)


def _signature(target: Any) -> Mapping[str, inspect.Parameter] | None:
    try:
        return inspect.signature(target).parameters
    except (TypeError, ValueError):  # some are built in
        return None


def keys_beside(group: str, target: Any) -> dict[str, Any]:
    """Return what each key takes that may stand beside those of a group's target."""
    keys = BESIDE.get(group, {})
    # Those of the loss mean the same with any.
    return keys if group == "loss" else {k: v for k, v in keys.items() if k not in named_parameters(target)}


def parted(node: Mapping[str, Any], group: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part the node of a group into what its target is given, and the keys beside it that are set.

    Raises
    ------
    ConfigError
        The target cannot be imported.
    """
    plain: Any = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else dict(node)
    beside = keys_beside(group, find_target(plain["_target_"], f"{group}._target_"))
    own = {key: value for key, value in plain.items() if key not in beside}
    # Null is as if the key were not there, also for a target that has a parameter of this name.
    own = {key: value for key, value in own.items() if key not in BESIDE[group] or value is not None}
    return own, {key: plain[key] for key in beside if plain.get(key) is not None}
