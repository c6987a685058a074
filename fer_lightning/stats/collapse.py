"""What an accuracy is worth: the levels of guessing, and nets that predict one class for every image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from fer_lightning.runs.predictions import Predictions


def class_of_all(predictions: Predictions) -> str | None:
    """Return the class that a collapsed net predicts for every face; ``None`` for any other net."""
    predicted = np.unique(predictions.logits.argmax(axis=1))
    return _name(predictions, int(predicted[0])) if len(predicted) == 1 else None


def guessing_levels(predictions: Predictions) -> str:
    """Return the accuracies of guessing in words: of a class by chance, and of always the most frequent class."""
    counts = np.bincount(predictions.labels, minlength=predictions.logits.shape[1])
    majority = (
        f"majority class ({_name(predictions, int(counts.argmax()))}) {counts.max() / counts.sum():.2%}"
    )
    return f"chance {1 / len(counts):.2%}, {majority}".replace("%", " %")


def collapse_notes(runs: Iterable[tuple[str, Predictions | None]]) -> list[str]:
    """Return one sentence for each name, of an arm or a trial, that has collapsed runs."""
    known = [(name, found) for name, found in runs if found is not None]
    total = Counter(name for name, _ in known)
    collapsed: dict[str, list[str]] = {}
    for name, found in known:
        if (word := class_of_all(found)) is not None:
            collapsed.setdefault(name, []).append(word)
    return [
        f"{name}: collapsed, {len(words)} of {total[name]} runs predict one class for every image "
        f"({', '.join(sorted(set(words)))})"
        for name, words in collapsed.items()
    ]


def _name(predictions: Predictions, label: int) -> str:
    return predictions.class_names[label] if predictions.class_names else f"class {label}"
