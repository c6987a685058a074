"""What a search has found for its epochs, and what random searches of a pool of trials find on average."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_lightning.sweeps.study.promoted import earlier_steps
from fer_lightning.sweeps.study.results import Trial, load_trials


@dataclass(frozen=True)
class Curve:
    """One trial: how it ended, and the monitored metric of each epoch that it trained itself."""

    state: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Search:
    """What one search reported, epoch after epoch.

    Attributes
    ----------
    values : the monitored metric of every epoch trained, in the order of the trials
    bests : the best value of each trial
    trials, pruned, failed : how many there were
    """

    values: tuple[float, ...]
    bests: tuple[float, ...]
    trials: int
    pruned: int
    failed: int

    @property
    def best(self) -> float:
        """The best value of all epochs."""
        return self.best_within(len(self.values))

    def best_within(self, epochs: int) -> float:
        """The best value of the first `epochs`."""
        return max(self.values[:epochs], default=-math.inf)

    def epochs_to(self, target: float) -> int | None:
        """Epochs spent until one of them reached `target`; None if none did."""
        return next((count for count, value in enumerate(self.values, 1) if value >= target), None)

    def best_so_far(self) -> list[float]:
        """The best value after each epoch."""
        best, found = -math.inf, []
        for value in self.values:
            best = max(best, value)
            found.append(best)
        return found


@dataclass(frozen=True)
class Pool:
    """Independent trials of equal length: every choice of n of them, in any order, is a random search.

    Attributes
    ----------
    bests : the best value of each trial
    length : epochs of each
    """

    bests: tuple[float, ...]
    length: int

    def best_of(self, count: int) -> float:
        """The mean best of `count` trials over all choices."""
        # The value of rank r, from 0 for the smallest, is the best in C(r, count - 1) of C(N, count) choices.
        ways = sum(math.comb(rank, count - 1) * best for rank, best in enumerate(sorted(self.bests)))
        return ways / math.comb(len(self.bests), count)

    def epochs_to(self, target: float) -> float:
        """The mean epochs until a trial that reaches `target` is through, over all orders."""
        reach = sum(best >= target for best in self.bests)
        # The first of K marked ones among N in random order stands at place (N + 1) / (K + 1) on average.
        return self.length * (len(self.bests) + 1) / (reach + 1) if reach else math.inf

    def share_up_to(self, value: float, count: int) -> float:
        """The share of all choices of `count` trials whose best is no better than `value`."""
        below = sum(best <= value for best in self.bests)
        return math.comb(below, count) / math.comb(len(self.bests), count)


def curves_of(trials: Sequence[Trial]) -> list[Curve]:
    """The trials of a study that have ended, in their order; those that confirm its settings are none of it."""
    ended = ("COMPLETE", "PRUNED", "FAIL")
    done = [trial for trial in trials if trial.state in ended and trial.stage != "confirm"]
    return [
        Curve(
            trial.state,
            tuple(
                trial.intermediate[step]
                for step in sorted(trial.intermediate.keys() - earlier_steps(trial.frozen).keys())
            ),
        )
        for trial in done
    ]


def search_of(curves: Sequence[Curve]) -> Search:
    """A search from what its trials reported."""
    return Search(
        values=tuple(value for curve in curves for value in curve.values),
        bests=tuple(max(curve.values, default=-math.inf) for curve in curves),
        trials=len(curves),
        pruned=sum(curve.state == "PRUNED" for curve in curves),
        failed=sum(curve.state == "FAIL" for curve in curves),
    )


def read_curves(folder: Path) -> list[Curve]:
    """The trials of a study's folder; none where there is no study."""
    return curves_of(load_trials(folder)) if (folder / "study.db").exists() else []


def read(folder: Path, count: int | None = None) -> Search:
    return search_of(read_curves(folder)[:count])


def write_table_of_curves(searches: Mapping[str, Sequence[Curve]], path: Path) -> None:
    """Write every epoch of several searches, a row a trial; `read_table_of_curves` reads them again."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["search", "trial", "state", "values"])
        for name, curves in searches.items():
            for number, curve in enumerate(curves):
                writer.writerow(
                    [name, number, curve.state, " ".join(f"{value:.6g}" for value in curve.values)]
                )


def read_table_of_curves(path: Path) -> dict[str, list[Curve]]:
    """Read the searches of a table by their names."""
    found: dict[str, list[Curve]] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            values = tuple(float(value) for value in row["values"].split())
            found.setdefault(row["search"], []).append(Curve(row["state"], values))
    return found
