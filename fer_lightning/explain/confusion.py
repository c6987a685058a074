"""The tables that are read off a confusion matrix: the most confused pairs, and the counts themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fer_lightning.config.values import Count, checked
from fer_lightning.runs.confusion_counts import Confusion


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes that are taken for each other: ``count`` and ``rate`` of one → other, and the way back.

    Rates are shares of the true class, in [0, 1].
    """

    one: str
    other: str
    count: int
    rate: float
    back_count: int
    back_rate: float

    @property
    def total(self) -> int:
        """Faces confused in either direction."""
        return self.count + self.back_count


@checked()
def confused_pairs(
    matrix: Confusion, limit: Count = 6, by: Literal["count", "rate"] = "count"
) -> list[ConfusedPair]:
    """Return the pairs of classes that are confused most, in both directions together; never a pair of zeros.

    Parameters
    ----------
    limit
        How many pairs at most.
    by
        ``count``: most faces first; ``rate``: largest sum of both directions' rates first, which brings a
        rare class forward.
    """
    rates, pairs = np.nan_to_num(matrix.rates), []
    for i in range(len(matrix.class_names)):
        for j in range(i + 1, len(matrix.class_names)):
            # The direction with the larger rate is named first, for that is how people speak of it.
            a, b = (i, j) if rates[i, j] >= rates[j, i] else (j, i)
            pairs.append(
                ConfusedPair(
                    matrix.class_names[a],
                    matrix.class_names[b],
                    int(matrix.counts[a, b]),
                    float(rates[a, b]),
                    int(matrix.counts[b, a]),
                    float(rates[b, a]),
                )
            )
    pairs = [pair for pair in pairs if pair.total]
    pairs.sort(key=lambda pair: -pair.total if by == "count" else -(pair.rate + pair.back_rate))
    return pairs[:limit]


def counts_table(matrix: Confusion) -> tuple[list[str], list[list[str | int]]]:
    """Return header and rows of the counts, the true class first: for a CSV file or a W&B table."""
    rows: list[list[str | int]] = [
        [name, *(int(count) for count in row)]
        for name, row in zip(matrix.class_names, matrix.counts, strict=True)
    ]
    return ["true class", *matrix.class_names], rows
