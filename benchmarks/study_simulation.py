"""Simulated ablation studies with known effects, to measure what intervals and tests are worth.

A face is classified right when a latent score is above zero. The score is the arm's strength plus what the
image, the arm with this image, the training seed, the arm with this seed, the seed with this image and pure
chance add, all normal; so the arm's expected accuracy over new seeds and new images is known in closed
form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class StudyModel:
    """Structure of a simulated study, on the scale of the chance that one run adds to one image (sd 1).

    The defaults give the spreads measured on small CNNs on FER2013 (``docs/statistics.md``).

    Attributes
    ----------
    effects : true accuracy difference of each arm from the baseline
    accuracy : of the baseline
    image : sd of the images' difficulty, shared by all arms and seeds (3.0: most images are clear cases)
    arm_image : sd of what an arm changes on an image, the same for all seeds
    seed : sd of what a seed does to all arms alike; pairing removes it
    arm_seed : sd of what a seed does to one arm (one value, or one for the baseline and each arm)
    seed_image : sd of what a seed does to an image in all arms alike
    """

    effects: tuple[float, ...] = (0.0,)
    accuracy: float = 0.44
    image: float = 3.0
    arm_image: float = 0.5
    seed: float = 0.02
    arm_seed: float | tuple[float, ...] = 0.03
    seed_image: float = 0.7

    def __post_init__(self) -> None:
        """Refuse accuracies that are none."""
        for effect in (0.0, *self.effects):
            if not 0 < self.accuracy + effect < 1:
                raise ValueError(
                    f"accuracy {self.accuracy} with effect {effect}: expected a sum between 0 and 1"
                )

    def strengths(self) -> np.ndarray:
        """Latent strength of the baseline and of each arm [A + 1] that gives the wanted accuracies."""
        spread = self.image**2 + self.arm_image**2 + self.seed**2 + self.seed_image**2 + 1.0
        total = np.sqrt(spread + self.arm_seeds() ** 2)
        return np.asarray(stats.norm.ppf(self.accuracy + np.array([0.0, *self.effects])) * total)

    def arm_seeds(self) -> np.ndarray:
        return np.broadcast_to(np.asarray(self.arm_seed, dtype=np.float64), len(self.effects) + 1)


def simulate_correct(
    model: StudyModel, n_studies: int, n_seeds: int, n_images: int, rng: np.random.Generator
) -> np.ndarray:
    """Which images are right, bool [n_studies, A + 1, n_seeds, n_images]; the baseline comes first."""
    arms = len(model.effects) + 1

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal((n_studies, *shape), dtype=np.float32)

    arm_seed = model.arm_seeds().astype(np.float32)[:, None, None]
    score = normal(arms, n_seeds, n_images)
    score += model.strengths().astype(np.float32)[:, None, None]
    score += np.float32(model.image) * normal(1, 1, n_images)
    score += np.float32(model.arm_image) * normal(arms, 1, n_images)
    score += np.float32(model.seed) * normal(1, n_seeds, 1)
    score += arm_seed * normal(arms, n_seeds, 1)
    if model.seed_image:
        score += np.float32(model.seed_image) * normal(1, n_seeds, n_images)
    return score > 0
