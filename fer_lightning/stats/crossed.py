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

Under cross-validation a seed has K runs, each judged on its own N / K images, and runs take the place of seeds: they
are nested in the rows, and what several rows have in common at an image is the image's,

    d[s, i] = mean + run[s, fold of i] + image[i] + rest[s, i]

    variance of the grand mean = run²/(S K) + image²/N + rest²/(S N)
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
    mean, seed, image, rest : [...]; the grand mean and the three mean squares; under cross-validation `seed` is that of
        the runs
    n_seeds, n_images : S and N
    folds : K, runs a seed; 1 without cross-validation
    """

    mean: np.ndarray
    seed: np.ndarray
    image: np.ndarray
    rest: np.ndarray
    n_seeds: int
    n_images: int
    folds: int = 1

    @property
    def df(self) -> int:
        """Degrees of freedom between runs."""
        return self.n_seeds * self.folds - 1

    @property
    def chance(self) -> np.ndarray:
        """What the mean square between runs is expected to be where all runs are equally good, [...].

        Runs on the same images differ by the rest only, those on images of their own by these, too.
        """
        if self.folds == 1:
            return self.rest
        return self.rest + np.maximum(self.image - self.rest, 0.0) / self.n_seeds

    @property
    def image_part(self) -> np.ndarray:
        """Variance of the mean that the images add to what the mean square between runs holds, [...]."""
        share = 1.0 if self.folds == 1 else 1 - 1 / self.n_seeds
        return share * np.maximum(self.image - self.rest, 0.0) / (self.n_seeds * self.n_images)


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


def folded_mean_squares(table: np.ndarray, folds: np.ndarray) -> MeanSquares:
    """Mean squares of a table [S, N] of out-of-fold results: each row is made by several runs, on images of their own.

    Parameters
    ----------
    table : [S, N], S at least 1
    folds : int [S, N], the run of its row, from 0, that each image was judged by

    Raises
    ------
    ValueError
        Fewer than two runs a row, or one without two images.
    """
    table = np.asarray(table, dtype=np.float64)
    n_seeds, n_images = table.shape
    n_folds = int(folds.max()) + 1
    run = folds + n_folds * np.arange(n_seeds)[:, None]
    counts = np.bincount(run.ravel(), minlength=n_seeds * n_folds)
    if n_folds < 2 or counts.min() < 2:
        raise ValueError(
            f"{n_folds} runs a seed, the smallest on {counts.min()} images: expected at least 2 of each"
        )
    means = np.bincount(run.ravel(), table.ravel(), n_seeds * n_folds) / counts
    within = table - means[run]
    df_image, df_rest = n_images - n_folds, (n_seeds - 1) * (n_images - n_folds)
    ss_image = n_seeds * (within.mean(axis=0) ** 2).sum()
    ss_within = (within**2).sum()
    # A single row does not tell images and rest apart, and need not: each image is judged once.
    rest = (ss_within - ss_image) / df_rest if n_seeds > 1 else ss_within / df_image
    return MeanSquares(
        mean=table.mean(),
        seed=n_images / n_folds * means.var(ddof=1),
        image=ss_image / df_image,
        rest=np.maximum(rest, 0.0),
        n_seeds=n_seeds,
        n_images=n_images,
        folds=n_folds,
    )


def components(ms: MeanSquares) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard deviations of seeds, images and the rest [...], none below zero.

    The first is the spread between seeds that is more than the images' chance (of the mean of a seed's runs), the
    second the spread between images that all seeds share, so that ``error² = seed²/S + image²/N + rest²/(S N)``.
    """
    seed = np.maximum(ms.seed - ms.chance, 0.0) / ms.n_images
    image = np.maximum(ms.image - ms.rest, 0.0) / ms.n_seeds
    return np.sqrt(seed), np.sqrt(image), np.sqrt(ms.rest)


def error_parts(ms: MeanSquares) -> tuple[np.ndarray, np.ndarray]:
    """The two independent parts of the mean's standard error [...]: from the seeds and from the images.

    The first holds the rest as well and has one degree of freedom less than there are runs; the second is what the
    images add, known from so many of them that it is taken as normal. Seeds that by luck lie closer together than the
    images' chance lets them (in the lowest 5 % of what it gives) are moved up to that: no interval comes
    out narrower than the number of images can support, and none has width zero because three accuracies are
    equal.
    """
    cells = ms.n_seeds * ms.n_images
    least = stats.chi2.ppf(LUCK, ms.df) / ms.df * ms.chance
    return np.sqrt(np.maximum(ms.seed, least) / cells), np.sqrt(ms.image_part)


def p_value(ms: MeanSquares, true_mean: float | np.ndarray = 0.0) -> np.ndarray:
    """Two-sided p-value of "the expected value is `true_mean`", [...]."""
    return two_sided_p(ms.mean - true_mean, *error_parts(ms), ms.df)


def interval_half_width(ms: MeanSquares, confidence: float = 0.95) -> np.ndarray:
    """Half the width of the confidence interval of the expected value, [...]."""
    return half_width(*error_parts(ms), ms.df, confidence)
