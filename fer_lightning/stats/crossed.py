"""Standard error of a mean over seeds *and* images: the crossed random-effects analysis of variance.

The table d[s, i] holds, for the run with seed s and for image i, what is averaged: for two
paired arms 1, 0 or -1, the difference of "classified right". Seeds and images are both samples, and crossed:

    d[s, i] = mean + seed[s] + image[i] + rest[s, i]

    variance of the grand mean = seed²/S + image²/N + rest²/(S N)
                               = (MS_seed + MS_image - MS_rest) / (S N)

This is how studies of several readers of the same cases are analysed (seeds are the readers): Dorfman,
Berbaum & Metz (1992), https://doi.org/10.1097/00004424-199209000-00015. The seeds' part is known from a
handful of runs, so it follows Student's distribution, the images' part is normal; the interval is that of
their sum. ``docs/statistics.md`` has the measured coverage of this and of the alternatives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from fer_lightning.stats.behrens_fisher import half_width, two_sided_p

# Chance of a spread between seeds that is taken as luck; `docs/statistics.md` shows what it does to coverage.
LUCK = 0.05


@dataclass(frozen=True)
class MeanSquares:
    """Two-way analysis of variance of d [..., S, N] without replication, and its mean.

    Attributes
    ----------
    mean, seed, image, rest : [...]; the grand mean and the three mean squares
    n_seeds, n_images : S and N
    """

    mean: np.ndarray
    seed: np.ndarray
    image: np.ndarray
    rest: np.ndarray
    n_seeds: int
    n_images: int


def mean_squares(table: np.ndarray) -> MeanSquares:
    """Mean squares of a table [..., S, N] (S seeds, at least 2; N images, at least 2).

    Raises
    ------
    ValueError
        Fewer than two seeds or images.
    """
    table = np.asarray(table, dtype=np.float64)
    n_seeds, n_images = table.shape[-2:]
    if n_seeds < 2 or n_images < 2:
        raise ValueError(f"table of {n_seeds} seeds and {n_images} images: expected at least 2 of each")
    grand = table.mean(axis=(-2, -1))
    by_seed = table.mean(axis=-1) - grand[..., None]
    by_image = table.mean(axis=-2) - grand[..., None]
    total = (table**2).sum(axis=(-2, -1)) - n_seeds * n_images * grand**2
    ss_seed = n_images * (by_seed**2).sum(axis=-1)
    ss_image = n_seeds * (by_image**2).sum(axis=-1)
    # Rounding may leave a rest of -1e-17 where the rest is none.
    ss_rest = np.maximum(total - ss_seed - ss_image, 0.0)
    return MeanSquares(
        mean=grand,
        seed=ss_seed / (n_seeds - 1),
        image=ss_image / (n_images - 1),
        rest=ss_rest / ((n_seeds - 1) * (n_images - 1)),
        n_seeds=n_seeds,
        n_images=n_images,
    )


def components(ms: MeanSquares) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard deviations of seeds, images and the rest [...], none below zero.

    The first is the spread between seeds that is more than the images' chance, the second the spread between
    images that all seeds share, so that ``error² = seed²/S + image²/N + rest²/(S N)``.
    """
    seed = np.maximum(ms.seed - ms.rest, 0.0) / ms.n_images
    image = np.maximum(ms.image - ms.rest, 0.0) / ms.n_seeds
    return np.sqrt(seed), np.sqrt(image), np.sqrt(ms.rest)


def error_parts(ms: MeanSquares) -> tuple[np.ndarray, np.ndarray]:
    """The two independent parts of the mean's standard error [...]: from the seeds and from the images.

    The first holds the rest as well and has S - 1 degrees of freedom; the second is what the images add,
    known from so many of them that it is taken as normal. Seeds that by luck lie closer together than the
    images' chance lets them (in the lowest 5 % of what it gives) are moved up to that: no interval comes
    out narrower than the number of images can support, and none has width zero because three accuracies are
    equal.
    """
    cells = ms.n_seeds * ms.n_images
    df = ms.n_seeds - 1
    least = stats.chi2.ppf(LUCK, df) / df * ms.rest
    return np.sqrt(np.maximum(ms.seed, least) / cells), np.sqrt(np.maximum(ms.image - ms.rest, 0.0) / cells)


def p_value(ms: MeanSquares, true_mean: float | np.ndarray = 0.0) -> np.ndarray:
    """Two-sided p-value of "the expected value is `true_mean`", [...]."""
    return two_sided_p(ms.mean - true_mean, *error_parts(ms), ms.n_seeds - 1)


def interval_half_width(ms: MeanSquares, confidence: float = 0.95) -> np.ndarray:
    """Half the width of the confidence interval of the expected value, [...]."""
    return half_width(*error_parts(ms), ms.n_seeds - 1, confidence)
