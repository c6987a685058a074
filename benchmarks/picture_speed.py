"""Processor time of the three pictures that a run leaves, the first of a process and later ones.

python benchmarks/picture_speed.py [--repeats 30]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_lightning.plots.confusion import plot_confusion
from fer_lightning.plots.learning_curves import plot_learning_curves
from fer_lightning.plots.saliency import plot_saliency
from fer_lightning.plots.style import save_figure
from fer_lightning.runs.confusion_counts import Confusion

NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def history(random: np.random.Generator) -> Figure:
    keys = ("train/acc", "val/acc", "train/loss", "val/loss")
    rows = [{"epoch": float(epoch)} | dict(zip(keys, random.random(4), strict=True)) for epoch in range(6)]
    return plot_learning_curves(rows, "SYNTHETIC DATA (synthetic)")


def confusion(random: np.random.Generator) -> Axes:
    counts = random.integers(0, 120, (7, 7)) + 200 * np.eye(7, dtype=int)
    return plot_confusion(Confusion(counts, NAMES), title="Confusion matrix: SYNTHETIC DATA (synthetic), val")


def saliency(random: np.random.Generator) -> Axes:
    faces = random.integers(0, 256, (7, 48, 48), dtype=np.uint8)
    return plot_saliency(faces, random.random((7, 48, 48)), NAMES, parts=("face", "map"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=30)
    repeats = parser.parse_args().repeats
    pictures: tuple[Callable[[np.random.Generator], Axes | Figure], ...] = (history, confusion, saliency)
    random = np.random.default_rng(0)
    spent: dict[str, list[float]] = {draw.__name__: [] for draw in pictures}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats + 1):
            for draw in pictures:
                before = time.process_time()
                save_figure(draw(random), Path(folder) / "picture.png", dpi=100)
                spent[draw.__name__].append(1000 * (time.process_time() - before))
    print("processor milliseconds: first; later ones, median [lowest, highest]")
    for name, (first, *later) in spent.items():
        print(f"{name:10} {first:6.0f}; {statistics.median(later):.0f} [{min(later):.0f}, {max(later):.0f}]")


if __name__ == "__main__":
    main()
