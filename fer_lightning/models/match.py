"""Scaling the widths of a dense network until it is as large as another model."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from fer_lightning.errors import ConfigError

TOLERANCE = 0.01
_STEPS = 40


def scaled(widths: Sequence[int], factor: float) -> tuple[int, ...]:
    """Return every width times `factor`, rounded, and at least 1."""
    return tuple(max(1, round(width * factor)) for width in widths)


def matched_widths(widths: Sequence[int], count: Callable[[Sequence[int]], int], target: int) -> list[int]:
    """Return `widths` times the one factor that brings `count(widths)` nearest to `target`.

    Parameters
    ----------
    count
        Gives a network's total for its widths; must not fall when a width grows.

    Raises
    ------
    ConfigError
        If the nearest total is more than 1 % off.
    """

    @functools.cache
    def total(candidate: tuple[int, ...]) -> int:
        return count(candidate)

    low, high = 0.0, 1.0
    while total(scaled(widths, high)) < target:
        low, high = high, 2 * high
    # The total is a staircase in the factor: find the step that crosses the target, take its nearer side.
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if total(scaled(widths, middle)) < target:
            low = middle
        else:
            high = middle
    best = min(scaled(widths, low), scaled(widths, high), key=lambda side: abs(total(side) - target))
    if abs(total(best) - target) > TOLERANCE * target:
        raise ConfigError(
            f"model.match: no factor on widths {list(widths)} comes within 1 % of {target:,} parameters "
            f"(nearest: {total(best):,} with {list(best)})"
        )
    return list(best)
