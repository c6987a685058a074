"""How each arm of a study came to settings of its own: what the second table of a tuned study stands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ArmTuning:
    """The search for one arm's settings; its trials enter no other number.

    Attributes
    ----------
    arm : name
    point : number of the chosen point, 0 for the settings that the arm has anyway; None until it is known
    settings : values of the arm's tuned parameters at that point; a parameter that makes the arm is missing
    value : the metric there at the tuning seed; None where no trial is complete
    own_value : the metric at the arm's own settings, point 0
    n_complete, n_pruned, n_failed, n_unfinished : its trials
    seconds : time of all of them
    failures : the distinct reasons of the failed ones
    """

    arm: str
    point: int | None
    settings: dict[str, Any]
    value: float | None
    own_value: float | None
    n_complete: int
    n_pruned: int
    n_failed: int
    n_unfinished: int
    seconds: float
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class TuningPart:
    """The search in all arms.

    Attributes
    ----------
    seed : of every tuning trial; no arm is compared under it
    parameters : names of what is tuned
    arms : in the plan's order
    """

    seed: int
    parameters: tuple[str, ...]
    arms: tuple[ArmTuning, ...]

    @property
    def seconds(self) -> float:
        """Time of all tuning trials."""
        return sum(arm.seconds for arm in self.arms)

    @property
    def unchanged(self) -> tuple[str, ...]:
        """The arms that keep the settings they have: their runs of the first table stand in the second as well."""
        return tuple(arm.arm for arm in self.arms if arm.point == 0)

    def arm(self, name: str) -> ArmTuning:
        """The search of one arm; KeyError where there is none."""
        return {arm.arm: arm for arm in self.arms}[name]
