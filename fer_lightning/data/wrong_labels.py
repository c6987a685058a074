"""Wrong labels, planted on purpose: what methods that look for label errors are measured by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_STREAM = 1  # its random numbers are none of those that draw the faces


def with_wrong_labels(labels: np.ndarray, share: float, classes: int, seed: Sequence[int]) -> np.ndarray:
    """Return labels of which a share, rounded to whole faces, is another class's; each other class is as likely.

    Parameters
    ----------
    labels
        int ``[N]``, of ``classes`` classes.
    share
        Of the faces, 0 to 1.
    seed
        The same seed gives the same errors, and a larger share adds errors to those of a smaller one.
    """
    generator = np.random.default_rng([*seed, _STREAM])
    order, shift = generator.permutation(len(labels)), generator.integers(1, classes, len(labels))
    chosen = order[: round(share * len(labels))]
    found = labels.copy()
    found[chosen] = (labels[chosen] + shift[chosen]) % classes
    return found
