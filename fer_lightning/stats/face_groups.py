"""Groups of faces that a network takes for alike: clusters of their features, found without labels or errors."""

from __future__ import annotations

from typing import Final

import numpy as np

from fer_lightning.config.values import Slices
from fer_lightning.errors import DataError

GROUPS: Final = 24
FEWEST_FACES: Final = 25
"""Faces of a group on average: with fewer the interval of its error holds almost any error."""
COMPONENTS: Final = 16
_STARTS: Final = 10


def group_count(asked: Slices, faces: int) -> int:
    """Return into how many groups faces are divided; 0 for none.

    Parameters
    ----------
    asked
        A number, True for :data:`GROUPS`, or False for none.
    faces
        How many there are; where they are few, groups are fewer.
    """
    wanted = GROUPS if asked is True else int(asked)
    found = min(wanted, faces // FEWEST_FACES)
    return found if found >= 2 else 0


def face_groups(features: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Divide faces into groups by k-means (Lloyd 1982, k-means++ starts) on the directions of their features.

    Directions (unit length, as in spherical k-means, Dhillon & Modha 2001) found planted groups of degraded faces more
    often than the features themselves; the first 16 principal components are enough. Neither labels nor errors are
    looked at, so a group's error may be judged on the same faces.

    Parameters
    ----------
    features
        float ``[N, D]``, such as those of `penultimate_features`.
    count
        Groups, at most N.
    seed
        Of the starts, of which the best of ten counts.

    Returns
    -------
    numpy.ndarray
        int64 ``[N]``, from 0; some numbers may be missing where faces are equal.

    Raises
    ------
    DataError
        A feature is not finite.
    """
    from sklearn.cluster import KMeans  # loading takes a second
    from sklearn.decomposition import PCA

    if not np.isfinite(features).all():
        raise DataError("the network's features of some faces are not finite; expected numbers")
    wide = features.astype(np.float64)
    directions = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    if not np.ptp(directions, axis=0).any():
        return np.zeros(len(features), np.int64)
    parts = PCA(min(COMPONENTS, *features.shape), svd_solver="full").fit_transform(directions)
    parts = parts.round(6)  # what differs by rounding alone is equal
    distinct = len(np.unique(parts, axis=0))
    found = KMeans(min(count, distinct), n_init=_STARTS, random_state=seed).fit(parts)
    return np.asarray(found.labels_, np.int64)
