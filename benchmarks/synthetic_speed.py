"""Seconds to draw synthetic faces on one core, and to open them from the cache.

Run ``python benchmarks/synthetic_speed.py``. The goal is 2,000 faces in at most 2 seconds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np

from fer_lightning.data.synthetic import draw_faces, synthetic_faces


def seconds(action: Callable[[], object], rounds: int) -> tuple[float, float, float]:
    """Median and lowest wall-clock time of ``action``, and its lowest processor time."""
    wall, processor = [], []
    for _ in range(rounds):
        start, start_processor = time.perf_counter(), time.process_time()
        action()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - start_processor)
    return statistics.median(wall), min(wall), min(processor)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    draw_faces(64, 0)
    with tempfile.TemporaryDirectory() as folder:
        rows = {
            "draw 2,000 faces of 48×48": seconds(lambda: draw_faces(2000, 0), rounds),
            "draw 2,000 faces of 96×96": seconds(lambda: draw_faces(2000, 0, image_size=96), rounds),
            "draw and cache the data set (2,500)": seconds(lambda: synthetic_faces(cache_dir=folder), 1),
            "open the data set from the cache": seconds(lambda: synthetic_faces(cache_dir=folder), rounds),
        }
    print(f"numpy {np.__version__}, one core; seconds over {rounds} rounds (the third row: one)")
    print(f"{'':38s}{'median':>8s}{'lowest':>8s}{'CPU':>8s}")
    for name, times in rows.items():
        print(f"{name:38s}" + "".join(f"{value:8.3f}" for value in times))


if __name__ == "__main__":
    main()
