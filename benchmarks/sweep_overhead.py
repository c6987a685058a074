"""What a trial costs beside its training: a short study through the command line, measured trial by trial.

    python benchmarks/sweep_overhead.py [--trials 8] [--logger wandb]

From the end of one trial to the end of the next, less the seconds in which its epochs trained and validated
(metrics.csv). Three parts:

sweep    claiming the trial, its parameters, composing its configuration, reports, its result (Optuna, Hydra)
run      building data and model, the loggers (W&B offline), checkpoints' folders, figures, files
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
from pathlib import Path

from fer_lightning.sweeps.records import load_study
from fer_lightning.tracking.metrics_csv import read_metrics


def run_study(folder: Path, trials: int, logger: str, storage: str) -> None:
    command = [
        *(sys.executable, "-m", "fer_lightning", "+experiment=search"),
        "hydra/sweeper/sampler=random",
        "hydra/sweeper/pruner=none",
        f"hydra.sweeper.n_trials={trials}",
        f"hydra.sweeper.storage={storage}",
        f"hydra.sweep.dir={folder / 'study'}",
        f"logger={logger}",
        "data.drawing.n_train=256",
        "trainer.max_epochs=2",
    ]
    environment = {**os.environ, "WANDB_MODE": "offline"}
    subprocess.run(command, check=True, cwd=folder, env=environment, capture_output=True)


def costs(folder: Path) -> list[tuple[float, float]]:
    """Seconds of a trial beside its epochs: those outside of its run, and those in it."""
    trials = load_study(folder / "study").get_trials(deepcopy=False)
    found = []
    for before, trial in itertools.pairwise(trials):
        assert before.datetime_complete is not None
        assert trial.datetime_complete is not None
        whole = (trial.datetime_complete - before.datetime_complete).total_seconds()
        place = folder / "study" / trial.user_attrs["directory"]
        run = json.loads((place / "run.json").read_text())["seconds"]
        rows = read_metrics(place / "metrics.csv")
        epochs = sum(row["seconds/train"] + row["seconds/val"] for row in rows)
        found.append((whole - run, run - epochs))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--logger", nargs="*", default=["csv", "wandb"])
    parser.add_argument("--storage", nargs="*", default=["sqlite", "journal"])
    arguments = parser.parse_args()
    print(
        f"{'logger':8} {'storage':8} {'sweep s':>8} {'run s':>8} {'whole s':>8} {'worst s':>8}   median of n"
    )
    for logger in arguments.logger:
        for storage in arguments.storage:
            with tempfile.TemporaryDirectory() as name:
                run_study(Path(name), arguments.trials, logger, storage)
                found = costs(Path(name))
            sweep, run = (statistics.median(column) for column in zip(*found, strict=True))
            wholes = [sum(parts) for parts in found]
            whole, worst = statistics.median(wholes), max(wholes)
            print(
                f"{logger:8} {storage:8} {sweep:8.3f} {run:8.3f} {whole:8.3f} {worst:8.3f}   {len(found)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
