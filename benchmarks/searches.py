"""What a search has found for its epochs, and what random searches of a pool of trials find on average."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_lightning.sweeps.study.results import Trial, load_trials


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


NOTHING = Search((), (), 0, 0, 0)


def search_of(trials: Sequence[Trial], count: int | None = None) -> Search:
    """A search from the first `count` of its study's trials; one that still runs or waits does not count yet.

    Trials that confirm its settings are none of it.
    """
    ended = ("COMPLETE", "PRUNED", "FAIL")
    done = [trial for trial in trials if trial.state in ended and trial.stage != "confirm"][:count]
    return Search(
        values=tuple(trial.intermediate[step] for trial in done for step in sorted(trial.intermediate)),
        bests=tuple(max(trial.intermediate.values(), default=-math.inf) for trial in done),
        trials=len(done),
        pruned=sum(trial.state == "PRUNED" for trial in done),
        failed=sum(trial.state == "FAIL" for trial in done),
    )


def read(folder: Path, count: int | None = None) -> Search:
    return search_of(load_trials(folder), count) if (folder / "study.db").exists() else NOTHING
