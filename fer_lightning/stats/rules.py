"""The settings by which a study is judged, stated before its results are seen."""

from __future__ import annotations

from dataclasses import dataclass

from fer_lightning.config.objective import Objective
from fer_lightning.errors import ConfigError


@dataclass(frozen=True)
class Rules:
    """When an arm is called better or worse.

    Attributes
    ----------
    confidence : of the intervals; 1 - confidence is the level of the verdicts after Holm's correction
    min_seeds : fewer common seeds give "not enough seeds"
    smallest_effect : the difference that the question "how many seeds?" is asked for, in the metric's own unit; None
        for one point (0.01) of a share, and for no such question where the metric is no share
    power : the wanted chance of calling it
    n_resamples : of the hierarchical bootstrap that is shown for comparison; 0 leaves it out

    Raises
    ------
    ConfigError
        A value out of its range.
    """

    confidence: float = 0.95
    min_seeds: int = 3
    smallest_effect: float | None = None
    power: float = 0.8
    n_resamples: int = 2000

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        for name in ("confidence", "power", "min_seeds", "smallest_effect", "n_resamples"):
            value = getattr(self, name)
            if name == "smallest_effect" and value is None:
                continue
            whole = name in ("min_seeds", "n_resamples")
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                raise ConfigError(f"{name}={value}: expected a {'whole ' if whole else ''}number")
        for name in ("confidence", "power"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)}: expected a number between 0 and 1")
        if self.min_seeds < 2:
            raise ConfigError(f"min_seeds={self.min_seeds}: expected at least 2, one seed shows no spread")
        if self.smallest_effect is not None and not self.smallest_effect > 0:
            raise ConfigError(f"smallest_effect={self.smallest_effect}: expected a number above 0")
        if self.n_resamples < 0:
            raise ConfigError(f"n_resamples={self.n_resamples}: expected 0 or more")

    def smallest_of(self, objective: Objective) -> float | None:
        """The smallest effect of interest in an objective's own unit; None where nobody said it and none is natural."""
        point = 0.01 if objective.is_share else None
        return point if self.smallest_effect is None else self.smallest_effect

    @property
    def alpha(self) -> float:
        """Level of the family of verdicts."""
        return 1 - self.confidence
