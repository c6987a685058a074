"""The sweeper's options (`hydra.sweeper.*`), checked as soon as they are read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fer_lightning.config.schema import CHANGED_CODE
from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.space.override import key_of

DIRECTIONS = ("maximize", "minimize")
_SHORT = {"max": "maximize", "min": "minimize"}  # as Lightning's callbacks say it


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """Everything the sweeper is told.

    Parameters
    ----------
    study_name
        "auto" for a name made from what is fixed, or a name.
    label
        The first word of an automatic name.
    storage
        See `fer_lightning.sweeps.study.storage.storage_url`.
    n_trials
        The study's total number of trials, over all commands that worked on it; None for a plan's or a grid's
        length.
    objective, direction
        Metric names and whether more or less of each is better; one or several.
    unit
        How reports show the first objective: "share" for a fraction in per cent, any other text beside the name; None
        tells a share by its name and values.
    sampler, pruner
        ``{"_target_": …}``; no pruner gives no trial up.
    seed
        Of the sampler; None draws anew each time.
    search_space, plan, seeds
        What is searched, or which arms are compared over which seeds.
    seed_key
        The configuration key that a plan sets to each of the seeds; ``+seed`` adds a key that is not there.
    workers
        Processes that share the study on this machine, this one included.
    n_jobs
        Trials handed to the launcher at once.
    max_failures
        The study stops when so many trials have failed; None goes on.
    retry_failed
        Whether a plan's failed trials are tried once more by this command.
    heartbeat, grace
        Seconds between signs of life of a trial; silence after which one on another host counts as dead.
    max_deaths
        How often in a row a trial's process may die without getting further before the trial counts as
        failed.
    changed_code
        "refuse" or "accept": whether a study goes on when own code that it runs has changed.

    Raises
    ------
    ConfigError
        Naming the option, its value and what was expected.
    """

    study_name: str = "auto"
    label: str = "sweep"
    storage: str | None = None
    n_trials: int | None = None
    objective: Sequence[str] = ("val/acc",)
    direction: Sequence[str] = ("maximize",)
    unit: str | None = None
    sampler: Mapping[str, Any]
    pruner: Mapping[str, Any] | None = None
    seed: int | None = None
    search_space: Mapping[str, Any] | None = None
    plan: Mapping[str, Any] | None = None
    seeds: Sequence[int] | None = None
    seed_key: str = "seed"
    workers: int = 1
    n_jobs: int = 1
    max_failures: int | None = None
    retry_failed: bool = False
    heartbeat: int = 30
    grace: int = 120
    max_deaths: int = 5
    changed_code: str = "refuse"

    def __post_init__(self) -> None:
        for name in ("objective", "direction"):
            value = getattr(self, name)
            values = (value,) if isinstance(value, str) else tuple(value)
            object.__setattr__(self, name, tuple(_SHORT.get(word, word) for word in values))
        for name in ("workers", "n_jobs", "heartbeat", "grace", "max_deaths"):
            _require_count(name, getattr(self, name))
        for name in ("n_trials", "max_failures"):
            if getattr(self, name) is not None:
                _require_count(name, getattr(self, name))
        if not isinstance(self.seed_key, str) or not key_of(self.seed_key):
            raise ConfigError(
                f"hydra.sweeper.seed_key={self.seed_key!r}: expected the key of the seed, such as seed"
            )
        if self.changed_code not in CHANGED_CODE:
            raise ConfigError(
                f"hydra.sweeper.changed_code={self.changed_code}: expected {' or '.join(CHANGED_CODE)}"
            )
        if any(direction not in DIRECTIONS for direction in self.direction):
            raise ConfigError(
                f"hydra.sweeper.direction={list(self.direction)}: expected {' or '.join(DIRECTIONS)}"
            )
        if len(self.direction) != len(self.objective):
            raise ConfigError(
                f"hydra.sweeper.direction={list(self.direction)}: expected one for each of "
                f"{list(self.objective)}"
            )
        if self.unit is not None and not (isinstance(self.unit, str) and self.unit.strip()):
            raise ConfigError(f"hydra.sweeper.unit={self.unit!r}: expected share, a text such as s, or null")
        if len(self.objective) > 1 and self.pruner is not None:
            raise ConfigError(
                "hydra.sweeper.pruner: trials with several objectives cannot be pruned; "
                "use hydra/sweeper/pruner=none"
            )
        if not isinstance(self.sampler, Mapping) or "_target_" not in self.sampler:
            raise ConfigError(f"hydra.sweeper.sampler={self.sampler!r}: expected a mapping with _target_")
        if self.pruner is not None and "_target_" not in self.pruner:
            raise ConfigError(
                f"hydra.sweeper.pruner={self.pruner!r}: expected a mapping with _target_, or null"
            )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SweepOptions:
        """Read `hydra.sweeper` as plain containers."""
        known = {name: value for name, value in config.items() if not name.startswith("_")}
        unknown = set(known) - set(cls.__dataclass_fields__)
        if unknown:
            raise ConfigError(
                f"hydra.sweeper.{min(unknown)}: not known; "
                f"expected one of {', '.join(cls.__dataclass_fields__)}"
            )
        if isinstance(known.get("pruner"), Mapping) and "_target_" not in known["pruner"]:
            known["pruner"] = known["pruner"] or None
        return cls(**known)

    @property
    def threads(self) -> int:
        """Threads for each trial, so that all that run at once fill the machine."""
        return max(1, len(os.sched_getaffinity(0)) // (self.workers * self.n_jobs))


def _require_count(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"hydra.sweeper.{name}={value!r}: expected a whole number of at least 1")
