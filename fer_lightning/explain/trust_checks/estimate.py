"""Means over faces with bootstrap intervals, the same faces drawn for every method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fer_lightning.stats.bootstrap import resample_counts


@dataclass(frozen=True)
class Estimate:
    """A mean over faces and its percentile interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


class FaceBootstrap:
    """Resamples of faces, drawn once: what is compared is compared on the same ones.

    Parameters
    ----------
    faces
        Their number.
    confidence
        Of the intervals, between 0 and 1.
    resamples, seed
        How many are drawn, and the seed of the drawing.
    """

    def __init__(self, faces: int, confidence: float = 0.95, resamples: int = 2000, seed: int = 0) -> None:
        self.weights = resample_counts(faces, resamples, np.random.default_rng(seed)) / faces
        self.tails = [50 * (1 - confidence), 50 * (1 + confidence)]

    def estimate(self, values: np.ndarray) -> Estimate:
        """Return the mean of one value a face, ``[N]``, with its interval."""
        low, high = np.percentile(self.weights @ values, self.tails)
        return Estimate(float(values.mean()), float(low), float(high))
