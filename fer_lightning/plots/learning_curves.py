"""What the learning curves of one run are drawn from."""

from __future__ import annotations

from collections.abc import Sequence

NAMES = {"acc": "accuracy", "loss": "loss (cross-entropy, nats)"}
COLOURS = {"train": "#0072B2", "val": "#D55E00"}


def history_data(rows: Sequence[dict[str, float]], metric: str) -> dict[str, tuple[list[float], list[float]]]:
    """Return for ``train`` and ``val`` the epochs (from 1) and values of ``metric``, where there are any."""
    curves = {}
    for split in ("train", "val"):
        points = [(row["epoch"] + 1, row[f"{split}/{metric}"]) for row in rows if f"{split}/{metric}" in row]
        if points:
            curves[split] = ([x for x, _ in points], [y for _, y in points])
    return curves
