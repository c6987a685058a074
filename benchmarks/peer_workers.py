"""Trials an hour on one machine: one process with all its threads against as many processes with one thread each.

    python benchmarks/peer_workers.py [--trials 8] [--repeats 2] [--models small cnn]

Both run the same study (a grid of learning rates, no pruning) through
`study.workers`, in turn. The time is that of the whole command, start of the processes included, less the same
command with nothing left to do.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FACES = {"small": 2000, "cnn": 384, "dnn": 4000}


def seconds(folder: Path, words: list[str]) -> float:
    command = [sys.executable, "-m", "fer_lightning", "-m", "hydra/sweeper=fer_optuna", *words]
    started = time.perf_counter()
    subprocess.run(command, check=True, cwd=folder, capture_output=True)
    return time.perf_counter() - started


def measure(model: str, workers: int, trials: int) -> float:
    """Seconds that the study's trials take."""
    rates = ",".join(f"{0.0005 * (index + 1):.4f}" for index in range(trials))
    words = [
        f"model={model}",
        f"optimizer.lr={rates}",
        "hydra/sweeper/sampler=grid",
        "hydra.sweeper.n_trials=null",
        "hydra.sweep.dir=study",
        f"study.workers={workers}",
        f"data.drawing.n_train={FACES[model]}",
        "trainer.max_epochs=2",
        "logger=csv",
    ]
    with tempfile.TemporaryDirectory() as name:
        whole = seconds(Path(name), words)
        start = seconds(Path(name), words)
    return whole - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--models", nargs="*", default=["small", "cnn"], choices=sorted(FACES))
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, {arguments.trials} trials of 2 epochs, median of {arguments.repeats}")
    print(
        f"{'model':8} {'workers':>7} {'threads each':>12} {'seconds':>8} {'trials an hour':>14} {'ratio':>6}"
    )
    for model in arguments.models:
        found: dict[int, list[float]] = {1: [], cores: []}
        for _ in range(arguments.repeats):
            for workers in found:
                found[workers].append(measure(model, workers, arguments.trials))
        base = statistics.median(found[1])
        for workers, times in found.items():
            took = statistics.median(times)
            rate, ratio = 3600 * arguments.trials / took, base / took
            print(
                f"{model:8} {workers:7} {cores // workers:12} {took:8.1f} {rate:14.0f} {ratio:6.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
