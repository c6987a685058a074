"""One trial of an ablation plan: an arm under a seed, at the command's settings or at some of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fer_lightning.sweeps.space.override import key_of, override

# Begins the names of tuned parameters in Optuna's record, where a factor may have the same name.
PREFIX = "tuning."


class Stage(StrEnum):
    """Purpose of a planned trial, stored with it.

    Of an ablation plan: the comparison of arms at the command's settings, the search for an arm's own settings, and the
    comparison at those. Of a search: the comparison of its best settings with the configuration's own.
    """

    PLAIN = "plain"
    TUNING = "tuning"
    TUNED = "tuned"
    CONFIRM = "confirm"


@dataclass(frozen=True)
class Arm:
    """One configuration that is compared: its level of each factor and the overrides that make it."""

    name: str
    levels: Mapping[str, Any]
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class TrialKey:
    """Identity of a planned trial; `point` is that of a tuning trial, else 0, `fold` None without cross-validation."""

    arm: str
    seed: int
    stage: Stage = Stage.PLAIN
    point: int = 0
    fold: int | None = None


@dataclass(frozen=True)
class PlannedTrial:
    """A trial of a plan: an arm under a seed and on a fold, when tuned with some settings of its own.

    `settings` are the values of the arm's tuned parameters by name, `drawn` those of them that differ from what
    the arm has anyway, and `changes` the overrides that set the drawn ones.
    """

    arm: Arm
    seed: int
    stage: Stage = Stage.PLAIN
    point: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    drawn: Mapping[str, Any] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    seed_key: str = "seed"
    fold: int | None = None
    fold_key: str = "data.fold"

    @property
    def key(self) -> TrialKey:
        """Identity within the plan."""
        point = self.point if self.stage == Stage.TUNING else 0
        return TrialKey(self.arm.name, self.seed, self.stage, point, self.fold)

    @property
    def params(self) -> dict[str, Any]:
        """The trial's parameters."""
        drawn = {f"{PREFIX}{name}": value for name, value in self.drawn.items()}
        fold = {} if self.fold is None else {"fold": self.fold}
        return {**self.arm.levels, **drawn, "seed": self.seed, **fold}

    @property
    def overrides(self) -> list[str]:
        """What the job gets."""
        changed = {key_of(text) for text in self.changes}
        kept = [text for text in self.arm.overrides if key_of(text) not in changed]
        fold = [] if self.fold is None else [override(self.fold_key, self.fold)]
        return [*kept, *self.changes, override(self.seed_key, self.seed), *fold]
