"""Opening a study: made once, taken up unchanged ever after, a plan's trials enqueued."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.algorithms import build_pruner, build_sampler
from fer_lightning.sweeps.lock import claim_lock
from fer_lightning.sweeps.naming import require_same
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.plan import Cell, Plan
from fer_lightning.sweeps.space import Lookup, SearchSpace
from fer_lightning.sweeps.storage import open_storage

_STARTS = "fer:starts"


@dataclass(frozen=True)
class StudySpec:
    """What a study is: its place, what is fixed in it and what is varied."""

    name: str
    url: str
    sweep_dir: Path
    options: SweepOptions
    fixed: Mapping[str, Any]
    space: SearchSpace
    plan: Plan | None
    lookup: Lookup

    @property
    def budget(self) -> int:
        """The study's total number of trials."""
        wanted = self.options.n_trials
        if self.plan is not None:
            return min(len(self.plan.cells), wanted or len(self.plan.cells))
        target = str(self.options.sampler["_target_"])
        if target.endswith((".GridSampler", ".BruteForceSampler")):
            size = sum(1 for _ in self.space.points(self.lookup))
            return min(size, wanted or size)
        if wanted is None:
            raise ConfigError("hydra.sweeper.n_trials=null: expected the study's total number of trials")
        return wanted


def open_study(spec: StudySpec) -> optuna.Study:
    """Create the study, or take it up; safe when several processes do it at once.

    Raises
    ------
    ConfigError
        If the study exists with another fixed configuration, space, plan or direction.
    """
    options = spec.options
    _try_options(spec)
    with claim_lock(spec.url, spec.name):
        storage = open_storage(spec.url, options.heartbeat, options.grace)
        study = _create_or_load(spec, storage)
        starts = int(study._storage.get_study_system_attrs(study._study_id).get(_STARTS, 0))
        study._storage.set_study_system_attr(study._study_id, _STARTS, starts + 1)
        study.sampler = build_sampler(dict(options.sampler), spec.space, options.seed, starts)
        if spec.plan is not None:
            enqueue(study, spec.plan, retry_failed=options.retry_failed)
    return study


def _try_options(spec: StudySpec) -> None:
    """Find a wrong option before the study exists."""
    build_sampler(dict(spec.options.sampler), spec.space, seed=0)
    build_pruner(None if spec.options.pruner is None else dict(spec.options.pruner))
    assert spec.budget > 0


def _create_or_load(spec: StudySpec, storage: BaseStorage) -> optuna.Study:
    options = spec.options
    pruner = None if options.pruner is None else dict(options.pruner)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study = optuna.create_study(
            study_name=spec.name,
            storage=storage,
            directions=[StudyDirection[direction.upper()] for direction in options.direction],
            pruner=build_pruner(pruner),
            load_if_exists=True,
        )
    stored = study.user_attrs.get("fixed")
    if stored is not None:
        require_same(spec.name, stored, json.loads(json.dumps(spec.fixed, default=str)))
    elif study.get_trials(deepcopy=False):
        raise ConfigError(
            f"study {spec.name} was not made by this sweeper: give hydra.sweeper.study_name=<another name>"
        )
    wanted = [StudyDirection[direction.upper()] for direction in options.direction]
    if list(study.directions) != wanted:
        raise ConfigError(
            f"study {spec.name} exists with directions {[d.name.lower() for d in study.directions]}, "
            f"this command has {list(options.direction)}: give hydra.sweeper.study_name=<another name>"
        )
    if stored is None:
        study.set_user_attr("objectives", list(options.objective))
        study.set_user_attr("pruner", pruner)
        study.set_user_attr("directory", str(spec.sweep_dir))
        if spec.plan is not None:
            study.set_user_attr("plan", spec.plan.as_config())
        if len(set(options.objective)) == len(options.objective):
            _name_metrics(study, list(options.objective))
        # Last, because it says that everything above is there.
        study.set_user_attr("fixed", dict(spec.fixed))
    return study


def _name_metrics(study: optuna.Study, names: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names(names)


def cell_of(trial: FrozenTrial) -> tuple[str, int] | None:
    """The arm and seed of a plan's trial."""
    attrs = trial.user_attrs
    return (str(attrs["arm"]), int(attrs["seed"])) if "arm" in attrs else None


def enqueue(study: optuna.Study, plan: Plan, retry_failed: bool = False) -> None:
    """Enqueue the plan's trials that the study lacks, in the plan's order. Needs the claim lock."""
    present = {
        cell_of(trial)
        for trial in study.get_trials(deepcopy=False)
        if not (retry_failed and trial.state == TrialState.FAIL)
    }
    for cell in plan.cells:
        if (cell.arm.name, cell.seed) not in present:
            study.add_trial(_waiting(cell))


def _waiting(cell: Cell) -> FrozenTrial:
    return create_trial(
        state=TrialState.WAITING,
        system_attrs={"fixed_params": cell.params},
        user_attrs={"arm": cell.arm.name, "seed": cell.seed, "overrides": cell.overrides},
    )
