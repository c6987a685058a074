"""What the callbacks that look into the model cost: whole trainings with and without them, in turn.

    python benchmarks/callback_cost.py [--repeats 3] [--epochs 6] [key=value ...]

Every training runs in this process on one thread, after one that is not counted (imports, the first convolution).
"With" has confusion matrix, saliency and dead units as in conf/callbacks/default.yaml, "without" all other callbacks.
The time is the processor's, which other work on the machine disturbs least; wall-clock time stands beside it. Goal: at
most 5 % of a real run, and little of the half second that the framework may cost a trial of a small study.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from fer_lightning.config.compose import compose_config
from fer_lightning.training.train import train

LOOKS = ("confusion", "saliency", "dead_units")


def seconds(overrides: list[str], without: tuple[str, ...]) -> tuple[float, float]:
    """Processor and wall-clock seconds of one training without these callbacks."""
    config = compose_config([*overrides, *(f"~callbacks.{name}" for name in without)])
    with tempfile.TemporaryDirectory() as folder:
        wall, processor = time.perf_counter(), time.process_time()
        train(config, Path(folder))
        return time.process_time() - processor, time.perf_counter() - wall


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("overrides", nargs="*", help="for example model=cnn data=fer2013")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    overrides = [f"trainer.max_epochs={asked.epochs}", "threads=1", "logger=csv", *asked.overrides]
    seconds([*overrides, "trainer.max_epochs=1"], ())
    kinds = {"without": LOOKS, "with": ()} | {
        f"only {name}": tuple(other for other in LOOKS if other != name) for name in LOOKS
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for _ in range(asked.repeats):
        for name, without in kinds.items():
            found[name].append(seconds(overrides, without))
    base = [processor for processor, _ in found["without"]]
    print(f"{'callbacks':18}{'CPU s':>9}{'more CPU s':>12}{'share':>9}{'wall s':>9}")
    for name, values in found.items():
        processor = statistics.median(value for value, _ in values)
        more = statistics.median(value - bare for (value, _), bare in zip(values, base, strict=True))
        share = more / statistics.median(base)
        wall = statistics.median(value for _, value in values)
        print(f"{name:18}{processor:9.2f}{more:12.2f}{share:9.1%}{wall:9.2f}")


if __name__ == "__main__":
    main()
