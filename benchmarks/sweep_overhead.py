"""What a trial costs beside its training: a short study through the command line, measured trial by trial.

    python benchmarks/sweep_overhead.py [--trials 8] [--logger wandb]

From the end of one trial to the end of the next, less its epochs' training and validation, by the wall clock and by
the processor time of the process; the latter says little of the machine's other load. Three parts:

sweep    claiming the trial, its parameters, composing its configuration, reports, its result (Optuna, Hydra)
run      building data and model, the loggers (W&B offline), checkpoints, figures, files
whole    both

The first trial is left out: in it the process loads its libraries and starts W&B's service.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Clocks = tuple[float, float]


def clocks() -> Clocks:
    """Wall and processor seconds."""
    return time.perf_counter(), time.process_time()


def minus(later: Clocks, earlier: Clocks) -> Clocks:
    return later[0] - earlier[0], later[1] - earlier[1]


def run_and_watch(notes: Path, words: list[str]) -> None:
    """Run a sweep in this process; write for each trial its end and what its run and its epochs took."""
    from fer_lightning import cli, trial
    from fer_lightning.callbacks.timing import EpochSeconds

    began: list[Clocks] = []
    epochs: list[Clocks] = []
    trials: list[dict[str, Any]] = []
    start, end, train, run_trial = (
        EpochSeconds.on_train_epoch_start,
        EpochSeconds.on_train_epoch_end,
        trial.train,
        trial.run_trial,
    )

    def starts(self: Any, *arguments: Any) -> None:
        began.append(clocks())
        start(self, *arguments)

    def ends(self: Any, *arguments: Any) -> None:
        epochs.append(minus(clocks(), began.pop()))
        end(self, *arguments)

    def watched(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            before = clocks()
            found = function(*arguments, **options)
            trials[-1][name] = minus(clocks(), before)
            return found

        return call

    watched_train = watched(train, "run")

    def whole_trial(*arguments: Any) -> Any:
        trials.append({})
        epochs.clear()
        found = run_trial(*arguments)
        trials[-1] |= {"ended": clocks(), "epochs": [sum(column) for column in zip(*epochs, strict=True)]}
        notes.write_text(json.dumps(trials))
        return found

    EpochSeconds.on_train_epoch_start, EpochSeconds.on_train_epoch_end = starts, ends  # type: ignore[method-assign]
    trial.train, trial.run_trial = watched_train, whole_trial
    sys.exit(cli.main(words))


def run_study(folder: Path, trials: int, logger: str, storage: str) -> list[dict[str, Any]]:
    words = [
        "+experiment=search",
        "hydra/sweeper/sampler=random",
        "hydra/sweeper/pruner=none",
        f"hydra.sweeper.n_trials={trials}",
        f"hydra.sweeper.storage={storage}",
        f"hydra.sweep.dir={folder / 'study'}",
        f"logger={logger}",
        "data.drawing.n_train=256",
        "trainer.max_epochs=2",
        "threads=1",
    ]
    environment = {**os.environ, "WANDB_MODE": "offline"}
    command = [sys.executable, __file__, "--watch", str(folder / "notes.json"), *words]
    subprocess.run(command, check=True, cwd=folder, env=environment, capture_output=True)
    noted: list[dict[str, Any]] = json.loads((folder / "notes.json").read_text())
    return noted


def costs(trials: list[dict[str, Any]]) -> list[tuple[Clocks, Clocks]]:
    """Wall and processor seconds of each trial beside its epochs: those outside of its run, and those in it."""
    found = []
    for before, trial in itertools.pairwise(trials):
        whole = minus(trial["ended"], before["ended"])
        found.append((minus(whole, trial["run"]), minus(trial["run"], trial["epochs"])))
    return found


def main() -> None:
    if sys.argv[1:2] == ["--watch"]:
        run_and_watch(Path(sys.argv[2]), sys.argv[3:])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--logger", nargs="*", default=["csv", "wandb"])
    parser.add_argument("--storage", nargs="*", default=["sqlite", "journal"])
    arguments = parser.parse_args()
    print("median seconds a trial beside its epochs; wall (processor)")
    print(f"{'logger':8} {'storage':8} {'sweep':>14} {'run':>14} {'whole':>14} {'worst':>14}   trials")
    for logger in arguments.logger:
        for storage in arguments.storage:
            with tempfile.TemporaryDirectory() as name:
                found = costs(run_study(Path(name), arguments.trials, logger, storage))
            wholes = [(sweep[0] + run[0], sweep[1] + run[1]) for sweep, run in found]
            columns = [middle([sweep for sweep, _ in found]), middle([run for _, run in found])]
            columns += [middle(wholes), (max(w for w, _ in wholes), max(c for _, c in wholes))]
            cells = "".join(f"{f'{wall:.3f} ({cpu:.3f})':>15}" for wall, cpu in columns)
            print(f"{logger:8} {storage:8}{cells}   {len(found)}", flush=True)


def middle(pairs: list[Clocks]) -> Clocks:
    """The medians of both clocks."""
    return statistics.median(wall for wall, _ in pairs), statistics.median(cpu for _, cpu in pairs)


if __name__ == "__main__":
    main()
