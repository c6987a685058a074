"""How saliency is checked, and what it takes to be trusted."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from fer_lightning.errors import ConfigError
from fer_lightning.explain.fill import FILLS
from fer_lightning.models.options import check_name, check_whole

Similarity = Literal["spearman", "ssim"]
Score = Literal["probability", "logit"]


@dataclass(frozen=True)
class TrustRules:
    """Settings of the checks and thresholds of the verdict.

    A method is trusted when every check is passed with its whole interval, not with its mean alone.

    Attributes
    ----------
    faces, seed
        How many correctly classified faces, and the seed of every choice and draw.
    least_faces
        With fewer there is no verdict.
    redraws
        Networks with newly drawn weights that a map is compared with.
    similarity
        Between two maps: ``spearman`` (rank correlation of the pixels) or ``ssim``.
    fill, steps, score
        Insertion and deletion: what stands for a pixel taken away, in how many steps all pixels go, and whether
        the class's ``probability`` or ``logit`` is followed.
    max_redrawn_similarity
        To a network with new weights: at most.
    max_class_similarity
        To the same method's map for another class: at most.
    min_gain_over_edges, min_gain_over_random
        Insertion minus deletion above that of the Sobel edges and of noise: more than.
    max_completeness_error
        Share of the mean change of logit: at most.
    confidence, resamples
        Of the bootstrap over faces.

    Raises
    ------
    ConfigError
        A value is out of range.
    """

    faces: int = 49
    seed: int = 0
    least_faces: int = 48
    redraws: int = 1
    similarity: Similarity = "spearman"
    fill: str = "blur"
    steps: int = 16
    score: Score = "probability"
    max_redrawn_similarity: float = 0.5
    max_class_similarity: float = 0.9
    min_gain_over_edges: float = 0.0
    min_gain_over_random: float = 0.0
    max_completeness_error: float = 0.05
    confidence: float = 0.95
    resamples: int = 2000

    def __post_init__(self) -> None:
        """Check every value."""
        for name, least in (("faces", 1), ("seed", 0), ("least_faces", 2), ("redraws", 1), ("steps", 1)):
            check_whole(f"trust.{name}", getattr(self, name), least)
        check_whole("trust.resamples", self.resamples, 100)
        check_name("trust.similarity", self.similarity, ("spearman", "ssim"))
        check_name("trust.score", self.score, ("probability", "logit"))
        check_name("trust.fill", self.fill, FILLS)
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name.startswith(("max_", "min_", "confidence")) and not (
                isinstance(value, (int, float)) and not isinstance(value, bool) and -1 <= value <= 1
            ):
                raise ConfigError(f"trust.{item.name}={value}: expected a number from -1 to 1")
        if not 0 < self.confidence < 1:
            raise ConfigError(f"trust.confidence={self.confidence}: expected a share between 0 and 1")
