"""Verdicts on another program's results: from a CSV file, from arrays, and right or wrong image by image.

python examples/compare_elsewhere.py
"""

from pathlib import Path

import numpy as np

import fer_lightning as fl

# One row a run: arm, seed, value. The first arm is the baseline; `gelu` lacks a seed, and a note says so.
table = Path(__file__).with_name("results.csv")
found = fl.compare(table, metric="top1", unit="share", output="verdicts")
print(found)
print(found.verdicts)
print(found.to_pandas()[["difference", "low", "high", "p_holm"]].round(4))

# A metric of which less is better.
latency = {"fp32": [21.4, 21.9, 21.1], "int8": [12.0, 12.6, 11.8]}
print(fl.compare(latency, metric="latency", direction="min", unit="ms").verdicts)

# Which images each run classifies right: then the interval is for new images as well as for new seeds.
random = np.random.default_rng(0)
hard = random.normal(0, 0.15, 500)
right = {
    arm: [random.random(500) < level + hard for _ in range(3)]
    for arm, level in {"plain": 0.60, "augmented": 0.70}.items()
}
row = fl.compare(right).report.arm("augmented")
assert row.effect is not None
print(f"{row.verdict}: {row.effect.mean:+.3f} [{row.effect.low:+.3f}, {row.effect.high:+.3f}]")
