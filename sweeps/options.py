"""The sweeper's options (`hydra.sweeper.*`), checked as soon as they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fer_lightning.config.threads import available_threads
from fer_lightning.config.values import (
    ChangedCode,
    Count,
    CountOrZero,
    Name,
    Processors,
    Seeds,
    Share,
    check_fields,
    check_keys,
    check_value,
    short_direction,
)
from fer_lightning.errors import ConfigError
from fer_lightning.sweeps import option_kinds as kinds
from fer_lightning.sweeps.study.constraints import Constraint, parse_constraints
from fer_lightning.sweeps.study.promoted import check_promotion

_OPTUNAS = {"max": "maximize", "min": "minimize"}


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
    begin_with_default
        Whether a search's first trial is the configuration's own setting.
    first
        Settings that a search tries next, before those of its sampler: values by the names or keys of what is searched,
        the rest as in the configuration.
    begin_from
        Folders or storages of earlier studies whose trials a search takes over: see `sweeps.plan.earlier_study`.
    budget
        ``{minutes, epochs}``: after so many minutes or reported steps, of all trials together, no further trial begins.
        What a confirmation will take is kept back.
    patience
        A search ends when so many trials in a row were no better than the best before them.
    confirm
        How many of a search's best settings are run again afterwards, beside the configuration's own.
    confirm_seeds
        The seeds of that: a list, or how many that the search did not use.
    constraints
        Limits such as ``parameters<2e6`` that the winner must meet: see `sweeps.study.constraints`.
    keep_checkpoints
        "all", "none", or "best:5": whose checkpoints stay when trials have ended.
    promote
        Whether a trial that successive halving pruned goes on when it has become one of the best at its rung.
    objective, direction
        Metric names and whether more or less of each is better; one or several.
    unit
        How reports show the first objective: "share" for a fraction in per cent, any other text beside the name; None
        tells a share by its name and values.
    sampler, pruner
        ``{"_target_": …}``, in which a null is Optuna's own value; no pruner gives no trial up.
    seed
        Of the sampler, unless that has a seed of its own; None draws anew each time.
    search_space, plan, seeds
        What is searched, or which arms are compared over which seeds.
    params
        What is searched, or set, as overrides: ``{x: "interval(0,1)", y: 3}``. The command line replaces what it names.
    custom_search_space
        The dotted name of a function of the configuration and the Optuna trial that suggests further parameters.
    seed_key
        The configuration key that a plan or a confirmation sets to each of the seeds; ``+seed`` adds a key that is not
        there.
    folds, fold_key
        Number of folds of a cross-validation on each of which a plan runs every arm and seed, and the key that is set
        to 0, 1, … for them; None is no cross-validation.
    workers
        Processes that share the study on this machine, this one included.
    n_jobs
        Trials handed to the launcher at once.
    max_failures
        The study stops when so many trials have failed; None goes on.
    max_failure_rate
        The study stops when more than this share of the trials that have ended has failed. None goes on, and is an
        error at the end if all runs of an arm or of a search have failed; with 1.0, if all of the study have.
    retry_failed
        Whether the failed trials of a plan or a confirmation are tried once more by this command.
    heartbeat, grace
        Seconds between signs of life of a trial; silence after which one on another host counts as dead.
    max_deaths
        How often in a row a trial's process, or one of those that train it together, may die without getting
        further before the trial counts as failed.
    changed_code
        "refuse" or "accept": whether a study goes on when own code that it runs has changed.

    Raises
    ------
    ConfigError
        Naming the option, its value and what was expected.
    """

    study_name: Name = "auto"
    label: Name = "sweep"
    storage: str | None = None
    n_trials: Count | None = None
    begin_with_default: bool = True
    first: kinds.Settings | None = None
    begin_from: kinds.Places | None = None
    budget: kinds.Budget | None = None
    patience: Count | None = None
    confirm: Count | None = None
    confirm_seeds: kinds.ConfirmSeeds = 5
    constraints: kinds.Constraints | None = None
    keep_checkpoints: kinds.Kept = "all"
    promote: bool = False
    objective: Sequence[str] = ("val/acc",)
    direction: kinds.Directions = ("maximize",)
    unit: kinds.Unit | None = None
    sampler: Mapping[str, Any]
    pruner: Mapping[str, Any] | None = None
    seed: CountOrZero | None = None
    search_space: Mapping[str, Any] | None = None
    params: Mapping[str, Any] | None = None
    custom_search_space: Name | None = None
    plan: Mapping[str, Any] | None = None
    seeds: Sequence[Any] | None = None
    seed_key: kinds.SeedKey = "seed"
    folds: kinds.Folds | None = None
    fold_key: kinds.SeedKey = "data.fold"
    workers: Processors = 1
    n_jobs: Count = 1
    max_failures: Count | None = None
    max_failure_rate: Share | None = None
    retry_failed: bool = False
    heartbeat: Count = 30
    grace: Count = 120
    max_deaths: Count = 5
    changed_code: ChangedCode = "refuse"

    def __post_init__(self) -> None:
        for name in ("objective", "direction"):
            value = getattr(self, name)
            values = (value,) if isinstance(value, str) else tuple(value)
            if name == "direction":
                values = tuple(_OPTUNAS.get(short_direction(word), word) for word in values)
            object.__setattr__(self, name, values)
        check_fields(self, "hydra.sweeper.")
        texts = tuple(constraint.text for constraint in parse_constraints(self.constraints))
        object.__setattr__(self, "constraints", texts or None)
        places = (self.begin_from,) if isinstance(self.begin_from, str) else self.begin_from
        object.__setattr__(self, "begin_from", places and tuple(places))
        self._check_search()
        if len(self.direction) != len(self.objective):
            raise ConfigError(
                f"hydra.sweeper.direction={list(self.direction)}: expected one for each of "
                f"{list(self.objective)}"
            )
        if len(self.objective) > 1 and self.pruner is not None:
            raise ConfigError(
                "hydra.sweeper.pruner: trials with several objectives cannot be pruned; "
                "use hydra/sweeper/pruner=none"
            )
        if self.promote:
            check_promotion(self.pruner, kept=self.kept_checkpoints, has_plan=self.plan is not None)
        for name, given in (("sampler", self.sampler), ("pruner", self.pruner)):
            if given is not None and "_target_" not in given:
                raise ConfigError(f"hydra.sweeper.{name}={given}: expected a mapping with _target_")

    def _check_search(self) -> None:
        """Check what is said of a search alone."""
        seeds = self.confirm_seeds
        check_value(seeds, Count if isinstance(seeds, int) else Seeds, "hydra.sweeper.confirm_seeds")
        if not isinstance(seeds, int) and len(set(seeds)) < len(seeds):
            raise ConfigError(f"hydra.sweeper.confirm_seeds={seeds}: a seed is listed twice")
        asked = [
            name
            for name in ("first", "begin_from", "patience", "confirm", "constraints")
            if getattr(self, name) is not None
        ]
        if asked and self.plan is not None:
            raise ConfigError(
                f"hydra.sweeper.{asked[0]}={getattr(self, asked[0])}: is for a search; expected null with a plan"
            )
        one = [name for name in ("patience", "confirm") if getattr(self, name) is not None]
        if len(self.objective) > 1 and self.kept_checkpoints:
            raise ConfigError(
                f"hydra.sweeper.keep_checkpoints={self.keep_checkpoints}: several objectives have no best trial; "
                "expected all or none"
            )
        if one and len(self.objective) > 1:
            raise ConfigError(
                f"hydra.sweeper.{one[0]}={getattr(self, one[0])}: several objectives have no best trial; expected null"
            )

    @property
    def kept_checkpoints(self) -> int | None:
        """How many of the best trials keep their checkpoints; None where all do."""
        word, _, count = self.keep_checkpoints.partition(":")
        return {"all": None, "none": 0}.get(word, int(count or 0))

    @property
    def limits_of_trials(self) -> tuple[Constraint, ...]:
        """The constraints, read."""
        return parse_constraints(self.constraints)

    @property
    def limits(self) -> dict[str, float]:
        """What ends a study beside its number of trials: the options that are set, by their names."""
        budget = self.budget or {}
        given: dict[str, float | None] = {
            "budget.minutes": budget.get("minutes"),
            "budget.epochs": budget.get("epochs"),
            "patience": self.patience,
        }
        return {name: value for name, value in given.items() if value is not None}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SweepOptions:
        """Read `hydra.sweeper` as plain containers."""
        known = {name: value for name, value in config.items() if not name.startswith("_")}
        check_keys(known, dict.fromkeys(cls.__dataclass_fields__, Any), "hydra.sweeper.")
        for name in ("sampler", "pruner"):
            check_value(known.get(name), dict[str, Any] | None, f"hydra.sweeper.{name}")
            given = (known.get(name) or {}).items()
            # Optuna makes the grid sampler with its arguments, so hydra-optuna-sweeper's waits for them.
            known[name] = {key: value for key, value in given if value is not None and key != "_partial_"}
        if str(known["sampler"].get("_target_")).endswith((".MOTPESampler", ".raise_motpe_removed")):
            raise ConfigError(
                "hydra/sweeper/sampler=motpe: this sampler was removed in Optuna 4.0; expected "
                "hydra/sweeper/sampler=tpe, which takes several objectives"
            )
        known["seed"] = known["sampler"].pop("seed", known.get("seed"))
        known["pruner"] = known["pruner"] or None
        return cls(**known)

    @property
    def threads(self) -> int:
        """Threads for each trial, so that all that run at once on this machine fill it."""
        return max(1, available_threads() // (self.workers * self.n_jobs))
