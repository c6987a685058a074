"""Opening a study: made once, taken up unchanged ever after, a plan's trials enqueued."""

from __future__ import annotations

import json
import secrets
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from fer_lightning.errors import ConfigError
from fer_lightning.redact import redact, redact_text
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.optuna_private import study_id
from fer_lightning.sweeps.plan.confirmation import Confirmation, retry_failed
from fer_lightning.sweeps.plan.enqueue import enqueue
from fer_lightning.sweeps.plan.plan import Plan
from fer_lightning.sweeps.space.custom_space import CustomSpace
from fer_lightning.sweeps.space.first_points import DEFAULT, GRIDS, FirstPoint
from fer_lightning.sweeps.space.search_space import Lookup, SearchSpace
from fer_lightning.sweeps.study.address import storage_file
from fer_lightning.sweeps.study.algorithms import build_pruner, build_sampler
from fer_lightning.sweeps.study.code import check_code, keep_code
from fer_lightning.sweeps.study.constraints import CONSTRAINTS
from fer_lightning.sweeps.study.identity import require_same
from fer_lightning.sweeps.study.judgement import JUDGED_BY
from fer_lightning.sweeps.study.lock import claim_lock
from fer_lightning.sweeps.study.origin import keep_origin
from fer_lightning.sweeps.study.place import read_place
from fer_lightning.sweeps.study.storage import open_storage
from fer_lightning.sweeps.study.taken import TAKEN, identity, is_taken, own_trials

_STARTS = "fer:starts"


def numbered_directory(number: int, overrides: Sequence[str] = ()) -> str:
    """Return the folder of a trial where the configuration names none."""
    return f"trial_{number:04d}"


@dataclass(frozen=True)
class StudySpec:
    """What a study is: its place, what is fixed in it, what is varied, and the own code that it runs.

    `subdirectory` gives a trial's folder within `sweep_dir` from its number and overrides, `custom` suggests parameters
    beyond `space`, a search begins with the settings in `first`, `notes` are lines that its reader must know,
    `origin` is what the command comes from, `choices` are the options of the configuration's groups, and `taken` are
    trials of earlier studies.
    """

    name: str
    url: str
    sweep_dir: Path
    options: SweepOptions
    fixed: Mapping[str, Any]
    space: SearchSpace
    plan: Plan | None
    lookup: Lookup
    custom: CustomSpace | None = None
    subdirectory: Callable[[int, Sequence[str]], str] = numbered_directory
    notes: tuple[str, ...] = ()
    code: Mapping[str, str] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    first: tuple[FirstPoint, ...] = ()
    confirmation: Confirmation | None = None
    choices: Mapping[str, Any] = field(default_factory=dict)
    taken: tuple[FrozenTrial, ...] = ()

    @property
    def maximize(self) -> bool:
        """Whether more of the first objective is better."""
        return self.options.direction[0] == "maximize"

    @property
    def budget(self) -> int | None:
        """The study's total number of trials; with tuning the most it can come to, None where others end it.

        A confirmation comes on top.
        """
        wanted = self.options.n_trials
        if self.plan is not None:
            return min(self.plan.size, wanted or self.plan.size)
        target = str(self.options.sampler["_target_"])
        if target.endswith(GRIDS):
            if self.custom is not None:
                raise ConfigError(
                    f"hydra.sweeper.custom_search_space={self.custom.name}: a grid must know every parameter before; "
                    "expected another hydra/sweeper/sampler, such as tpe or random"
                )
            size = sum(1 for _ in self.space.points(self.lookup))
            return min(size, wanted or size)
        if wanted is None and not self.options.limits:
            raise ConfigError("hydra.sweeper.n_trials=null: expected the study's total number of trials")
        return wanted


def open_study(spec: StudySpec) -> optuna.Study:
    """Create the study, or take it up; safe when several processes do it at once.

    Raises
    ------
    ConfigError
        If the study exists with another fixed configuration, space, plan, direction or code, or its folder is another
        study's.
    """
    options = spec.options
    _try_options(spec)
    with claim_lock(spec.url, spec.name):
        storage = open_storage(spec.url, options.heartbeat, options.grace)
        _refuse_shared_folder(spec, storage)
        study = _create_or_load(spec, storage)
        starts = int(storage.get_study_system_attrs(study_id(study)).get(_STARTS, 0))
        storage.set_study_system_attr(study_id(study), _STARTS, starts + 1)
        # With the seed of an earlier study a sampler would draw that one's first points again.
        drawn = starts + len(spec.taken)
        study.sampler = build_sampler(dict(options.sampler), spec.space, options.seed, drawn)
        if spec.plan is not None:
            enqueue(study, spec.plan, maximize=spec.maximize, retry_failed=options.retry_failed)
        else:
            _enqueue_first(study, spec)
            if options.retry_failed:
                retry_failed(study)
    return study


def _enqueue_first(study: optuna.Study, spec: StudySpec) -> None:
    """Take over trials of earlier studies, then enqueue the settings that a search begins with.

    Its default is enqueued only where it has no trial yet, and where it is none of those taken over.
    """
    trials = study.get_trials(deepcopy=False)
    begun = bool(own_trials(trials))
    present = {identity(trial.user_attrs[TAKEN]) for trial in trials if is_taken(trial)}
    for taken in spec.taken:
        if (key := identity(taken.user_attrs[TAKEN])) not in present:
            study.add_trial(taken)
            present.add(key)
    for point in spec.first:
        if point.name != DEFAULT or not begun:
            study.enqueue_trial(dict(point.params), user_attrs={"first": point.name}, skip_if_exists=True)


def _try_options(spec: StudySpec) -> None:
    """Find a wrong option before the study exists."""
    build_sampler(dict(spec.options.sampler), spec.space, seed=0)
    build_pruner(None if spec.options.pruner is None else dict(spec.options.pruner))
    assert spec.budget != 0


def _refuse_shared_folder(spec: StudySpec, storage: BaseStorage) -> None:
    """Refuse a folder in which another study keeps its trials: theirs would have the same folders."""
    if not spec.sweep_dir.is_dir():
        return  # a study that was here has been moved
    summaries = optuna.get_all_study_summaries(storage, include_best_trial=False)
    here = [summary.study_name for summary in summaries if _is_folder_of(summary.user_attrs, spec)]
    placed = read_place(spec.sweep_dir)
    others = [name for name in (*here, *([placed[1]] if placed else [])) if name != spec.name]
    if others:
        raise ConfigError(
            f"hydra.sweep.dir={redact_text(str(spec.sweep_dir))}: holds the study {others[0]}; expected a folder for "
            f"{spec.name} alone, such as hydra.sweep.dir=studies/{spec.name}"
        )


def _is_folder_of(user_attrs: Mapping[str, Any], spec: StudySpec) -> bool:
    return user_attrs.get("directory") in (str(spec.sweep_dir), redact_text(str(spec.sweep_dir)))


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
        require_same(spec.name, redact(stored), json.loads(json.dumps(spec.fixed, default=str)))
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
    if stored is not None:
        check_code(study, spec.code, accept=options.changed_code == "accept")
    else:
        keep_code(study, spec.code)
        study.set_user_attr("objectives", list(options.objective))
        study.set_user_attr(JUDGED_BY, "objectives")
        study.set_user_attr("pruner", pruner)
        if options.constraints is not None:
            study.set_user_attr(CONSTRAINTS, list(options.constraints))
        # A study's file is passed on; a server's users need the place in full, having other homes.
        in_file = storage_file(spec.url) is not None
        directory = redact_text(str(spec.sweep_dir)) if in_file else str(spec.sweep_dir)
        study.set_user_attr("directory", directory)
        study.set_user_attr("notes", list(spec.notes))
        # Another study may have its name: the same command in another folder makes one.
        study.set_user_attr("id", secrets.token_hex(4))
        if spec.plan is not None:
            study.set_user_attr("plan", spec.plan.as_config())
        if len(set(options.objective)) == len(options.objective):
            _name_metrics(study, list(options.objective))
        # Last, because it says that everything above is there.
        study.set_user_attr("fixed", dict(spec.fixed))
    if spec.origin:
        keep_origin(study, dict(spec.origin))
    if spec.choices and "choices" not in study.user_attrs:
        study.set_user_attr("choices", dict(spec.choices))
    if options.unit is not None and study.user_attrs.get("unit") != options.unit:
        study.set_user_attr("unit", options.unit)
    _settle_tuning(spec, study)
    return study


def _settle_tuning(spec: StudySpec, study: optuna.Study) -> None:
    """Keep how the arms are tuned: it may be added to a study that has none, and stays as it is from then on."""
    if spec.plan is None or spec.plan.tuning is None:
        return
    wanted = spec.plan.tuning.as_config()
    stored = study.user_attrs.get("tuning")
    if stored is None:
        study.set_user_attr("tuning", wanted)
    else:
        require_same(spec.name, {"ablation.tuning": stored}, {"ablation.tuning": wanted})


def _name_metrics(study: optuna.Study, names: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names(names)
