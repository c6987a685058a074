"""Build this project's own classes from their configuration without Hydra's copies of it."""

from __future__ import annotations

from functools import cache
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

_OWN = "fer_lightning."


def plain_node(node: Any) -> dict[str, Any] | None:
    """Return a node as plain values if this project's own classes are all that is to be built of it, else ``None``.

    Hydra copies and resolves every node that it builds, which takes a study longer than what is built. Other people's
    classes are left to it, for its rules say what may be called, and so is every word of its own but ``_target_``.
    """
    if not isinstance(node, DictConfig):
        return None
    try:
        plain = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException:
        return None
    return plain if isinstance(plain, dict) and "_target_" in plain and _is_own(plain) else None  # type: ignore[return-value]


def construct(plain: dict[str, Any], **more: Any) -> Any:
    """Build what :func:`plain_node` returned, nested nodes first; ``more`` are arguments beside its own."""
    arguments = {key: _built(value) for key, value in plain.items() if key != "_target_"}
    return _class(plain["_target_"])(**(arguments | more))  # type: ignore[misc]


def _built(value: Any) -> Any:
    if isinstance(value, list):
        return [_built(item) for item in value]
    if not isinstance(value, dict):
        return value
    return construct(value) if "_target_" in value else {key: _built(item) for key, item in value.items()}


def _is_own(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_own, value))
    if not isinstance(value, dict):
        return True
    if "_target_" in value and _class(value["_target_"]) is None:
        return False
    return all((key == "_target_" or not _is_reserved(key)) and _is_own(item) for key, item in value.items())


def _is_reserved(key: Any) -> bool:
    return not isinstance(key, str) or (key.startswith("_") and key.endswith("_"))


@cache
def _class(name: Any) -> type | None:
    """Return a class of this project by its name; a name may lead through a module of ours to somebody else's."""
    if not isinstance(name, str) or not name.startswith(_OWN):
        return None
    try:
        found = get_object(name)
    except Exception:
        return None  # said by Hydra
    return found if isinstance(found, type) and found.__module__.startswith(_OWN) else None
