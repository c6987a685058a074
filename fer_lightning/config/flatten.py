"""Nested configuration as one mapping with dotted keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flatten(node: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one with dotted keys; lists and empty mappings stay as they are."""
    if not isinstance(node, Mapping) or not node:
        return {prefix.removesuffix("."): node} if prefix else {}
    flat: dict[str, Any] = {}
    for key, value in node.items():
        flat |= flatten(value, f"{prefix}{key}.")
    return flat
