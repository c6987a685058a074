"""Signals to a study at random moments: what is lost of it.

    python benchmarks/signal_storm.py [--program real toy] [--signals TERM INT KILL] [--times 200] [--storage sqlite]
    python benchmarks/signal_storm.py --program real --signals KILL --wandb --within 4

An ablation study with two workers is started again and again, and its first process is sent a signal within two seconds
(`--within`) after it has trained its first epoch; SIGKILL is sent to all that it started as well in every second start.
"real" is this program with a small net on drawn faces, "toy" is the Hydra program of the tests. After each start the
study is read: a fault is another exit status than 143 (130 after Ctrl-C), a trial that is not in the queue or done, one
that failed, or counts as left by a process that died, a finished one that has changed, and a locked database. A study
that is complete makes room for a new one; each must have every trial, and each trial every epoch, once. With `--wandb`
the runs of "real" go to a W&B server on loopback, which must have one run of each trial, with every epoch once.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from optuna.trial import FrozenTrial, TrialState

from fer_lightning.runs.run import Run
from fer_lightning.sweeps.study.results import load_study

SUPPORT = Path(__file__).parents[1] / "tests" / "support"
TOY = SUPPORT / "sweep_app.py"
sys.path.insert(0, str(SUPPORT))
import wandb_server  # noqa: E402

STATUS = {"TERM": 143, "INT": 130, "KILL": -9}
EPOCHS = 5
PATIENCE_SECONDS = 120
RAISED_AGAIN = "Python dropped the exception of a signal"
COMMON = [
    "hydra.sweep.dir=sweep",
    f"trainer.max_epochs={EPOCHS}",
    "hydra.sweeper.workers=2",
    "hydra.verbose=[fer_lightning.signals]",
]
COMMANDS = {
    "real": [
        *("-m", "fer_lightning", "+experiment=ablation", "seeds=[0,1,2]", "model=small"),
        *("data.drawing.n_train=96", "data.drawing.n_val=48", "data.drawing.n_test=48", "data.batch_size=32"),
        *("trainer.accelerator=cpu", *COMMON),
    ],
    "toy": [
        str(TOY),
        "ablation={plan:one_factor,factors:{"
        "activation:{key:model.activation,levels:[selu,leaky_relu],baseline:relu},"
        "flavour:{key:flavour,levels:[rich],baseline:plain}}}",
        f"seeds={list(range(30))}".replace(" ", ""),
        *("hydra.sweeper.n_trials=null", "trainer.seconds=0.05", *COMMON),
    ],
}
SIZES = {"real": 27, "toy": 120}


@dataclass
class Count:
    """What came of the signals of one kind."""

    sent: int = 0
    studies: int = 0
    raised_again: int = 0
    seconds: list[float] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)

    def in_words(self) -> str:
        """Return the cells of the table."""
        faults = ", ".join(f"{number} {fault}" for fault, number in (+self.faults).items()) or "none"
        slowest = max(self.seconds, default=0.0)
        return f"{len(self.seconds)} | {faults} | {self.raised_again} | {slowest:.1f}"


class Storm:
    """A study that is interrupted again and again."""

    def __init__(
        self, program: str, storage: str, root: Path, chance: random.Random, within: float, server: Any = None
    ) -> None:
        self.program, self.storage, self.root, self.chance = program, storage, root, chance
        self.within, self.server = within, server
        self.known_runs: set[str] = set()
        self.studies = 0
        self.begin()

    def begin(self) -> None:
        """Take up a new study."""
        self.studies += 1
        self.folder = self.root / str(self.studies)
        self.folder.mkdir(parents=True)
        self.done: dict[int, tuple[object, ...]] = {}

    def start(self, deaths: int) -> subprocess.Popen[bytes]:
        """Start the study's command; its output is kept in `output.txt`."""
        words = [f"hydra.sweeper.storage={self.storage}", f"hydra.sweeper.max_deaths={deaths}"]
        if self.program == "real":
            words.append(f"logger={'csv' if self.server is None else 'wandb'}")
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "FER_LIGHTNING_CACHE": str(self.root.parent / "faces"),
        }
        if self.server is not None:
            environment |= {
                "WANDB_BASE_URL": self.server.address,
                "WANDB_API_KEY": wandb_server.KEY,
                "WANDB_CONFIG_DIR": str(self.root / "wandb_config"),
                "NETRC": str(self.root / "none"),
                "NO_PROXY": "127.0.0.1",
            }
        with (self.folder / "output.txt").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, *COMMANDS[self.program], *words],
                cwd=self.folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def interrupt(self, kind: str, count: Count) -> None:
        """Start the study once and send it one signal, and add what came of it."""
        written = self.written()
        began = self.newest_epoch()
        process = self.start(1000 if kind == "KILL" else 5)
        while process.poll() is None and self.newest_epoch() == began:
            time.sleep(0.01)
        time.sleep(self.chance.uniform(0, self.within))
        if process.poll() is not None:
            self.conclude(process.returncode, count)
            return
        count.sent += 1
        others = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.Signals[f"SIG{kind}"])
        if kind == "KILL" and count.sent % 2:
            for other in others:
                with suppress(psutil.NoSuchProcess):
                    other.kill()
        sent = time.perf_counter()
        try:
            status: int | None = process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            status = None
            process.kill()
        if all(trial.state == TrialState.COMPLETE for trial in self.trials()):
            # The last trial ended before the signal came; there was nothing left to interrupt.
            count.sent -= 1
            self.finish(count)
            return
        count.seconds.append(time.perf_counter() - sent)
        self.check(kind, status, self.written()[len(written) :], count)

    def check(self, kind: str, status: int | None, said: str, count: Count) -> None:
        """Compare the study after a signal with what it must be."""
        faults = count.faults
        before = faults.total()
        faults[f"status {status}"] += status != STATUS[kind]
        faults["database is locked"] += "database is locked" in said
        count.raised_again += said.count(RAISED_AGAIN)
        trials = self.trials()
        states = Counter(trial.state.name for trial in trials)
        faults["trial missing"] += len(trials) != SIZES[self.program]
        faults["trial failed"] += states["FAIL"]
        if kind != "KILL":
            faults["trial not in the queue"] += states["RUNNING"]
            faults["trial left by a dead process"] += sum("fer:deaths" in t.system_attrs for t in trials)
        now = {t.number: (t.state, t.values, t.params) for t in trials if t.state == TrialState.COMPLETE}
        faults["finished trial changed"] += not self.done.items() <= now.items()
        self.done = now
        if faults.total() > before:
            kept = self.root / f"fault_{count.sent}"
            shutil.copytree(self.folder, kept)
            print(f"{kind} {count.sent}: {+faults}; kept in {kept}", flush=True)

    def conclude(self, status: int, count: Count) -> None:
        """Check a study that ran to its end, and take up a new one."""
        count.faults[f"status {status} at the end"] += status != 0
        trials = self.trials()
        whole = [t.state for t in trials] == [TrialState.COMPLETE] * SIZES[self.program]
        count.faults["trial missing at the end"] += not whole
        before = count.faults.total()
        for trial in trials:
            ran = self.epochs(self.folder / "sweep" / f"trial_{trial.number:04d}")
            count.faults["epoch missing or doubled"] += ran != list(range(EPOCHS))
            count.faults["epoch not reported"] += sorted(trial.intermediate_values) != list(range(EPOCHS))
        if self.server is not None:
            self.check_wandb(count.faults)
        count.studies += 1
        if count.faults.total() > before:
            print(f"study {self.studies}: {+count.faults}; kept in {self.folder}", flush=True)
        self.begin()

    def check_wandb(self, faults: Counter[str]) -> None:
        """Compare what the W&B server has of a study with what the runs of its trials say."""
        new = sorted(set(self.server.runs) - self.known_runs)
        self.known_runs |= set(new)
        names = []
        for folder in sorted(self.folder.glob("sweep/trial_*")):
            about = Run(folder).record.get("wandb", {})
            names.append(str(about.get("id")))
            arrived = self.server.epochs(names[-1]) if names[-1] in new else []
            faults["run kept offline"] += about.get("address") is None
            faults["run not sent in time"] += "unsent" in about
            faults["epoch missing in W&B"] += not set(arrived) >= set(range(EPOCHS))
            faults["epoch doubled in W&B"] += len(set(arrived)) < len(arrived)
            if arrived != list(range(EPOCHS)):
                print(f"{folder}: {about}, {arrived}", flush=True)
        faults["W&B run of no trial, or of two"] += sorted(names) != new

    def finish(self, count: Count) -> None:
        """Run the study to its end."""
        self.conclude(self.start(1000).wait(), count)

    def trials(self) -> list[FrozenTrial]:
        """The study's trials."""
        return load_study(self.folder / "sweep").get_trials(deepcopy=False)

    def epochs(self, folder: Path) -> list[int]:
        """The epochs that a trial has kept, in order; the toy repeats one whose checkpoint was not written."""
        if self.program == "real":
            with (folder / "metrics.csv").open(encoding="utf-8", newline="") as stream:
                return [int(row["epoch"]) for row in csv.DictReader(stream)]
        ran = [int(line.split()[0]) for line in (folder / "epochs.log").read_text().splitlines()]
        return [epoch for epoch, _ in itertools.groupby(ran)]

    def newest_epoch(self) -> int:
        """When an epoch was written last, in nanoseconds."""
        name = "metrics.csv" if self.program == "real" else "epochs.log"
        paths = list(self.folder.glob(f"sweep/trial_*/{name}"))
        return max((path.stat().st_mtime_ns for path in paths), default=0)

    def written(self) -> str:
        """All that the study's processes have said."""
        paths = [self.folder / "output.txt", self.folder / "sweep" / "worker_1.log"]
        return "".join(path.read_text(errors="replace") for path in paths if path.exists())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--program", nargs="+", default=["real"], choices=sorted(COMMANDS))
    parser.add_argument("--signals", nargs="+", default=["TERM", "INT", "KILL"], choices=sorted(STATUS))
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--storage", default="sqlite", choices=["sqlite", "journal"])
    parser.add_argument("--within", type=float, default=2.0, help="seconds after the first epoch")
    parser.add_argument("--wandb", action="store_true", help="log to a W&B server on loopback")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where studies with a fault are kept")
    arguments = parser.parse_args()
    # A shell that starts this in the background has it, and all that it starts, ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    root = arguments.folder or Path(tempfile.mkdtemp(prefix="signal_storm_"))
    root.mkdir(parents=True, exist_ok=True)
    print(f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}, {arguments.storage}")
    print("| program | signal | sent | faults | dropped by Python, raised again | slowest end, s |")
    print("|---|---|---|---|---|---|", flush=True)
    for program in arguments.program:
        for kind in arguments.signals:
            count = Count()
            with wandb_server.serve() as server:
                storm = Storm(
                    program,
                    arguments.storage,
                    root / f"{program}_{kind}",
                    random.Random(f"{arguments.seed} {program} {kind}"),
                    arguments.within,
                    server if arguments.wandb and program == "real" else None,
                )
                try:
                    while count.sent < arguments.times:
                        storm.interrupt(kind, count)
                    storm.finish(count)
                finally:  # after Ctrl-C too
                    print(f"| {program} | SIG{kind} | {count.in_words()} |", flush=True)


if __name__ == "__main__":
    main()
