"""Which faces are looked at: fixed by the predictions and a seed, so that a look can be repeated."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np
import torch

from fer_lightning.errors import ConfigError, DataError


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the class probabilities of logits ``[N, C]``, float64 ``[N, C]``."""
    return np.asarray(torch.from_numpy(np.asarray(logits, np.float64)).softmax(1))


def balanced_correct(logits: np.ndarray, labels: np.ndarray, count: int = 49, seed: int = 0) -> np.ndarray:
    """Choose correctly classified faces, as many of each class as there are.

    Where a class has fewer than its share, the others fill up, one face each in turn.

    Parameters
    ----------
    logits, labels
        ``[N, C]`` and int ``[N]``.
    count
        Faces to choose; fewer are returned where fewer are right.
    seed
        Of the choice within each class.

    Returns
    -------
    numpy.ndarray
        Positions, int64, ascending.

    Raises
    ------
    ConfigError
        ``count`` is below 1.
    DataError
        No face is classified correctly.
    """
    if count < 1:
        raise ConfigError(f"faces={count}: expected a whole number of at least 1")
    right = np.flatnonzero((logits.argmax(axis=1) == labels) & np.isfinite(logits).all(axis=1))
    if len(right) == 0:
        raise DataError(f"none of {len(labels)} faces is classified correctly: there is nothing to explain")
    shuffled = np.random.default_rng(seed).permutation(right)
    # A face's turn is its number within its class: all first faces, then all second ones, and so on.
    turn = np.empty(len(shuffled), dtype=np.int64)
    for label in np.unique(labels[shuffled]):
        members = labels[shuffled] == label
        turn[members] = np.arange(members.sum())
    return np.sort(shuffled[np.argsort(turn, kind="stable")[:count]])


def one_of_each_class(logits: np.ndarray, labels: np.ndarray) -> dict[int, int]:
    """Return for each class its correctly classified face of median confidence, as ``{class: position}``.

    The median, not the most confident: that one is often a caricature. Classes with no correct face are left out.
    """
    sure = probabilities(logits)[np.arange(len(labels)), labels]
    right = logits.argmax(axis=1) == labels
    chosen = {}
    for label in range(logits.shape[1]):
        members = np.flatnonzero(right & (labels == label))
        if len(members):
            chosen[label] = int(members[np.argsort(sure[members], kind="stable")[len(members) // 2]])
    return chosen


def without_correct(chosen: Container[int], class_names: Sequence[str]) -> str:
    """Return a sentence that names the classes that :func:`one_of_each_class` left out; empty if there are none."""
    missing = [name for label, name in enumerate(class_names) if label not in chosen]
    return f"Classes without a correctly classified image: {', '.join(missing)}." if missing else ""


def drawn_of_each_class(labels: np.ndarray, seed: int) -> np.ndarray:
    """Draw one face of each class, whatever a net makes of it: the same faces for every net, int64 ``[<= C]``."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    return shuffled[np.unique(labels[shuffled], return_index=True)[1]]


def worst_mistakes(logits: np.ndarray, labels: np.ndarray, count: int = 7) -> np.ndarray:
    """Return the wrongly classified faces, the one of the largest wrong confidence first, int64 ``[<= count]``."""
    sure = probabilities(logits).max(axis=1)
    wrong = np.flatnonzero(logits.argmax(axis=1) != labels)
    return wrong[np.argsort(-sure[wrong], kind="stable")[:count]]
