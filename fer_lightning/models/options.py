"""The options that every model takes, and the choices that a report made for them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from fer_lightning.errors import ConfigError


class Options(TypedDict, total=False):
    """Keyword options of every model; None or left out means the model's own choice.

    Attributes
    ----------
    activation : one of `activation.ACTIVATIONS`.
    slope : the leak of `leaky_relu`, and the value that `prelu` starts from.
    norm : one of `norm.NORMS`.
    norm_position : "before" or "after" the activation.
    dropout : one rate for every place, or a list with a rate for each place; see `dropout.py`.
    dropout_scale : factor on the model's own rates.
    alpha_dropout : alpha dropout in place of dropout, for `selu` only.
    init : one of `init.INITS`.
    image_size : height and width of the input in pixels; 48 if None.
    num_classes : number of logits; 7 if None.
    """

    activation: str | None
    slope: float | None
    norm: str | None
    norm_position: str | None
    dropout: float | Sequence[float] | None
    dropout_scale: float
    alpha_dropout: bool
    init: str | None
    image_size: int | None
    num_classes: int | None


@dataclass(frozen=True)
class Design:
    """What a model does when its options say nothing.

    `dropout` names every dropout place in the order of the layers and gives its own rate; 0 where the report
    has no dropout, so that a rate can still be asked for there.
    """

    activation: str
    slope: float
    norm: str
    dropout: Mapping[str, float]
    norm_position: str = "before"


def check_name(key: str, value: object, valid: Iterable[str]) -> str:
    """Return `value` if it is one of the `valid` names.

    Raises
    ------
    ConfigError
        Naming the key, the value, the nearest valid name and all valid names.
    """
    names = list(valid)
    if isinstance(value, str) and value in names:
        return value
    near = difflib.get_close_matches(str(value), names, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise ConfigError(f"{key}={value}: expected one of {', '.join(names)}{hint}")


def check_whole(key: str, value: object, at_least: int) -> int:
    """Return `value` if it is a whole number of `at_least` that size; raise ConfigError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise ConfigError(f"{key}={value}: expected a whole number of at least {at_least}")
    return value
