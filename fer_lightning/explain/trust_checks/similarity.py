"""How alike two maps are."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata
from skimage.metrics import structural_similarity

_SSIM_WINDOW = 7


def similarities(one: np.ndarray, other: np.ndarray, kind: str = "spearman") -> np.ndarray:
    """Return the similarity of each pair of maps, float64 ``[N]``; 1 is the same.

    Two equal maps give 1 even if they are flat; a flat map and any other give 0: a blank says nothing.

    Parameters
    ----------
    one, other
        ``[N, H, W]``.
    kind
        ``spearman``: rank correlation over pixels; ``ssim``: structural similarity of the maps, each divided
        by its maximum (Wang et al. 2004). Adebayo et al. 2018 report both.
    """
    flat_one, flat_other = (maps.reshape(len(maps), -1).astype(np.float64) for maps in (one, other))
    flat = (np.ptp(flat_one, axis=1) == 0) | (np.ptp(flat_other, axis=1) == 0)
    same = (flat_one == flat_other).all(axis=1)
    found = _spearman(flat_one, flat_other) if kind == "spearman" else _ssim(one, other)
    return np.where(same, 1.0, np.where(flat, 0.0, found))


def _spearman(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    ranks = [rankdata(values, axis=1) for values in (one, other)]
    left, right = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    scale = np.sqrt((left**2).sum(axis=1) * (right**2).sum(axis=1))
    return np.asarray((left * right).sum(axis=1) / np.where(scale > 0, scale, 1.0))


def _ssim(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    window = min(_SSIM_WINDOW, *one.shape[1:])
    window -= 1 - window % 2
    return np.array(
        [
            structural_similarity(
                left / max(left.max(), 1e-30),
                right / max(right.max(), 1e-30),
                data_range=1.0,
                win_size=window,
            )
            for left, right in zip(one.astype(np.float64), other.astype(np.float64), strict=True)
        ]
    )
