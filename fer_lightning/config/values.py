"""The values that options take, as annotations, and the check of values against them, with its one kind of message."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import cache, wraps
from typing import (
    Annotated,
    Any,
    Literal,
    ParamSpec,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from omegaconf import OmegaConf
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import SchemaError

from fer_lightning.config.expectation import expectation, hint, kinds_of, shown_value
from fer_lightning.errors import ConfigError, nearest

P = ParamSpec("P")
R = TypeVar("R")

Share = Annotated[float, Field(ge=0, le=1)]
ShareBelowOne = Annotated[float, Field(ge=0, lt=1)]
ShareAboveZero = Annotated[float, Field(gt=0, le=1)]
OpenShare = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
# As many as the largest machines have processors; with many more the system runs out of memory, threads or processes.
Processors = Annotated[int, Field(ge=1, le=1024)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Seeds = Annotated[Sequence[Seed], Field(min_length=1)]
Name = Annotated[str, Field(min_length=1)]
# Into how many groups faces are divided to see where a network fails; true for the usual number.
Slices = bool | Annotated[int, Field(ge=2, le=100)]
Direction = Literal["max", "min"]
# As Optuna and others spell it; `short_direction` is what to make of it.
SpeltDirection = Annotated[
    Literal["max", "min", "maximize", "minimize", "maximise", "minimise"],
    Field(description="one of max, min"),
]
ChangedCode = Literal["refuse", "accept"]

_UNJUDGED = (PydanticUserError, SchemaError, TypeError, NameError)


def short_direction(spelt: Any) -> Any:
    """Return "max" or "min" for any spelling of either, and anything else as it is."""
    return spelt[:3] if isinstance(spelt, str) and spelt in get_args(get_args(SpeltDirection)[0]) else spelt


def check_value(value: Any, expected: Any, where: str) -> None:
    """Check one value against an annotation; annotations that pydantic cannot judge are left to the target.

    Numbers must be finite, a bool is no number, and nothing is converted but YAML's lists where Python has tuples.

    Raises
    ------
    ConfigError
        ``where=value: expected …``; of a mapping that a TypedDict or dataclass describes, with the key.
    """
    if OmegaConf.is_config(value):
        value = OmegaConf.to_container(value, resolve=True)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        value = list(value)
    if isinstance(value, Mapping):
        for kind in kinds_of(expected):
            if is_typeddict(kind) or is_dataclass(kind):
                return check_keys(value, hints_of(kind), f"{where}.")
    try:
        adapter = _adapter(expected)
    except TypeError:  # an annotation without a hash, such as Annotated[int, {}]
        adapter = _adapter.__wrapped__(expected)
    if adapter is None:
        return None
    try:
        if isinstance(value, (list, dict)):
            try:
                text = json.dumps(value, ensure_ascii=False).encode(errors="replace")
            except (TypeError, ValueError):  # it holds objects
                adapter.validate_python(value)
            else:
                adapter.validate_json(text, strict=True)
        else:
            # pydantic refuses a name with bytes that are no UTF-8.
            legible = value.encode(errors="replace").decode() if isinstance(value, str) else value
            adapter.validate_python(legible, strict=True)
    except ValidationError as error:
        said = f"expected {expectation(expected)}{hint(value, expected)}"
        raise ConfigError(f"{where}={shown_value(value)}: {said}") from error


def check_keys(values: Mapping[Any, Any], hints: Mapping[str, Any], prefix: str = "") -> None:
    """Check that every key is one of ``hints`` and its value as that says; messages begin with ``prefix``."""
    for key, value in values.items():
        if key not in hints:
            raise ConfigError(
                f"{prefix}{key}: no such key; {nearest(f'{prefix}{key}', [prefix + name for name in hints])}"
            )
        check_value(value, hints[key], f"{prefix}{key}")


def check_fields(options: Any, prefix: str = "") -> None:
    """Check the fields of a dataclass; for its ``__post_init__``. A number as a name becomes a text."""
    kind: Any = type(options)
    for name, expected in hints_of(kind).items():
        value = getattr(options, name, None)
        if expected in (Name, Name | None) and isinstance(value, int | float) and not isinstance(value, bool):
            object.__setattr__(options, name, str(value))
    check_keys({item.name: getattr(options, item.name) for item in fields(options)}, hints_of(kind), prefix)


def one_of(names: Iterable[str]) -> Any:
    """Return the annotation of names that are known only when the program runs."""
    return Literal[tuple(names)]


def checked(prefix: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Check the arguments of each call of a function against its annotations; messages begin with ``prefix``.

    Examples
    --------
    >>> @checked("schedule.")
    ... def warm_up(steps: Count) -> int:
    ...     return steps
    >>> warm_up(0)
    Traceback (most recent call last):
    fer_lightning.errors.ConfigError: schedule.steps=0: expected a whole number of at least 1
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        parameters = signature.parameters
        rest = {name for name, item in parameters.items() if item.kind is item.VAR_KEYWORD}

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                given = signature.bind(*args, **kwargs).arguments
            except TypeError:
                return function(*args, **kwargs)  # Python names the function
            hints = hints_of(function)
            for name in rest - hints.keys():  # **options: Unpack[Options]
                given |= given.pop(name, {})
            known = {name: value for name, value in given.items() if name in hints or name not in parameters}
            check_keys(known, hints, prefix)
            return function(*args, **kwargs)

        return call

    return decorate


@cache  # a study asks the same of every trial
def hints_of(target: Any) -> dict[str, Any]:
    """Return the annotations of a function's parameters or of a class; ``**options: Unpack[Options]`` gives Options'.

    Raises
    ------
    NameError, TypeError
        An annotation cannot be evaluated outside of type checking.
    """
    hints = get_type_hints(target, include_extras=True)
    for name, item in ({} if inspect.isclass(target) else inspect.signature(target).parameters).items():
        if item.kind is item.VAR_KEYWORD and (named := get_args(hints.get(name))):
            hints |= hints_of(named[0])
            del hints[name]
    hints.pop("return", None)
    return hints


@cache
def _adapter(expected: Any) -> TypeAdapter[Any] | None:
    # The keys of a TypedDict are checked by `check_keys`, and an iterable must not be begun.
    kinds = [
        dict if is_typeddict(kind) else Any if get_origin(kind) is Iterable else kind
        for kind in kinds_of(expected)
    ]
    expected = Union[tuple(kinds)]  # noqa: UP007
    try:
        return TypeAdapter(expected, config=ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False))
    except PydanticUserError:
        with suppress(*_UNJUDGED):
            return TypeAdapter(expected)  # a dataclass brings its own configuration
    except _UNJUDGED:
        pass
    return None
