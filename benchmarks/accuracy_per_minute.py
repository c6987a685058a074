"""Minutes to an accuracy, and accuracy for each minute, from the epochs that runs have stored.

    python benchmarks/accuracy_per_minute.py NAME=METRICS.csv [NAME=METRICS.csv …] [--table …csv] [--figure …png]

METRICS.csv is a run's `metrics.csv`, or the folder that holds it. Time is what its epochs took, training and
validation, by the clock; starting up and reading data is not in it. Accuracy is that on the validation faces
(PublicTest of FER2013), for the test faces are read once, at the end of a run. Several runs of one name, such
as seeds, are one row: the median of their minutes, and how many of them got there.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes

from fer_lightning.plots.style import GREY, figure_style, new_axes, save_figure
from fer_lightning.runs.metrics_csv import read_metrics

TARGETS = (60.0, 65.0, 67.19, 69.3, 70.0)
# Accuracy in % on PrivateTest of single nets that others trained, measured on the same split.
PEERS = {"R2's report, 67.19": 67.19, "R1's VGG19, 69.30": 69.30, "fer, 65.87": 65.87}


@dataclass(frozen=True)
class Curve:
    """The validated epochs of one run.

    Attributes
    ----------
    minutes : since training began, at the end of each validated epoch
    accuracy : on the validation faces, in %
    total : minutes of all epochs
    """

    minutes: tuple[float, ...]
    accuracy: tuple[float, ...]
    total: float

    def minutes_to(self, target: float) -> float | None:
        """Minutes until an epoch first reached ``target`` %; None if none did."""
        return next(
            (time for time, value in zip(self.minutes, self.accuracy, strict=True) if value >= target), None
        )


def curve_of(rows: Sequence[Mapping[str, float]]) -> Curve:
    """Return the curve of a run's epochs; those that took no time to validate only add that of training."""
    spent, minutes, accuracy = 0.0, [], []
    for row in rows:
        validated = row.get("seconds/val", 0.0)
        spent += row["seconds/train"] + validated
        if "val/acc" in row and validated:
            minutes.append(spent / 60)
            accuracy.append(row["val/acc"] * 100)
    return Curve(tuple(minutes), tuple(accuracy), spent / 60)


def table(runs: Mapping[str, Sequence[Curve]]) -> list[dict[str, str]]:
    """Return one row a name: its best accuracy, its minutes in all, and the minutes to each target."""
    rows = []
    for name, curves in runs.items():
        row = {
            "model": name,
            "runs": str(len(curves)),
            "minutes": f"{statistics.median(curve.total for curve in curves):.1f}",
            "best val/acc %": f"{statistics.mean(max(curve.accuracy) for curve in curves):.2f}",
        }
        for target in TARGETS:
            reached = [time for curve in curves if (time := curve.minutes_to(target)) is not None]
            some = f" ({len(reached)} of {len(curves)})" if len(reached) < len(curves) else ""
            row[f"to {target:g} %"] = f"{statistics.median(reached):.1f}{some}" if reached else "–"
        rows.append(row)
    return rows


def draw(runs: Mapping[str, Sequence[Curve]], ax: Axes) -> Axes:
    """Draw accuracy against minutes, one line a run, and the peers as level lines."""
    for number, (name, curves) in enumerate(runs.items()):
        for curve in curves:
            label = name if curve is curves[0] else None
            ax.plot(curve.minutes, curve.accuracy, color=f"C{number}", label=label, marker=".", markersize=3)
    for name, value in PEERS.items():
        ax.axhline(value, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        # Beside the axes, at its line's height: within, the curves would run through it.
        ax.annotate(
            name,
            (1, value),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            xytext=(4, 0),
            va="center",
            fontsize=7,
            color=GREY,
        )
    ax.set(xlabel="minutes of training and validation", ylabel="accuracy on PublicTest, %", xlim=(0, None))
    ax.set_title("Accuracy for each minute; dashed: others' nets, on PrivateTest")
    ax.legend(loc="lower right")
    return ax


def read_runs(words: Sequence[str]) -> dict[str, list[Curve]]:
    """Read the runs named on the command line."""
    runs: dict[str, list[Curve]] = {}
    for word in words:
        name, equals, place = word.partition("=")
        path = Path(place) / "metrics.csv" if Path(place).is_dir() else Path(place)
        if not equals or not path.is_file():
            sys.exit(f"{word}: expected NAME=METRICS.csv, or NAME=FOLDER of a run")
        rows = read_metrics(path)
        if not all("seconds/train" in row for row in rows) or not any("seconds/val" in row for row in rows):
            sys.exit(f"{path}: expected the columns seconds/train, in every row, and seconds/val")
        curve = curve_of(rows)
        if not curve.minutes:
            sys.exit(f"{path}: holds no validated epoch")
        runs.setdefault(name, []).append(curve)
    return runs


def main() -> None:
    """Print the table; write it and the figure where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", metavar="NAME=METRICS.csv")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--figure", type=Path)
    args = parser.parse_args()
    runs = read_runs(args.runs)
    rows = table(runs)
    columns = list(rows[0])
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(row.values()) + " |")
    if args.table:
        with args.table.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    if args.figure:
        with figure_style():
            save_figure(draw(runs, new_axes()), args.figure)


if __name__ == "__main__":
    main()
