"""Build what a configuration node describes; this project's own classes without Hydra's copies of the node."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fer_lightning.config.instantiation import instantiate
from fer_lightning.errors import ConfigError, UserError

_OWN = "fer_lightning."


def build(node: Any, **more: Any) -> Any:
    """Instantiate a configuration node; a user's mistake stays one line.

    Raises
    ------
    UserError
        What the target itself said of its values.
    """
    from hydra.errors import InstantiationException

    try:
        plain = plain_node(node)
        if plain is not None:
            return construct(plain, **more)
        if not more:
            return instantiate(node, _convert_="all")
        # Objects given here must reach the target as they are; instantiate would turn them into configuration.
        made = instantiate(node, _convert_="all", _partial_=True)
        return partial(made, **more) if node.get("_partial_") else made(**more)
    except UserError:
        raise
    except Exception as error:  # Hydra 1.4 leaves the errors of a target as they are
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, UserError):
                raise cause from None
            cause = cause.__cause__
        cause = (error.__cause__ or error) if isinstance(error, InstantiationException) else error
        if (
            isinstance(cause, (AssertionError, ValueError, TypeError))
            or "Misconfiguration" in type(cause).__name__
        ):
            where = node.get("_target_", "") if isinstance(node, Mapping) else ""
            raise ConfigError(f"{where}: {' '.join(str(cause).split('full_key')[0].split())}") from error
        raise


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
