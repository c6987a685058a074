"""Time from FER2013's files to a checked cache, from a cache to faces, and the memory it takes.

    python benchmarks/data_cache.py ../fer2013.zip

The zip (Kaggle's folder form) is read as it is. From it, a fer2013.csv of the usual size and an extracted
folder are made in a temporary place and deleted afterwards (600 MB of disk). The peer is the common way to
read the csv: pandas, then `np.fromstring` row by row; it ends with arrays in memory, without splits, checks
or cache.

Every line of the table is a fresh process. "wall" and "cpu" are seconds without imports, the smallest of the
repeats; "peak" is the process's largest resident memory, imports and mapped pages of the cache included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

USAGES = ("Training", "PublicTest", "PrivateTest")
GOALS = {"csv to cache": "<= pandas + fromstring", "zip to cache": "<= 8 s", "open": "<= 0.3 s"}


def common_way(path: str) -> int:
    """Read the csv as most scripts do; give the size of the images in bytes."""
    import numpy as np
    import pandas as pd

    start_clock()
    table = pd.read_csv(path)
    images = np.stack([np.fromstring(pixels, sep=" ") for pixels in table["pixels"]])
    labels = table["emotion"].to_numpy()
    assert len(labels) == len(images)
    return images.nbytes


def prepared(path: str) -> int:
    """Open the faces through the cache, which is built first if there is none."""
    from fer_lightning.data.source import load_faces

    start_clock()
    faces = load_faces("fer2013", path)
    return faces.images.nbytes


START: dict[str, float] = {}


def start_clock() -> None:
    """Note the time after the imports."""
    START["wall"], START["cpu"] = time.perf_counter(), time.process_time()


def child(what: str, path: str) -> None:
    """Measure in this process and print the numbers."""
    size = {"common": common_way, "prepared": prepared}[what](path)
    print(
        json.dumps(
            {
                "wall": time.perf_counter() - START["wall"],
                "cpu": time.process_time() - START["cpu"],
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "bytes": size,
            }
        )
    )


def run(what: str, path: Path, cache: Path) -> dict[str, float]:
    """One measurement in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, "--child", what, str(path)]
    environment = os.environ | {"FER_LIGHTNING_CACHE": str(cache)}
    result = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    numbers: dict[str, float] = json.loads(result.stdout)
    return numbers


def write_csv(source: Path, target: Path, cache: Path) -> None:
    """Make fer2013.csv from the zip."""
    from fer_lightning.data.source import load_faces

    faces = load_faces("fer2013", source, cache_dir=cache)
    words = [str(level) for level in range(256)]
    with target.open("w") as file:
        file.write("emotion,pixels,Usage\n")
        for image, label, split in zip(faces.images, faces.labels, faces.splits, strict=True):
            pixels = " ".join([words[level] for level in image.ravel().tolist()])
            file.write(f"{label},{pixels},{USAGES[split]}\n")


def measure(source: Path, scratch: Path, repeats: int) -> None:
    """Measure every way and print the table."""
    table, folder = scratch / "fer2013.csv", scratch / "folder"
    write_csv(source, table, scratch / "first")
    with zipfile.ZipFile(source) as archive:
        archive.extractall(folder)
    print(f"{'':24}{'wall s':>9}{'cpu s':>9}{'peak MiB':>10}  goal")
    for name, what, path in (
        ("pandas + fromstring", "common", table),
        ("csv to cache", "prepared", table),
        ("zip to cache", "prepared", source),
        ("folder to cache", "prepared", folder),
    ):
        runs = [run(what, path, scratch / f"{name} {i}") for i in range(repeats)]
        report(name, runs, GOALS.get(name, ""))
        if what == "prepared":
            again = [run(what, path, scratch / f"{name} {i}") for i in range(repeats)]
            report(f"open ({name.split()[0]})", again, GOALS["open"])


def report(name: str, runs: list[dict[str, float]], goal: str) -> None:
    """Print one line of the table."""
    wall, cpu, peak = (min(r[key] for r in runs) for key in ("wall", "cpu", "peak"))
    print(f"{name:24}{wall:9.2f}{cpu:9.2f}{peak / 2**20:10.0f}  {goal}", flush=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("zip", type=Path, help="FER2013 in Kaggle's folder form")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fer_benchmark_") as scratch:
        measure(options.zip, Path(scratch), options.repeats)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the end, best of {options.repeats}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:4])
    else:
        main()
