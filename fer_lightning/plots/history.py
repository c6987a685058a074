"""The learning curves of one run as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

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


def plot_history(rows: Sequence[dict[str, float]], metric: str, ax: Axes) -> Axes:
    """Draw ``metric`` of each epoch for training and validation on ``ax``."""
    for split, (epochs, values) in history_data(rows, metric).items():
        ax.plot(epochs, values, "o-", color=COLOURS[split], markersize=3, label=split)
    ax.set_xlabel("epoch")
    ax.set_ylabel(NAMES.get(metric, metric))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.3)
    if ax.lines:
        ax.legend(frameon=False)
    return ax


def save_history(rows: Sequence[dict[str, float]], path: Path, title: str = "") -> None:
    """Write accuracy and loss side by side to ``path``."""
    # Margins given rather than found: every run draws this figure, and finding them takes most of the drawing.
    figure = Figure(figsize=(9, 3.6))
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.075, right=0.985, bottom=0.13, top=0.9 if title else 0.97, wspace=0.2)
    plot_history(rows, "acc", left)
    plot_history(rows, "loss", right)
    if title:
        figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=100, pil_kwargs={"compress_level": 1})
