"""The settings by which a study is judged, stated before its results are seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from fer_lightning.config.objective import Objective
from fer_lightning.config.values import CountOrZero, OpenShare, Positive, check_fields

MinSeeds = Annotated[int, Field(ge=2)]


@dataclass(frozen=True)
class Rules:
    """When an arm is called better or worse.

    Attributes
    ----------
    confidence : of the intervals; 1 - confidence is the level of the verdicts after Holm's correction
    min_seeds : fewer common seeds give "not enough seeds"; one seed shows no spread
    smallest_effect : the difference that the question "how many seeds?" is asked for, in the metric's own unit; None
        for one point (0.01) of a share, and for no such question where the metric is no share
    power : the wanted chance of calling it
    n_resamples : of the hierarchical bootstrap that is shown for comparison; 0 leaves it out
    """

    confidence: OpenShare = 0.95
    min_seeds: MinSeeds = 3
    smallest_effect: Positive | None = None
    power: OpenShare = 0.8
    n_resamples: CountOrZero = 2000

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        check_fields(self)

    def smallest_of(self, objective: Objective) -> float | None:
        """The smallest effect of interest in an objective's own unit; None where nobody said it and none is natural."""
        point = 0.01 if objective.is_share else None
        return point if self.smallest_effect is None else self.smallest_effect

    @property
    def alpha(self) -> float:
        """Level of the family of verdicts."""
        return 1 - self.confidence
