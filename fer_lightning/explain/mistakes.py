"""Misclassified faces, each with its probabilities and its runner-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import log_softmax

from fer_lightning.config.values import checked
from fer_lightning.errors import ConfigError
from fer_lightning.runs.confusion_counts import class_names_of
from fer_lightning.runs.predictions import Predictions


@dataclass(frozen=True, eq=False)
class Mistake:
    """One misclassified face.

    Attributes
    ----------
    position
        Row of the predictions, and of the split's faces in the same order.
    id
        Name of the face in its source; empty where it is not known.
    label, predicted, runner_up
        Names of the true, the most likely and the second most likely class.
    probabilities
        float64 ``[C]``; they sum to 1.
    """

    position: int
    id: str
    label: str
    predicted: str
    runner_up: str
    probabilities: np.ndarray


@checked()
def mistakes(
    predictions: Predictions,
    limit: int = 12,
    *,
    label: str | None = None,
    predicted: str | None = None,
    order: Literal["worst", "random"] = "worst",
    seed: int = 0,
) -> list[Mistake]:
    """Return misclassified faces; those with a logit that is not a number are left out.

    Parameters
    ----------
    limit
        How many at most.
    label, predicted
        Only faces of this class, only faces taken for this class.
    order
        ``worst``: the least probability of the true class first, so the model's surest errors, which are often
        wrong labels; ``random``: drawn with ``seed``, for an impression of what is usual.

    Raises
    ------
    ConfigError
        There is no such class or order.
    """
    names = class_names_of(predictions)
    log_probabilities = log_softmax(predictions.logits.astype(np.float64), axis=1)
    best = predictions.logits.argmax(axis=1)
    chosen = (best != predictions.labels) & ~np.isnan(predictions.logits).any(axis=1)
    for name, classes in ((label, predictions.labels), (predicted, best)):
        if name is not None:
            chosen &= classes == _index(names, name)
    positions = np.flatnonzero(chosen)
    if order == "random":
        positions = np.random.default_rng(seed).permutation(positions)
    else:
        worth = log_probabilities[positions, predictions.labels[positions]]
        positions = positions[np.argsort(worth, kind="stable")]
    found = []
    for position in positions[:limit]:
        first, second = np.argsort(-predictions.logits[position], kind="stable")[:2]
        found.append(
            Mistake(
                position=int(position),
                id="" if predictions.ids is None else str(predictions.ids[position]),
                label=names[int(predictions.labels[position])],
                predicted=names[first],
                runner_up=names[second],
                probabilities=np.exp(log_probabilities[position]),
            )
        )
    return found


def _index(names: tuple[str, ...], name: str) -> int:
    if name not in names:
        raise ConfigError(f"class {name}: expected one of {', '.join(names)}")
    return names.index(name)
