"""Epochs that TPE with pruning needs to find what random search without pruning finds: the same space, the same data.

    python benchmarks/search_comparison.py --output searches [--figure search_comparison.png] [--table …csv]

Random search trains every configuration to its last epoch, `+experiment=search` (TPE, successive halving) runs as it
stands. Both go through the command line, each in a folder of its own. An epoch counts when it was trained, that of a
pruned trial too, in the order of the trials. Running it again goes on where it stopped; `--read` only reads. `--curves`
keeps every epoch in a table, from which a search is taken whose study is no longer there. `--confirm 1` then runs the
best setting of each TPE search and the default over five new seeds, and says by how much the search's own value was
too good.

A first comparison set each seed of TPE against one random search of 24 trials and found more luck than method, since
the best of one search is one number (docs/results.md). What was decided before TPE ran again:

- Random search's trials are independent, so those of its three seeds are one pool, and a random search of n trials is
  any n of them. What TPE must reach is the mean best over all choices of 36 trials (324 epochs): no search's own luck.
- The aim is met for a seed of TPE if it is there within a third of that, 108 epochs. It spends them whole, also where
  it is there sooner; where it is not there by then, `--share` lets it go on.
- TPE's sampler has seeds that no earlier run had (200, 201, 202). The sweep's settings are those of the first
  comparison: of those tried on simulated studies (benchmarks/search_simulation.py) none was clearly better and fit for
  longer trainings.
- Less at the mercy of the last half point: the epochs to half a point below, what TPE has after a third beside
  random search's mean best at as many epochs, and the share of all random searches of 36 trials that it then equals.
- The first comparison's question is asked again too: TPE beside the first 24 trials of the random search of its seed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from search_claims import claim_rows, mean_curse, read_confirmed
from search_table import THIRD, mean_share, rows, write_table
from searches import (
    Curve,
    Pool,
    Search,
    read,
    read_curves,
    read_table_of_curves,
    search_of,
    write_table_of_curves,
)

from fer_lightning.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    figure_style,
    new_axes,
    save_figure,
)

EPOCHS = 9
OVERRIDES = (
    "data=fer2013",
    "data.fraction=0.125",
    "model=small",
    f"trainer.max_epochs={EPOCHS}",
    "threads=1",
    "logger=csv",
)
# A pool of independent trials, of which the default setting would be none.
RANDOM = (
    "hydra/sweeper/sampler=random",
    "hydra/sweeper/pruner=none",
    "hydra.sweeper.begin_with_default=false",
)
# Its first points are random too: with the same seed they would be random search's own, and no comparison.
OTHER_SEEDS = 200
# Trials of the first comparison's random searches.
FIRST = 24


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
    folder: Path, seed: int, words: Sequence[str], target: float, least: int, most: int
) -> Search:
    """Run TPE with pruning for `least` epochs, then on until it has reached `target` or spent `most`."""
    found = read(folder)
    while not _is_enough(found, target, least, most):
        spent = len(found.values)
        left = (least if spent < least else most) - spent
        # With pruning a trial comes to five epochs or so.
        found = run(folder, found.trials + max(1, left // 5), seed, words)
    return found


def _is_enough(found: Search, target: float, least: int, most: int) -> bool:
    spent = len(found.values)
    return spent >= least and (found.epochs_to(target) is not None or spent >= most)


def draw(pool: Pool, trials: int, tpes: dict[int, Search], ax: Axes | None = None) -> Axes:
    """Draw the best so far against the epochs spent: random search's mean over all choices, TPE's seed by seed."""
    with figure_style():
        ax = ax or new_axes(7.2, 4.2)
        target, third = 100 * pool.best_of(trials), trials * pool.length // THIRD
        ax.axhline(target, color=GREY, linewidth=1, linestyle=":")
        ax.axvline(third, color=GREY, linewidth=1, linestyle=":")
        ax.plot(third, target, "s", color=GREY, markersize=6, label="the aim: a third of the epochs")
        counts = range(1, trials + 1)
        heights = [100 * pool.best_of(count) for count in counts]
        epochs = [count * pool.length for count in counts]
        name = f"random search, no pruning: mean over all choices of {len(pool.bests)} trials"
        ax.plot(epochs, heights, "--", color=VERMILION, label=name)
        ax.plot(
            [each / THIRD for each in epochs],
            heights,
            ":",
            color=VERMILION,
            label="the same, three times as fast",
        )
        for colour, (seed, tpe) in zip((BLUE, GREEN, PURPLE, ORANGE, SKY), tpes.items(), strict=False):
            heights = [100 * value for value in tpe.best_so_far()]
            name = f"TPE with successive halving, seed {seed}"
            ax.step(range(1, len(heights) + 1), heights, where="post", color=colour, label=name)
        # Below random search's first trial nothing is decided.
        ax.set_ylim(100 * pool.best_of(1) - 1)
        ax.set_xlim(0)
        ax.set_xlabel("epochs spent, those of pruned trials included")
        ax.set_ylabel("best val/acc so far, %")
        ax.grid(axis="y")
        ax.legend(loc="lower right")
    return ax


def _confirm(
    arguments: argparse.Namespace, output: Path, words: list[str], pairs: dict[int, tuple[Search, Search]]
) -> None:
    """Confirm the best settings of each search, and print the winner's curse."""
    found = {}
    for seed, (_, tpe) in pairs.items():
        folder = output / f"tpe_{seed}"
        if not arguments.read:
            more = [*words, f"hydra.sweeper.confirm={arguments.confirm}"]
            run(folder, tpe.trials, OTHER_SEEDS + seed, more)
        if (confirmed := read_confirmed(folder)) is not None:
            found[OTHER_SEEDS + seed] = confirmed
    table = claim_rows(found)
    for row in table:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    mean, low, high = mean_curse(list(found.values()))
    print(f"claimed more than confirmed: {mean:.4f} [{low:.4f}, {high:.4f}], mean of {len(found)} searches")
    if arguments.claims:
        write_table(table, arguments.claims)


def arguments_of() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the studies")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(6)), help="of the samplers")
    parser.add_argument(
        "--trials", type=int, nargs="+", default=[32, *[24] * 5], help="of each random search"
    )
    parser.add_argument(
        "--compare", type=int, default=36, help="trials of the random search to be compared with"
    )
    parser.add_argument(
        "--share", type=float, default=1 / THIRD, help="TPE's most epochs, of random search's"
    )
    parser.add_argument(
        "--confirm", type=int, default=0, help="run so many of TPE's best settings over new seeds"
    )
    parser.add_argument(
        "--claims", type=Path, help="write what they claimed and what was confirmed here as CSV"
    )
    parser.add_argument("--read", action="store_true", help="run nothing")
    parser.add_argument("--only-random", action="store_true", help="run random search only")
    parser.add_argument("--curves", type=Path, help="keep every epoch of every search here as CSV")
    parser.add_argument("--table", type=Path, help="write the table here as CSV")
    parser.add_argument("--figure", type=Path, help="draw the best so far here")
    parser.add_argument("overrides", nargs="*", default=OVERRIDES, help="data, model and trainer")
    return parser.parse_args()


def main() -> None:
    arguments = arguments_of()
    output, words = arguments.output.absolute(), list(arguments.overrides)
    kept: dict[str, list[Curve]] = {}
    if arguments.curves and arguments.curves.is_file():
        kept = read_table_of_curves(arguments.curves)

    def curves(name: str) -> list[Curve]:
        return read_curves(output / name) or kept.get(name, [])

    randoms, pairs = [], {}
    for seed, trials in zip(arguments.seeds, arguments.trials, strict=True):
        name = f"random_{seed}"
        if not arguments.read and len(curves(name)) < trials:
            run(output / name, trials, seed, [*words, *RANDOM])
        randoms.append(search_of(curves(name)[:trials]))
        pairs[seed] = (search_of(curves(name)[:FIRST]), search_of(curves(f"tpe_{seed}")))
        if arguments.curves:
            kept[name] = curves(name)
            write_table_of_curves(kept, arguments.curves)
    pool = Pool(tuple(best for random in randoms for best in random.bests), EPOCHS)
    whole, target = arguments.compare * EPOCHS, pool.best_of(arguments.compare)
    if not (arguments.read or arguments.only_random):
        # The third of every seed first, then what is left: stopped early, they can still be compared.
        for share in (1 / THIRD, arguments.share):
            for seed, (random, _) in pairs.items():
                folder, most = output / f"tpe_{seed}", max(whole // THIRD, int(share * whole))
                if not _is_enough(pairs[seed][1], target, whole // THIRD, most):
                    tpe = search_until(folder, OTHER_SEEDS + seed, words, target, whole // THIRD, most)
                    pairs[seed] = (random, tpe)
                if arguments.curves:
                    kept[folder.name] = curves(folder.name)
                    write_table_of_curves(kept, arguments.curves)
    table = rows(pool, arguments.compare, pairs)
    for name in table[0]:
        print(f"{name:>28}", *(f"{row[name]!s:>8}" for row in table))
    mean, low, high, open_ = mean_share(pool, arguments.compare, [tpe for _, tpe in pairs.values()])
    print(
        f"mean of {len(pairs)} seeds: {mean:.2f} [{low:.2f}, {high:.2f}] of random search's epochs; the aim is "
        f"{1 / THIRD:.2f}" + (f"; {open_} not there yet, so this is a lower bound" if open_ else "")
    )
    if arguments.table:
        write_table(table, arguments.table)
    if arguments.confirm:
        _confirm(arguments, output, words, pairs)
    if arguments.figure:
        tpes = {OTHER_SEEDS + seed: tpe for seed, (_, tpe) in pairs.items()}
        save_figure(draw(pool, arguments.compare, tpes), arguments.figure)


if __name__ == "__main__":
    main()
