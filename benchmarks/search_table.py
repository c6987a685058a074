"""The table of searches beside random search, and the mean of their shares of its epochs."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import stats
from searches import Pool, Search

THIRD = 3
NEAR = 0.005


def rows(pool: Pool, trials: int, pairs: dict[int, tuple[Search, Search]]) -> list[dict[str, str | int]]:
    """The table: a row for each seed. Accuracies are fractions; `at` is the best after a third of the epochs."""
    whole = trials * pool.length
    third, target = whole // THIRD, pool.best_of(trials)
    table = []
    for seed, (random, tpe) in pairs.items():
        needed, then = tpe.epochs_to(target), tpe.best_within(third)
        table.append(
            {
                "seed": seed,
                "target": f"{target:.4f}",
                "random_epochs": whole,
                "tpe_epochs_to_target": _spent(tpe, target),
                "share": "–" if needed is None else f"{needed / whole:.2f}",
                "within_third": "yes" if needed is not None and needed <= third else "no",
                "random_epochs_to_near": f"{pool.epochs_to(target - NEAR):.0f}",
                "tpe_epochs_to_near": _spent(tpe, target - NEAR),
                "third": third,
                "random_at": f"{pool.best_of(trials // THIRD):.4f}",
                "tpe_at": f"{then:.4f}",
                "searches_equalled": f"{pool.share_up_to(then, trials):.2f}",
                "tpe_epochs": len(tpe.values),
                "tpe_trials": tpe.trials,
                "tpe_pruned": tpe.pruned,
                "tpe_best": f"{tpe.best:.4f}",
                "own_random_best": f"{random.best:.4f}",
                "own_random_epochs": len(random.values),
                "tpe_epochs_to_own": _spent(tpe, random.best),
            }
        )
    return table


def _spent(search: Search, target: float) -> str | int:
    needed = search.epochs_to(target)
    return f"> {len(search.values)}" if needed is None else needed


def mean_share(
    pool: Pool, trials: int, tpes: Sequence[Search], confidence: float = 0.95
) -> tuple[float, float, float, int]:
    """The mean over seeds of TPE's epochs to the target, as a share of random search's, with its t interval.

    A search that has not reached it counts with the epochs that it spent, so the mean is then a lower bound.

    Returns
    -------
    The mean, both ends of the interval (NaN with one seed), and how many searches have not reached the target.
    """
    whole, target = trials * pool.length, pool.best_of(trials)
    needed = [search.epochs_to(target) for search in tpes]
    shares = np.array(
        [
            (spent if spent is not None else len(search.values)) / whole
            for spent, search in zip(needed, tpes, strict=True)
        ]
    )
    half = math.nan
    if len(shares) > 1:
        half = (
            stats.t.ppf((1 + confidence) / 2, len(shares) - 1) * shares.std(ddof=1) / math.sqrt(len(shares))
        )
    mean = float(shares.mean())
    return mean, mean - float(half), mean + float(half), needed.count(None)


def write_table(table: list[dict[str, str | int]], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
