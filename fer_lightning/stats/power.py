"""How many seeds it takes to call a difference of a given size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import optimize, stats
from statsmodels.stats.power import TTestPower

from fer_lightning.stats.behrens_fisher import half_width
from fer_lightning.stats.crossed import LUCK
from fer_lightning.stats.paired import PairedEffect

MAX_SEEDS = 200


@dataclass(frozen=True)
class Spread:
    """Standard deviations of a paired difference: between seeds, between images, and the rest (per image).

    Under cross-validation a seed has several runs, `folds`; the spread between seeds is that of their mean.
    """

    seed: float
    image: float
    rest: float
    n_images: int
    folds: int = 1

    def error_parts(self, n_seeds: int) -> tuple[float, float]:
        """Seeds' and images' part of the standard error of the mean over `n_seeds` seeds."""
        if self.n_images == 0:
            # As in `cross_validation.corrected_t`: the runs share most of what they are trained on.
            shared_training = 0.0 if self.folds == 1 else self.folds / (self.folds - 1)
            return self.seed * math.sqrt(1 / n_seeds + shared_training), 0.0
        # As in `crossed`: runs on images of their own differ by these, too.
        shared = 1.0 if self.folds == 1 else 1 - 1 / n_seeds
        rest = (self.rest**2 + (1 - shared) * n_seeds * self.image**2) / (n_seeds * self.n_images)
        return math.sqrt(self.seed**2 / n_seeds + rest), self.image * math.sqrt(shared / self.n_images)


def spread_of(effects: Sequence[PairedEffect]) -> Spread | None:
    """Spread of a typical arm; None where no arm has two seeds.

    One arm's spread over three seeds is a poor guide to the spread of the next ones, so that between seeds is
    the mean over the arms (of squares). Those of the images and the rest are well known in each arm; there the
    median keeps a stuck network out.
    """
    usable = [e for e in effects if e.n_runs > 1]
    with_images = [e for e in usable if e.n_images]
    usable = with_images or usable
    if not usable:
        return None

    def rms(values: Sequence[float]) -> float:
        return float(np.sqrt(np.mean(np.square(values))))

    def middle(values: Sequence[float]) -> float:
        return float(np.sqrt(np.median(np.square(values))))

    if not with_images:
        return Spread(rms([e.seed_sd for e in usable]), 0.0, 0.0, 0, usable[0].folds)
    return Spread(
        rms([e.seed_sd for e in usable]),
        middle([e.image_sd for e in usable]),
        middle([e.rest_sd for e in usable]),
        min(e.n_images for e in usable),
        usable[0].folds,
    )


@lru_cache(maxsize=256)
def _interval_widths(df: int, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of the seeds' part over the images' part, and of the half-width over the images' part.

    A table of 40 points, interpolated, is within 1 % and makes planning quick.
    """
    ratio = np.geomspace(0.01, 1000, 40)
    return np.log(ratio), np.log(half_width(ratio, np.ones(1), df, 1 - alpha))


def power(spread: Spread, size: float, n_seeds: int, alpha: float = 0.05) -> float:
    """Chance that a true difference of `size` is called with `n_seeds` seeds.

    `alpha` is the level of the two-sided test. Without images this is statsmodels' power of a paired t-test;
    with them, the mean over what the spread between seeds may come out as, of the chance to lie beyond the
    half-width that goes with it.
    """
    seeds, images = spread.error_parts(n_seeds)
    error, df = math.hypot(seeds, images), n_seeds * spread.folds - 1
    if error == 0:
        return 1.0
    if images < 1e-3 * seeds:
        # "larger" at half the level: the other tail hardly counts, and scipy's is NaN at times.
        effect = abs(size) / (error * math.sqrt(n_seeds))
        return float(TTestPower().power(effect, n_seeds, alpha / 2, df=df, alternative="larger"))
    shares = (np.arange(100) + 0.5) / 100
    observed = np.sqrt(stats.chi2.ppf(shares, df) / df) * seeds
    least = math.sqrt(stats.chi2.ppf(LUCK, df) / df) * spread.rest / math.sqrt(n_seeds * spread.n_images)
    at, widths = _interval_widths(df, alpha)
    ratio = np.log(np.maximum(np.maximum(observed, least) / images, 0.01))
    return float(stats.norm.sf((images * np.exp(np.interp(ratio, at, widths)) - abs(size)) / error).mean())


def seeds_needed(
    spread: Spread, size: float, *, alpha: float = 0.05, target: float = 0.8, min_seeds: int = 3
) -> int | None:
    """Fewest seeds that call a true difference of `size` with probability `target`.

    Returns
    -------
    None where 200 seeds are not enough; then the images, not the seeds, are the limit.

    Raises
    ------
    ValueError
        A size of 0, an alpha or target outside (0, 1).
    """
    if size == 0 or not 0 < alpha < 1 or not 0 < target < 1:
        raise ValueError(
            f"size {size}, alpha {alpha}, target {target}: expected size ≠ 0 and the others in (0, 1)"
        )
    low, high = max(-(-min_seeds // spread.folds), 1 if spread.folds > 1 else 2), MAX_SEEDS
    if power(spread, size, high, alpha) < target:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power(spread, size, middle, alpha) >= target else (middle + 1, high)
    return low


def detectable(spread: Spread, n_seeds: int, *, alpha: float = 0.05, target: float = 0.8) -> float:
    """Smallest true difference that `n_seeds` seeds call with probability `target`; 0 without any spread."""
    error = math.hypot(*spread.error_parts(n_seeds))
    if error == 0:
        return 0.0
    high = error
    while power(spread, high, n_seeds, alpha) < target:
        high *= 2
    return float(
        optimize.brentq(lambda size: power(spread, size, n_seeds, alpha) - target, high * 1e-3, high)
    )
