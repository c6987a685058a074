"""The embedded data set: drawn faces with seven expressions, made on the spot and labelled synthetic."""

from __future__ import annotations

import numpy as np

from fer_lightning.data.faces import FER_CLASSES
from fer_lightning.data.synthetic_camera import photograph
from fer_lightning.data.synthetic_drawing import render
from fer_lightning.data.synthetic_traits import draw_traits

SHARES = (0.14, 0.07, 0.14, 0.21, 0.16, 0.12, 0.16)
CHUNK = 32


def draw_faces(n, seed, *, image_size=48, ambiguous=0.1, noise=1.0):
    generator = np.random.default_rng(seed)
    labels = generator.permutation(_balanced(n))
    traits = draw_traits(generator, labels, ambiguous)
    sigma = generator.uniform(0.01, 0.05, n).astype(np.float32) * np.float32(noise)
    images = np.empty((n, image_size, image_size), dtype=np.uint8)
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        chosen = {name: values[part] for name, values in traits.items()}
        grain = generator.standard_normal((len(chosen["skin"]), image_size, image_size), dtype=np.float32)
        grain *= sigma[part, None, None]
        images[part] = photograph(render(chosen, image_size), chosen, grain)
    return images, labels


def _balanced(n):
    exact = np.array(SHARES) * n
    counts = np.floor(exact).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")
    counts[order[: n - counts.sum()]] += 1
    return np.repeat(np.arange(len(FER_CLASSES)), counts)
