"""Train on a set of pictures larger than memory should hold: peak memory, and speed against pictures in memory.

    python benchmarks/large_pictures.py

Writes 100,000 pictures of 112×112×3 of noise into a cache below /tmp (3.8 GB of disk, deleted afterwards), by blocks
as a reader does. A second process prepares the data as a run does (looks for copies among all pictures, fits the
normalization on all training faces) and trains a small net from the memory-mapped cache, whose batches a thread cuts
ahead (data.on_device=false): what training does where pictures do not fit its device. A third one trains in turns, five
batches each, from all pictures in memory and from the mapped cache, so that whatever else the machine does falls on
both. Peaks are the largest anonymous memory of a process (RssAnon): mapped pages the system can take back at any time.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from fer_lightning.data.cache import cached
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.data.faces import Faces, RawFaces
from fer_lightning.data.normalization import Standard
from fer_lightning.data.picture_arrays import Allocate
from fer_lightning.models import Small

SIZE, CLASSES, BLOCK, TURN = 112, 8, 1000, 5
KEY, WAYS = "large-1", ("memory", "mapped")
GOAL_SPEED, GOAL_MIB = 0.9, 2048


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


class Known(FaceDataModule):
    """A data module of faces that are read already."""

    def __init__(self, faces: Faces, *, on_device: bool) -> None:
        super().__init__(
            "arrays", "noise", image_size=SIZE, channels=3, exclude=["duplicates"], on_device=on_device
        )
        self.known = faces

    @property
    def faces(self) -> Faces:
        return self.known


def data_of(cache: Path, *, mapped: bool) -> FaceDataModule:
    """Return the data module of the cache's pictures, mapped from their file or copied into memory."""
    faces = cached(KEY, never, cache)
    if not mapped:
        faces = replace(faces, images=np.array(faces.images))
    return Known(faces, on_device=not mapped)


def never(allocate: Allocate) -> RawFaces:
    """Stand for a reader where the cache must be there."""
    raise AssertionError("the cache is there")


class Training:
    """A small net that is trained on one batch after another."""

    def __init__(self, data: FaceDataModule, normalization: Standard) -> None:
        torch.manual_seed(0)
        self.net = Small(image_size=SIZE, in_channels=3, num_classes=CLASSES, dropout=0.0)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.01)
        self.batches, self.normalization = iter(data.train_dataloader()), normalization

    def step(self, count: int) -> float:
        """Train on some batches and return the seconds that took."""
        started = time.perf_counter()
        for _ in range(count):
            images, labels, _ = next(self.batches)
            self.optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(self.net(self.normalization(images)), labels)
            loss.backward()
            self.optimizer.step()
            self.loss = loss.item()
        return time.perf_counter() - started


def peak(cache: Path) -> dict[str, float]:
    """Prepare the data and train from the mapped cache."""
    started = time.perf_counter()
    data, normalization = data_of(cache, mapped=True), Standard()
    normalization.fit(data.training_images())
    prepared = time.perf_counter() - started
    return {"prepared": prepared, "trained": Training(data, normalization).step(5)}


def speed(cache: Path, rounds: int) -> dict[str, float]:
    """Train in turns from memory and from the mapped cache."""
    normalization = Standard()
    normalization.mean, normalization.std = torch.full((3,), 0.5), torch.full((3,), 0.29)
    ways = {name: Training(data_of(cache, mapped=name == "mapped"), normalization) for name in WAYS}
    for way in ways.values():
        way.step(2)
    seconds = []
    for number in range(rounds):
        order = WAYS if number % 2 else WAYS[::-1]
        seconds.append({name: ways[name].step(TURN) for name in order})
    batch = TURN * 128
    found = {name: batch / float(np.median([each[name] for each in seconds])) for name in WAYS}
    ratio = float(np.median([each["memory"] / each["mapped"] for each in seconds]))
    return found | {"ratio": ratio, "same": ways["memory"].loss == ways["mapped"].loss}


def run(what: str, arguments: argparse.Namespace, cache: Path) -> dict[str, float]:
    """One measurement in a process of its own."""
    command = [sys.executable, __file__, "--child", what, "--cache", str(cache)]
    command += [f"--pictures={arguments.pictures}", f"--rounds={arguments.rounds}"]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9, help="of five batches of 128 each way")
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        watch = PeakMemory()
        children = {
            "build": lambda: build(given.cache, given.pictures),
            "peak": lambda: peak(given.cache),
            "speed": lambda: speed(given.cache, given.rounds),
        }
        print(json.dumps(children[given.child]() | {"peak": watch.bytes}))
        return
    cache = Path(tempfile.mkdtemp(prefix="large_pictures."))
    try:
        found = {what: run(what, given, cache) for what in ("build", "peak", "speed")}
    finally:
        shutil.rmtree(cache, ignore_errors=True)
    mib = {what: values["peak"] / 2**20 for what, values in found.items()}
    print(f"{given.pictures:,} pictures of {SIZE}×{SIZE}×3")
    print(f"written to the cache   {found['build']['seconds']:6.0f} s       peak {mib['build']:6.0f} MiB")
    print(
        f"prepared from it       {found['peak']['prepared']:6.0f} s       peak {mib['peak']:6.0f} MiB, trained"
    )
    for name in WAYS:
        print(f"trained from {name:10}{found['speed'][name]:6.0f} images/s")
    ratio = found["speed"]["ratio"]
    print(f"mapped against memory  {ratio:6.3f}         the same loss: {found['speed']['same']}")
    met = max(mib["build"], mib["peak"]) < GOAL_MIB and ratio >= GOAL_SPEED
    print(f"goal (peak below {GOAL_MIB} MiB, {GOAL_SPEED} of the speed): {'met' if met else 'missed'}")


if __name__ == "__main__":
    main()
