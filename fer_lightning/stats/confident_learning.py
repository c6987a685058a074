"""Confident learning: which labels are probably wrong, from out-of-sample probabilities (Northcutt et al. 2021).

Northcutt, Jiang & Chuang (2021), "Confident Learning: Estimating Uncertainty in Dataset Labels", Journal of Artificial
Intelligence Research 70, 1373 (arXiv 1911.00068). ``N`` faces, ``C`` classes; a class is *given* by a face's label.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Selection = Literal["off_diagonal", "by_class", "by_noise_rate"]
"""The paper's ``C_{y~,y*}``, prune by class (PBC) and prune by noise rate (PBNR)."""


def class_thresholds(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return for each class its mean probability in the faces of that label, float64 ``[C]``; inf without faces.

    Parameters
    ----------
    probabilities
        float ``[N, C]``, of models that were not trained on the face.
    labels
        int ``[N]``, the given classes.
    """
    found = np.full(probabilities.shape[1], np.inf)
    for given in np.unique(labels):
        found[given] = probabilities[labels == given, given].mean(dtype=np.float64)
    return found


def probable_classes(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the class that each face is counted in, int64 ``[N]``; -1 where no class is confident.

    It is the most probable one of those whose probability reaches the class's threshold.
    """
    reached = probabilities >= class_thresholds(probabilities, labels) - 1e-9  # rounding of a mean
    best = np.where(reached, probabilities, -np.inf).argmax(axis=1)
    return np.where(reached.any(axis=1), best, -1)


def confident_joint(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Count faces by given class (rows) and probable class (columns), int64 ``[C, C]``."""
    classes, probable = probabilities.shape[1], probable_classes(probabilities, labels)
    counted = probable >= 0
    pairs = classes * labels[counted].astype(np.int64) + probable[counted]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def joint_distribution(counts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the estimated joint distribution of given and true classes, float64 ``[C, C]``, which sums to 1.

    Each row of the counts is brought to the share of the faces with that label; a row without a count is taken to be
    right.
    """
    shares = np.bincount(labels, minlength=len(counts)) / len(labels)
    rows = counts.sum(axis=1)
    filled = np.where(rows[:, None] > 0, counts, np.eye(len(counts)))
    return np.asarray(filled / filled.sum(axis=1, keepdims=True) * shares[:, None])


def self_confidence(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the probability of each face's label, ``[N]``."""
    return np.asarray(probabilities[np.arange(len(labels)), labels])


def margin(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the probability of each face's label minus that of the most probable other class, ``[N]`` in -1..1."""
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    return np.asarray(self_confidence(probabilities, labels) - others.max(axis=1))


def suggested_classes(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the class that each face probably has if not its label's: its probable one, else the best other."""
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    probable = probable_classes(probabilities, labels)
    return np.where((probable >= 0) & (probable != labels), probable, others.argmax(axis=1))


def doubtful(
    probabilities: np.ndarray, labels: np.ndarray, selection: Selection = "by_noise_rate"
) -> np.ndarray:
    """Say which labels are probably wrong, bool ``[N]``; never one whose class is the most probable.

    Parameters
    ----------
    selection
        ``off_diagonal``: faces that the confident joint counts in another class than their label's.
        ``by_class``: of each label as many as the joint distribution takes for wrong, of the least self-confidence.
        ``by_noise_rate``: of each label and true class as many as it says, of the largest difference between the
        probabilities of the two.
    """
    predicted_otherwise = probabilities.argmax(axis=1) != labels
    if selection == "off_diagonal":
        probable = probable_classes(probabilities, labels)
        return (probable >= 0) & (probable != labels) & predicted_otherwise
    counts, found = confident_joint(probabilities, labels), np.zeros(len(labels), bool)
    for given, row in enumerate(counts):
        faces = np.flatnonzero(labels == given)
        if selection == "by_class":
            least = np.argsort(probabilities[faces, given], kind="stable")
            found[faces[least[: _brought_to(len(faces), row.sum() - row[given], row.sum())]]] = True
            continue
        for true in set(range(len(counts))) - {given}:
            most = np.argsort(probabilities[faces, given] - probabilities[faces, true], kind="stable")
            found[faces[most[: _brought_to(len(faces), row[true], row.sum())]]] = True
    return found & predicted_otherwise


def _brought_to(faces: int, part: int, whole: int) -> int:
    """Return faces · part / whole to the nearest whole number, halves up, without the chance of floats."""
    return int((2 * faces * part + whole) // (2 * whole)) if whole else 0
