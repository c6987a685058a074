"""Epochs that TPE with pruning needs to find what random search without pruning finds: the same space, the same data.

    python benchmarks/search_comparison.py --output searches [--figure search_comparison.png] [--table …csv]

For each seed of the sampler, random search trains `--trials` configurations to their last epoch. Then
`+experiment=search` as it stands (TPE, successive halving) runs until it has reached random search's best validation
accuracy or spent as many epochs. Both go through the command line, each in a folder of its own. An epoch counts
when it was trained, that of a pruned trial too, in the order of the trials.

Running it again goes on where it stopped; `--read` only reads what is there. `--whole` lets TPE spend the whole
number of epochs even if it is there sooner.
"""

from __future__ import annotations

import argparse
import csv
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes

from fer_lightning.plots.style import BLUE, VERMILION, figure_style, new_axes, save_figure
from fer_lightning.sweeps.records import TrialRecord, load_trials

OVERRIDES = (
    "data=fer2013",
    "data.fraction=0.125",
    "model=small",
    "trainer.max_epochs=9",
    "threads=1",
    "logger=csv",
)
RANDOM = ("hydra/sweeper/sampler=random", "hydra/sweeper/pruner=none")
CHUNK = 9
# Its first points are random too: with the same seed they would be random search's own, and no comparison.
OTHER_SEEDS = 100


@dataclass(frozen=True)
class Search:
    """What one search reported, epoch after epoch.

    Attributes
    ----------
    values : the monitored metric of every epoch trained, in the order of the trials
    trials, pruned, failed : how many there were
    """

    values: tuple[float, ...]
    trials: int
    pruned: int
    failed: int

    @property
    def best(self) -> float:
        """The best value of all epochs."""
        return max(self.values, default=-math.inf)

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


def search_of(trials: Sequence[TrialRecord]) -> Search:
    """A search from its study's trials; one that still runs or waits does not count yet."""
    done = [trial for trial in trials if trial.state in ("COMPLETE", "PRUNED", "FAIL")]
    return Search(
        values=tuple(trial.intermediate[step] for trial in done for step in sorted(trial.intermediate)),
        trials=len(done),
        pruned=sum(trial.state == "PRUNED" for trial in done),
        failed=sum(trial.state == "FAIL" for trial in done),
    )


def read(folder: Path) -> Search:
    return search_of(load_trials(folder)) if (folder / "study.db").exists() else Search((), 0, 0, 0)


def run(folder: Path, trials: int, seed: int, words: Sequence[str]) -> Search:
    """Bring the study in `folder` to `trials` trials."""
    command = [
        *(sys.executable, "-m", "fer_lightning", "+experiment=search", *words),
        f"hydra.sweeper.study_name={folder.name}",
        f"hydra.sweeper.seed={seed}",
        f"hydra.sweeper.n_trials={trials}",
        f"hydra.sweep.dir={folder}",
    ]
    subprocess.run(command, check=True)
    return read(folder)


def search_until(
    folder: Path, seed: int, words: Sequence[str], target: float, budget: int, whole: bool
) -> Search:
    """Run TPE with pruning until it has reached `target`, or spent `budget` epochs."""
    found = read(folder)
    while len(found.values) < budget and (whole or found.epochs_to(target) is None):
        found = run(folder, found.trials + CHUNK, seed, words)
    return found


def rows(pairs: dict[int, tuple[Search, Search]]) -> list[dict[str, str | int]]:
    """The table: a row for each seed."""
    table = []
    for seed, (random, tpe) in pairs.items():
        there, whole = random.epochs_to(random.best), len(random.values)
        assert there is not None
        needed = tpe.epochs_to(random.best)
        # Counted to random search's budget, so that neither gets more epochs than the other.
        within = max(tpe.values[:whole], default=-math.inf)
        spent = f"> {len(tpe.values)}" if needed is None else needed
        table.append(
            {
                "seed": seed,
                "random_best": f"{random.best:.4f}",
                "random_trials": random.trials,
                "random_epochs_to_best": there,
                "random_epochs": whole,
                "tpe_epochs_to_same": spent,
                "ratio_to_best": "–" if needed is None else f"{needed / there:.2f}",
                "ratio_to_all": "–" if needed is None else f"{needed / whole:.2f}",
                "tpe_best": f"{within:.4f}",
                "tpe_epochs": len(tpe.values),
                "tpe_trials": tpe.trials,
                "tpe_pruned": tpe.pruned,
            }
        )
    return table


def draw(pairs: dict[int, tuple[Search, Search]], ax: Axes | None = None) -> Axes:
    """Draw the best so far against the epochs spent, a line for each search."""
    with figure_style():
        ax = ax or new_axes(6.4, 4.0)
        named = (("random search, no pruning", VERMILION, "--"), ("TPE with successive halving", BLUE, "-"))
        for place, (name, colour, line) in enumerate(named):
            for seed, pair in pairs.items():
                heights = [100 * value for value in pair[place].best_so_far()]
                label = name if seed == min(pairs) else None
                ax.step(range(1, len(heights) + 1), heights, line, where="post", color=colour, label=label)
        for random, tpe in pairs.values():
            if (needed := tpe.epochs_to(random.best)) is not None:
                ax.plot(needed, 100 * random.best, "o", color=BLUE, markersize=5)
            there = random.epochs_to(random.best)
            ax.plot(there, 100 * random.best, "o", color=VERMILION, markersize=5)
        ax.set_xlabel("epochs spent, those of pruned trials included")
        ax.set_ylabel("best val/acc so far, %")
        ax.set_title(f"{len(pairs)} seeds each; dots: random search's best is reached")
        ax.grid(axis="y")
        ax.legend(loc="lower right")
    return ax


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the studies")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the samplers")
    parser.add_argument("--trials", type=int, default=24, help="of random search")
    parser.add_argument("--read", action="store_true", help="run nothing")
    parser.add_argument("--whole", action="store_true", help="let TPE spend as many epochs as random search")
    parser.add_argument("--only-random", action="store_true", help="run random search only")
    parser.add_argument("--table", type=Path, help="write the table here as CSV")
    parser.add_argument("--figure", type=Path, help="draw the best so far here")
    parser.add_argument("overrides", nargs="*", default=OVERRIDES, help="data, model and trainer")
    arguments = parser.parse_args()
    output, words = arguments.output.absolute(), list(arguments.overrides)
    pairs = {}
    for seed in arguments.seeds:
        folder = output / f"random_{seed}"
        random = read(folder) if arguments.read else run(folder, arguments.trials, seed, [*words, *RANDOM])
        pairs[seed] = (random, Search((), 0, 0, 0))
    for seed, (random, _) in pairs.items():
        folder, budget = output / f"tpe_{seed}", len(random.values)
        if arguments.read or arguments.only_random:
            pairs[seed] = (random, read(folder))
        else:
            tpe = search_until(folder, OTHER_SEEDS + seed, words, random.best, budget, arguments.whole)
            pairs[seed] = (random, tpe)
    table = rows({seed: pair for seed, pair in pairs.items() if pair[0].values})
    for row in [list(table[0]), *(list(row.values()) for row in table)]:
        print("  ".join(f"{cell!s:>{len(name)}}" for cell, name in zip(row, table[0], strict=True)))
    if arguments.table:
        with arguments.table.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(table[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
    if arguments.figure:
        save_figure(draw(pairs), arguments.figure)


if __name__ == "__main__":
    main()
