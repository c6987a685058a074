"""Calibration: whether a classifier's probabilities are true shares, and the temperature that brings them nearer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

BINS = 15
_COLDEST, _HOTTEST = 1e-2, 1e3
HALVES_SEED = 0  # the same halves in every run, so that arms are judged on the same faces


@dataclass(frozen=True)
class ReliabilityBin:
    """Faces of about equal confidence: how many, the mean probability of their predicted class, the share right."""

    faces: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """Confidence beside accuracy.

    Attributes
    ----------
    bins
        By rising confidence, of about as many faces each.
    ece
        Expected calibration error: the mean over the faces of their bin's gap between confidence and accuracy, 0..1.
    chance
        What the error would be on average, on as many faces in these bins, if every probability were true.
    """

    bins: tuple[ReliabilityBin, ...]
    ece: float
    chance: float


def probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return the softmax of logits ``[N, C]`` divided by a temperature, float64."""
    return np.asarray(np.exp(log_softmax(np.asarray(logits, np.float64) / temperature, axis=1)))


def mean_nll(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """Return the mean negative log-likelihood in nats of labels ``[N]`` at a temperature."""
    logs = log_softmax(np.asarray(logits, np.float64) / temperature, axis=1)
    return -float(logs[np.arange(len(labels)), labels].mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature with the least negative log-likelihood (Guo et al. 2017, arXiv 1706.04599).

    It is sought between 0.01 and 1000: logits that are right on every face want none above 0, logits worse than
    equal probabilities want them flat.

    Parameters
    ----------
    logits
        Finite, ``[N, C]``.
    labels
        int ``[N]``.
    """
    # The likelihood is concave in 1/T, so that there is one minimum over any monotone function of it.
    found = minimize_scalar(
        lambda log: mean_nll(logits, labels, float(np.exp(log))),
        bounds=(np.log(_COLDEST), np.log(_HOTTEST)),
        method="bounded",
        options={"xatol": 1e-5},
    )
    return float(np.exp(found.x))


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> Reliability:
    """Compare confidence with accuracy in bins of equally many faces (Nguyen & O'Connor 2015, arXiv 1508.05154).

    Bins of equal width leave most bins of a confident net empty. Any estimate from bins is too large, for a finite
    number of right answers never is the expected one: `Reliability.chance` is that part where nothing else is wrong,
    by the normal approximation of each bin.

    Parameters
    ----------
    confidence
        Probability of the predicted class, ``[N]``.
    right
        Whether that class is the label's, bool ``[N]``.
    bins
        How many; fewer where there are fewer faces.
    """
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    found = [
        ReliabilityBin(len(part), float(confidence[part].mean()), float(right[part].mean())) for part in parts
    ]
    gaps = sum(each.faces * abs(each.confidence - each.accuracy) for each in found)
    variances = [float((confidence[part] * (1 - confidence[part])).sum()) for part in parts]
    chance = float(np.sqrt(2 / np.pi * np.array(variances)).sum())
    return Reliability(tuple(found), gaps / len(confidence), chance / len(confidence))


def halves(labels: np.ndarray, ids: np.ndarray | None = None, seed: int = HALVES_SEED) -> np.ndarray:
    """Say which faces are in the half that a temperature is fitted on, bool ``[N]``; about half of each class.

    Parameters
    ----------
    labels
        int ``[N]``.
    ids
        Names of the faces; a face is in the same half in whatever order they come. Without them the order counts.
    seed
        The same seed gives the same halves.
    """
    order = np.arange(len(labels)) if ids is None else np.argsort(ids, kind="stable")
    order = order[np.random.default_rng(seed).permutation(len(labels))]
    order = order[np.argsort(labels[order], kind="stable")]
    fitted = np.zeros(len(labels), bool)
    fitted[order[::2]] = True
    return fitted
