"""Train on a set of pictures larger than memory should hold: peak memory, and speed against pictures in memory.

    python benchmarks/large_pictures.py

Writes 100,000 pictures of 112×112×3 of noise into a cache below /tmp (3.8 GB of disk, deleted afterwards), by blocks
as a reader does. Each line after it is a process of its own: it looks for copies among all pictures, fits the
normalization on all training faces, and trains a small net on some batches of the shuffled set. "memory" copies all
pictures into memory first; "mapped" leaves them in the memory-mapped cache and cuts batches ahead by a thread
(data.on_device=false), as training does where pictures do not fit its device; "cold" is "mapped" after the system was
told to drop the file from its own memory. Ways take turns; the largest speed of the rounds counts, and the peak is the
largest anonymous memory of the process (RssAnon), which the system cannot take back as it can mapped pages.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

SIZE, CLASSES, BLOCK = 112, 8, 1000
KEY = "large-1"
GOAL_SPEED, GOAL_BYTES = 0.9, 2 * 2**30


class PeakMemory:
    """Looks at this process's anonymous memory ten times a second."""

    def __init__(self) -> None:
        self.bytes, self._done = 0, threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while not self._done.is_set():
            status = Path("/proc/self/status").read_text()
            kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("RssAnon"))
            self.bytes = max(self.bytes, int(kilobytes) * 1024)
            self._done.wait(0.1)


def build(cache: Path, count: int) -> dict[str, float]:
    """Write the cache, and say how long that took."""
    from fer_lightning.data.cache import cached
    from fer_lightning.data.faces import Allocate, RawFaces

    def noise(allocate: Allocate) -> RawFaces:
        images = allocate((count, SIZE, SIZE, 3))
        rng = np.random.default_rng(0)
        for start in range(0, count, BLOCK):
            images[start : start + BLOCK] = rng.integers(
                0, 256, (min(BLOCK, count - start), SIZE, SIZE, 3), np.uint8
            )
        numbers = np.arange(count)
        splits = np.where(numbers % 10 < 8, 0, numbers % 10 - 7)
        names = tuple(map(str, range(CLASSES)))
        return RawFaces(images, numbers % CLASSES, splits, numbers.astype(str), names, "noise")

    started = time.perf_counter()
    cached(KEY, noise, cache)
    return {"seconds": time.perf_counter() - started}


def train(cache: Path, way: str, batches: int) -> dict[str, float]:
    """Prepare the data and train on some batches, in this process."""
    import torch

    from fer_lightning.data.cache import cached
    from fer_lightning.data.datamodule import FaceDataModule
    from fer_lightning.data.normalization import Standard
    from fer_lightning.models import Small

    def never(allocate: object) -> object:
        raise AssertionError("the cache is there")

    faces = cached(KEY, never, cache)  # type: ignore[arg-type]
    if way == "memory":
        faces = replace(faces, images=np.array(faces.images))
    if way == "cold":
        with open(faces.images.filename, "rb") as file:  # type: ignore[attr-defined]
            faces = replace(faces, images=np.load(file.name, mmap_mode="c"))
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    data = FaceDataModule(
        "arrays", "noise", image_size=SIZE, channels=3, exclude=["duplicates"], on_device=way == "memory"
    )
    data._faces = faces
    started = time.perf_counter()
    normalization = Standard()
    normalization.fit(data.training_images())
    prepared = time.perf_counter() - started
    if way == "cold":
        with open(faces.images.filename, "rb") as file:  # type: ignore[attr-defined]
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    torch.manual_seed(0)
    net = Small(image_size=SIZE, in_channels=3, num_classes=CLASSES)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    seen = 0
    for number, (images, labels, _) in enumerate(data.train_dataloader()):
        if number == 2:
            seen, started = 0, time.perf_counter()
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(normalization(images)), labels)
        loss.backward()
        optimizer.step()
        seen += len(labels)
        if number == batches + 1:
            break
    return {"prepared": prepared, "speed": seen / (time.perf_counter() - started), "loss": loss.item()}


def run(what: str, arguments: argparse.Namespace, cache: Path) -> dict[str, float]:
    """One measurement in a process of its own."""
    command = [sys.executable, __file__, "--child", what, "--cache", str(cache)]
    command += [f"--pictures={arguments.pictures}", f"--batches={arguments.batches}"]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def main() -> None:
    """Measure every way and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--batches", type=int, default=40, help="of 128 pictures that are timed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        peak = PeakMemory()
        found = (
            build(arguments.cache, arguments.pictures)
            if arguments.child == "build"
            else train(arguments.cache, arguments.child, arguments.batches)
        )
        print(json.dumps(found | {"peak": peak.bytes}))
        return
    cache = Path(tempfile.mkdtemp(prefix="large_pictures."))
    try:
        built = run("build", arguments, cache)
        print(
            f"{arguments.pictures:,} pictures written in {built['seconds']:.0f} s, peak {built['peak'] / 2**20:.0f} MiB"
        )
        ways = ("memory", "mapped", "cold")
        rounds = [{way: run(way, arguments, cache) for way in ways} for _ in range(arguments.rounds)]
        print(f"{'':8}{'images/s':>10}{'of memory':>11}{'peak MiB':>10}{'prepared s':>12}")
        best = {way: max(each[way]["speed"] for each in rounds) for way in ways}
        for way in ways:
            peak = max(each[way]["peak"] for each in rounds)
            seconds = min(each[way]["prepared"] for each in rounds)
            share = best[way] / best["memory"]
            print(f"{way:8}{best[way]:>10.0f}{share:>11.2f}{peak / 2**20:>10.0f}{seconds:>12.1f}")
        losses = {each[way]["loss"] for each in rounds for way in ways}
        print(f"the same loss in every way: {len(losses) == 1}")
        peak = max(built["peak"], *(each["mapped"]["peak"] for each in rounds))
        met = peak < GOAL_BYTES and best["mapped"] >= GOAL_SPEED * best["memory"]
        print(f"goal (peak below 2 GiB, {GOAL_SPEED} of the speed in memory): {'met' if met else 'missed'}")
    finally:
        shutil.rmtree(cache, ignore_errors=True)


if __name__ == "__main__":
    main()
