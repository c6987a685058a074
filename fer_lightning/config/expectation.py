"""What an annotation expects, in the words of a message."""

from __future__ import annotations

import difflib
import inspect
import re
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, is_typeddict

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic.fields import FieldInfo

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", type(None): "null"}
_WORDS |= {list: "a list", dict: "a mapping"}
_LONG = 300  # characters of a value that a message repeats
_UNLIKE_TEXT = re.compile(r"\s*|[-+]?\.?\d[\d_.:e+-]*|true|false|null|none", re.IGNORECASE)


def shown_value(value: Any) -> Any:
    """Return a value as it is typed: ``null``, ``true``; a text that looks like another value in quotes."""
    if isinstance(value, str):
        return repr(value) if _UNLIKE_TEXT.fullmatch(value) else value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if hasattr(value, "shape"):
        return f"an array of shape {value.shape}"
    if isinstance(value, (list, tuple)):
        text = f"[{', '.join(map(_shown_item, value))}]"
    elif isinstance(value, Mapping):
        text = f"{{{', '.join(f'{_shown_item(key)}: {_shown_item(item)}' for key, item in value.items())}}}"
    else:
        text = " ".join(str(value).split())
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _shown_item(value: Any) -> str:
    return repr(value) if isinstance(value, str) else str(shown_value(value))


def kinds_of(expected: Any) -> Iterator[Any]:
    """Yield the alternatives of an annotation."""
    if get_origin(expected) in (Union, types.UnionType):
        for item in get_args(expected):
            yield from kinds_of(item)
    else:
        yield expected


def expectation(expected: Any) -> str:
    """Return what an annotation expects, as the end of a message: ``a number from 0 to 1, or null``."""
    kinds = list(dict.fromkeys(map(_words_of, kinds_of(expected))))
    kinds = sorted(kinds, key="null".__eq__)  # last
    return ", or ".join(word for word in kinds if word) or str(expected)


def _words_of(kind: Any) -> str:
    origin, args = get_origin(kind), get_args(kind)
    if is_typeddict(kind):
        return "a mapping"
    if origin is Annotated:
        return _constrained(args[0], args[1:])
    if origin is Literal:
        return f"one of {', '.join(map(str, args))}" if len(args) > 1 else str(args[0])
    if origin is not None and inspect.isclass(origin):
        if issubclass(origin, Mapping):
            return "a mapping"
        item = expectation(args[0]) if args and args[0] is not Any else ""
        return f"a list of {_plural(item)}" if item else "a list"
    return _WORDS.get(kind, "")  # an object cannot be typed


def _constrained(kind: Any, extras: tuple[Any, ...]) -> str:
    rules: dict[Any, Any] = {}
    for extra in extras:
        if isinstance(extra, FieldInfo) and extra.description:
            return extra.description
        rules |= {type(rule): rule for rule in (extra.metadata if isinstance(extra, FieldInfo) else [extra])}
    words = expectation(kind)
    if MinLen in rules:
        return words.replace("a ", "a non-empty ", 1)
    if Ge in rules and Le in rules:
        return f"{words} from {rules[Ge].ge} to {rules[Le].le}"
    limits = ((Gt, "above"), (Ge, "of at least"), (Lt, "below"), (Le, "at most"))
    named = [
        f"{word} {getattr(rules[rule], rule.__name__.lower())}" for rule, word in limits if rule in rules
    ]
    return f"{words} {' and '.join(named)}".rstrip()


def _plural(words: str) -> str:
    words = re.sub("^a (whole )?number", r"\1numbers", words)
    return re.sub("^a (text|list|mapping)", r"\1s", words).replace("one of", "any of", 1)


def hint(value: Any, expected: Any) -> str:
    """Return the nearest of the names that an annotation allows, in brackets, if there is one."""
    names = [str(name) for name in _literals(expected)]
    for word in value if isinstance(value, list) else [value]:
        near = difflib.get_close_matches(str(word), names, n=1)
        if near and near != [word]:
            return f" (did you mean {near[0]}?)"
    return ""


def _literals(expected: Any) -> Iterator[Any]:
    if get_origin(expected) is Literal:
        yield from get_args(expected)
    else:
        for item in get_args(expected):
            yield from _literals(item)
