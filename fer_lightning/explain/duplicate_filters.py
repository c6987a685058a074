"""Filters that repeat one another: those that look for the same pattern up to a small shift."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from fer_lightning.config.values import ShareAboveZero, checked
from fer_lightning.errors import ConfigError

FLAT = 1e-6  # deviation under which a pattern is one even grey, which repeats nothing


def similarities(patterns: np.ndarray, *, shift: int = 1, ignore_sign: bool = False) -> np.ndarray:
    """Return how alike each two patterns are: their largest correlation over shifts, in [-1, 1].

    Parameters
    ----------
    patterns
        float ``[K, h, w]``, or ``[K, h, w, 3]`` in colour: `Ascent.patterns` of the objective ``unit``, or a first
        layer's kernels. Each has its mean subtracted and its size divided out, so that brightness and contrast do not
        count.
    shift
        Largest shift of one against the other in pixels, in each direction; what leaves the frame is compared
        with the mean, so it lowers the correlation.
    ignore_sign
        Take a pattern and its negative for the same.

    Returns
    -------
    numpy.ndarray
        float64 ``[K, K]``, symmetric, 1 on the diagonal. A pattern without contrast is like no other (0).

    Raises
    ------
    ConfigError
        The patterns have another shape, or ``shift`` is out of range.
    """
    if patterns.ndim not in (3, 4) or len(patterns) == 0:
        raise ConfigError(f"patterns have shape {patterns.shape}; expected [K, h, w] or [K, h, w, 3]")
    if not 0 <= shift < min(patterns.shape[1:3]):
        raise ConfigError(
            f"shift={shift}: expected pixels, from 0 to below the pattern's {patterns.shape[1:3]}"
        )
    centred = patterns.astype(np.float64)
    within = tuple(range(1, patterns.ndim))
    centred = centred - centred.mean(axis=within, keepdims=True)
    size = np.sqrt(np.square(centred).sum(axis=within, keepdims=True))
    flat = size.reshape(-1) <= FLAT * np.sqrt(patterns[0].size)
    unit = centred / np.where(size > 0, size, 1.0)
    height, width, *channels = patterns.shape[1:]
    padded = np.pad(unit, ((0, 0), (shift, shift), (shift, shift), *((0, 0) for _ in channels)))
    still = unit.reshape(len(unit), -1)
    best = np.full((len(unit), len(unit)), -1.0)
    for down in range(2 * shift + 1):
        for right in range(2 * shift + 1):
            moved = padded[:, down : down + height, right : right + width].reshape(len(unit), -1)
            correlation = still @ moved.T
            best = np.maximum(best, np.abs(correlation) if ignore_sign else correlation)
    best = np.maximum(best, best.T)
    best[flat, :] = best[:, flat] = 0.0
    np.fill_diagonal(best, 1.0)
    return np.clip(best, -1.0, 1.0)


@checked()
def repeated_filters(
    patterns: np.ndarray, *, threshold: ShareAboveZero = 0.8, shift: int = 1, ignore_sign: bool = False
) -> list[list[int]]:
    """Group the filters that repeat one another; filters that repeat none are left out.

    Within a group every two filters are at least ``threshold`` alike (complete linkage), so that no chain of
    small differences joins filters that differ.

    Parameters
    ----------
    patterns, shift, ignore_sign
        As for `similarities`.
    threshold
        Correlation from which two filters are called the same, in (0, 1].

    Returns
    -------
    list
        Groups of at least two positions in ``patterns``, each ascending, the largest group first.
    """
    alike = similarities(patterns, shift=shift, ignore_sign=ignore_sign)
    if len(alike) < 2:
        return []
    distances = squareform(1.0 - alike, checks=False)
    # A hair more than the threshold, or rounding would keep exact copies apart at a threshold of 1.
    clusters = fcluster(linkage(distances, method="complete"), 1.0 - threshold + 1e-9, criterion="distance")
    groups = [np.flatnonzero(clusters == each).tolist() for each in np.unique(clusters)]
    return sorted((group for group in groups if len(group) > 1), key=lambda group: (-len(group), group))
