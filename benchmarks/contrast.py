"""What one level of a factor is worth over all others, from a table of runs, without taking all arms to vary alike.

    python benchmarks/contrast.py RUNS.csv FACTOR=LEVEL FACTOR=OTHER [FACTOR=LEVEL …]

RUNS.csv has a column for each factor, ``seed``, and the accuracy in the last one. The first two words are compared,
each as the mean over all combinations of the other factors; further words choose some of these. Two tests: paired by
seed, a t-test over the seeds' differences; and Welch's, which takes the runs of a seed for independent and lets each
combination vary by itself.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import stats

Cells = dict[tuple[str, ...], dict[str, float]]


def cells_of(rows: Sequence[dict[str, str]], wanted: dict[str, str]) -> Cells:
    """Return the values of the rows with these levels, by their combination of factors and by seed."""
    found: Cells = {}
    for row in rows:
        if all(row[name] == level for name, level in wanted.items()):
            *levels, seed, value = row.values()
            found.setdefault(tuple(levels), {})[seed] = float(value)
    return found


def paired(one: Cells, other: Cells) -> tuple[float, float, float, float]:
    """Return the mean difference over seeds, its 95 % interval and its p-value."""
    seeds = sorted({seed for cell in one.values() for seed in cell})
    means = [[np.mean([cell[seed] for cell in side.values()]) for seed in seeds] for side in (one, other)]
    difference = np.subtract(*means)
    test = stats.ttest_1samp(difference, 0.0)
    low, high = test.confidence_interval()
    return float(difference.mean()), float(low), float(high), float(test.pvalue)


def welch(one: Cells, other: Cells) -> float:
    """Return the p-value of the difference of both sides' means over cells, with Satterthwaite's degrees of freedom."""
    estimate, variances, freedom = 0.0, [], []
    for sign, side in ((1, one), (-1, other)):
        for cell in side.values():
            values = np.array(list(cell.values()))
            estimate += sign * values.mean() / len(side)
            variances.append(values.var(ddof=1) / len(values) / len(side) ** 2)
            freedom.append(len(values) - 1)
    total = sum(variances)
    df = total**2 / sum(part**2 / own for part, own in zip(variances, freedom, strict=True))
    return float(2 * stats.t.sf(abs(estimate) / np.sqrt(total), df))


def main() -> None:
    """Print both tests."""
    if len(sys.argv) < 4 or not all("=" in word for word in sys.argv[2:]):
        sys.exit("expected RUNS.csv FACTOR=LEVEL FACTOR=OTHER [FACTOR=LEVEL …]")
    with Path(sys.argv[1]).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    first, second, *more = [tuple(word.split("=", 1)) for word in sys.argv[2:]]
    for name, level in (first, second, *more):
        if name not in rows[0] or level not in {row[name] for row in rows}:
            sys.exit(f"{name}={level}: no run of {sys.argv[1]} has it; its columns are {', '.join(rows[0])}")
    one, other = (cells_of(rows, dict([side, *more])) for side in (first, second))
    mean, low, high, p = paired(one, other)
    print(f"{mean:+.2f} [{low:+.2f}, {high:+.2f}], p {p:.4f} paired, {welch(one, other):.4f} by Welch's test")


if __name__ == "__main__":
    main()
