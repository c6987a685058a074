"""How saliency is checked, and what it takes to be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from fer_lightning.config.values import Count, CountOrZero, OpenShare, check_fields
from fer_lightning.explain.fill import NamedFill

Similarity = Literal["spearman", "ssim"]
Correlation = Annotated[float, Field(ge=-1, le=1)]
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
    """

    faces: Count = 49
    seed: CountOrZero = 0
    least_faces: Annotated[int, Field(ge=2)] = 48
    redraws: Count = 1
    similarity: Similarity = "spearman"
    fill: NamedFill = "blur"
    steps: Count = 16
    score: Score = "probability"
    max_redrawn_similarity: Correlation = 0.5
    max_class_similarity: Correlation = 0.9
    min_gain_over_edges: Correlation = 0.0
    min_gain_over_random: Correlation = 0.0
    max_completeness_error: Correlation = 0.05
    confidence: OpenShare = 0.95
    resamples: Annotated[int, Field(ge=100)] = 2000

    def __post_init__(self) -> None:
        """Check every value."""
        check_fields(self, "trust.")
