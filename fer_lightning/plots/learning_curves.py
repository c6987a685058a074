"""The learning curves of one run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fer_lightning.plots.confusion import shortened
from fer_lightning.plots.style import BLUE, VERMILION, figure_style

NAMES = {"acc": "accuracy", "loss": "loss (cross-entropy, nats)"}
COLOURS = {"train": BLUE, "val": VERMILION}


def history_data(rows: Sequence[dict[str, float]], metric: str) -> dict[str, tuple[list[float], list[float]]]:
    """Return for ``train`` and ``val`` the epochs (from 1) and values of ``metric``, where there are any."""
    curves = {}
    for split in ("train", "val"):
        points = [(row["epoch"] + 1, row[f"{split}/{metric}"]) for row in rows if f"{split}/{metric}" in row]
        if points:
            curves[split] = ([x for x, _ in points], [y for _, y in points])
    return curves


def plot_learning_curves(rows: Sequence[dict[str, float]], title: str = "") -> Figure:
    """Draw accuracy and loss of each epoch side by side, for training and validation.

    The figure is the same at every call, for a new one takes twice as long; what is not finite leaves a gap.

    Parameters
    ----------
    rows
        One an epoch, as :func:`read_metrics` returns them.
    title
        Of the data; it should say "synthetic" for drawn faces.
    """
    figure = _figure()
    figure.texts[0].set_text(shortened(title, 50))  # ends before the splits' names
    epochs = [row["epoch"] + 1 for row in rows] or [1.0]
    edge = 0.05 * max(1.0, max(epochs) - min(epochs))
    for ax, metric in zip(figure.axes, ("acc", "loss"), strict=True):
        curves = history_data(rows, metric)
        for line in ax.lines:
            line.set_data(*curves.get(str(line.get_label()), ([], [])))
        ax.set(xlim=(min(epochs) - edge, max(epochs) + edge), ylim=(0, 1))
        ax.autoscale(axis="y")
        ax.relim()
        ax.autoscale_view(scalex=False)
    return figure


@lru_cache(maxsize=1)
def _figure() -> Figure:
    with figure_style():
        figure = Figure(figsize=(9, 3.6))
        figure.text(0.07, 0.92, "", fontsize=10)
        for number, metric in enumerate(("acc", "loss")):
            ax = figure.add_axes((0.07 + 0.5 * number, 0.14, 0.415, 0.73))
            for split, color in COLOURS.items():
                ax.plot([], [], "o-", color=color, label=split, markersize=4)
            ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            ax.tick_params(left=False, bottom=False)
            ax.grid(True)
            ax.set(xlabel="epoch", ylabel=NAMES[metric])
        for number, (split, color) in enumerate(COLOURS.items()):
            figure.text(0.88 + 0.06 * number, 0.92, f"● {split}", color=color)
    return figure
