"""What a trial costs beside its training: a short study through the command line, measured trial by trial.

    python benchmarks/sweep_overhead.py [--trials 8] [--logger wandb]

From the end of one trial to the end of the next, less its epochs' training and validation, by the wall clock and by
the processor time of the process; the latter says little of the machine's other load. What callbacks and loggers do
within an epoch is no training: it counts as the run's. Three parts:

sweep    claiming the trial, its parameters, composing its configuration, its result (Optuna, Hydra)
run      building data and model, the loggers (W&B offline), checkpoints, figures, files, reports
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


class EpochClock:
    """Times each epoch from its first batch to the end of its validation, without its callbacks and loggers."""

    def __init__(self) -> None:
        self.epochs: list[Clocks] = []
        self._began: Clocks | None = None
        self._beside: Clocks = (0.0, 0.0)
        self._depth = 0

    def within(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Let a function's time be no training."""

        def call(*arguments: Any, **options: Any) -> Any:
            before, self._depth = clocks(), self._depth + 1
            try:
                return function(*arguments, **options)
            finally:
                self._depth -= 1
                if self._depth == 0:
                    spent = minus(clocks(), before)
                    self._beside = (self._beside[0] + spent[0], self._beside[1] + spent[1])

        return call

    def hooks(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Watch Lightning's calls of its callbacks, which say where an epoch begins and ends."""
        inner = self.within(function)

        def call(trainer: Any, hook: str, *arguments: Any, **options: Any) -> Any:
            if hook == "on_train_epoch_end" and self._began is not None:
                self.epochs.append(minus(minus(clocks(), self._began), self._beside))
                self._began = None
            found = inner(trainer, hook, *arguments, **options)
            if hook == "on_train_epoch_start":
                self._began, self._beside = clocks(), (0.0, 0.0)
            return found

        return call


def watch_epochs() -> EpochClock:
    """Time the epochs of every training from now on; the hooks of dead units in the forward pass are no training."""
    from pytorch_lightning.trainer import call
    from pytorch_lightning.trainer.connectors.logger_connector.logger_connector import _LoggerConnector

    from fer_lightning.callbacks.dead_units import SafeWatch

    clock, keep = EpochClock(), SafeWatch.hook_for
    call._call_callback_hooks = clock.hooks(call._call_callback_hooks)
    _LoggerConnector.log_metrics = clock.within(_LoggerConnector.log_metrics)  # type: ignore[method-assign]
    SafeWatch.hook_for = lambda self, name: clock.within(keep(self, name))  # type: ignore[method-assign]
    return clock


def run_and_watch(notes: Path, words: list[str]) -> None:
    """Run a sweep in this process; write for each trial its end and what its run and its epochs took."""
    from fer_lightning import cli
    from fer_lightning.study import trial

    trials: list[dict[str, Any]] = []
    clock = watch_epochs()
    train, run_trial = trial.train, trial.run_trial

    def watched_train(*arguments: Any, **options: Any) -> Any:
        before = clocks()
        found = train(*arguments, **options)
        trials[-1]["run"] = minus(clocks(), before)
        return found

    def whole_trial(*arguments: Any) -> Any:
        trials.append({})
        clock.epochs.clear()
        found = run_trial(*arguments)
        trials[-1] |= {
            "ended": clocks(),
            "epochs": [sum(column) for column in zip(*clock.epochs, strict=True)],
        }
        notes.write_text(json.dumps(trials))
        return found

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
    print("seconds a trial beside its epochs; wall (processor); medians, but for the whole's mean and worst")
    names = "".join(f"{name:>15}" for name in ("sweep", "run", "whole", "mean", "worst"))
    print(f"{'logger':8} {'storage':8}{names}   trials")
    for logger in arguments.logger:
        for storage in arguments.storage:
            with tempfile.TemporaryDirectory() as name:
                found = costs(run_study(Path(name), arguments.trials, logger, storage))
            wholes = [(sweep[0] + run[0], sweep[1] + run[1]) for sweep, run in found]
            columns = [middle([sweep for sweep, _ in found]), middle([run for _, run in found])]
            columns += [middle(wholes), *(by_clock(of, wholes) for of in (statistics.mean, max))]
            cells = "".join(f"{f'{wall:.3f} ({cpu:.3f})':>15}" for wall, cpu in columns)
            print(f"{logger:8} {storage:8}{cells}   {len(found)}", flush=True)


def middle(pairs: list[Clocks]) -> Clocks:
    """The medians of both clocks."""
    return by_clock(statistics.median, pairs)


def by_clock(of: Callable[[list[float]], float], pairs: list[Clocks]) -> Clocks:
    """A figure of both clocks, each by itself."""
    return of([wall for wall, _ in pairs]), of([cpu for _, cpu in pairs])


if __name__ == "__main__":
    main()
