"""Reading a study's trials for reports and statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from fer_lightning.errors import DataError
from fer_lightning.runs.run import Run
from fer_lightning.sweeps.optuna_private import fixed_params
from fer_lightning.sweeps.plan.confirmation import is_comparable
from fer_lightning.sweeps.plan.enqueue import key_of_trial, latest_by_key
from fer_lightning.sweeps.plan.planned_trial import Stage, TrialKey
from fer_lightning.sweeps.study.address import storage_file, storage_url
from fer_lightning.sweeps.study.constraints import violated
from fer_lightning.sweeps.study.place import own_storage, read_place
from fer_lightning.sweeps.study.storage import open_storage


@dataclass(frozen=True)
class Trial:
    """One trial of a study: what the study stores of it, and its run.

    Attributes
    ----------
    frozen
        The trial as Optuna stores it.
    run
        The trial's folder; without one for a trial that never began.
    superseded
        Whether a failed trial was run once more under another number; it must not be counted.
    """

    frozen: FrozenTrial
    run: Run = field(default_factory=Run)
    superseded: bool = False

    @property
    def number(self) -> int:
        """Its number in the study, from 0."""
        return self.frozen.number

    @property
    def state(self) -> str:
        """One of COMPLETE, PRUNED, FAIL, RUNNING and WAITING."""
        return self.frozen.state.name

    @property
    def params(self) -> Mapping[str, Any]:
        """Its parameters, also while it waits."""
        return self.frozen.params or fixed_params(self.frozen)

    @property
    def attrs(self) -> Mapping[str, Any]:
        """What the sweep stored with it: overrides, stage, point, settings and others."""
        return self.frozen.user_attrs

    @property
    def arm(self) -> str | None:
        """Of an ablation plan or a confirmation; None in a search."""
        return self.attrs.get("arm")

    @property
    def seed(self) -> int | None:
        """Of an ablation plan or a confirmation; None in a search."""
        return self.attrs.get("seed")

    @property
    def fold(self) -> int | None:
        """Of the cross-validation of an ablation plan; None without one."""
        return self.attrs.get("fold")

    @property
    def stage(self) -> str:
        """What a planned trial is run for: "plain", "tuning", "tuned" or "confirm"; "plain" in a search."""
        return str(self.attrs.get("stage", Stage.PLAIN))

    @property
    def values(self) -> tuple[float, ...]:
        """One for each objective; empty without a result. A pruned trial's is the last one that it reported."""
        return tuple(self.frozen.values or ())

    @property
    def value(self) -> float | None:
        """The first objective; None without a result."""
        return self.values[0] if self.values else None

    @property
    def intermediate(self) -> Mapping[int, float]:
        """What it reported, by step."""
        return self.frozen.intermediate_values

    @property
    def infeasible(self) -> tuple[str, ...]:
        """The constraints that it violates, such as "parameters<2e6"; a search's winner has none."""
        return violated(self.frozen)

    @property
    def can_win(self) -> bool:
        """Whether it is complete with a finite value, and meets every constraint."""
        return is_comparable(self.frozen)

    @property
    def reason(self) -> str | None:
        """Why it failed, was pruned or is infeasible."""
        return self.attrs.get("reason")

    @property
    def seconds(self) -> float | None:
        """Run time over all attempts."""
        return self.attrs.get("seconds")


def find_storage(place: str | Path) -> str:
    """The address of the study in a sweep's folder, or of a storage given by file or URL.

    Raises
    ------
    DataError
        If the folder holds no study.
    """
    if not Path(place).is_dir():
        if not Path(place).suffix and "://" not in str(place):
            raise DataError(f"{place}: no such folder")
        return storage_url(str(place), Path.cwd())
    elsewhere = read_place(Path(place))
    found = own_storage(Path(place)) if elsewhere is None else elsewhere[0]
    if found is None:
        raise DataError(f"{place}: holds no study (expected study.db, study.journal or study.json)")
    return found


def load_study(place: str | Path, study_name: str | None = None) -> optuna.Study:
    """Open an existing study for reading.

    Parameters
    ----------
    place
        The sweep's folder, a storage file or a URL.
    study_name
        May be left out where there is one study only, and for a sweep's folder.

    Raises
    ------
    DataError
        If there is no such study.
    """
    url = find_storage(place)
    path = storage_file(url)
    if path is not None and not path.exists():
        raise DataError(f"{path}: no such file")
    storage = open_storage(url)
    names = optuna.get_all_study_names(storage)
    if study_name is None and (elsewhere := read_place(Path(place))) is not None:
        study_name = elsewhere[1]
    if study_name is None and len(names) == 1:
        study_name = names[0]
    if study_name not in names:
        if study_name is None and names:
            raise DataError(f"{place}: holds several studies ({', '.join(sorted(names))}); expected one")
        asked = "" if study_name is None else f" {study_name!r}"
        has = f"; it has {', '.join(sorted(names))}" if names else ""
        raise DataError(f"{place}: holds no study{asked}{has}")
    return optuna.load_study(study_name=study_name, storage=storage)


def load_trials(place: str | Path, study_name: str | None = None) -> list[Trial]:
    """Read the trials of a study in the order of their numbers; see `load_study`."""
    return study_trials(load_study(place, study_name), place)


def study_trials(study: optuna.Study, place: str | Path) -> list[Trial]:
    """Return the trials of a study that was loaded from a place, in the order of their numbers."""
    folder = study_folder(study, place)
    trials = study.get_trials(deepcopy=False)
    latest = {cell: trial.number for cell, trial in latest_by_key(trials).items()}
    return [_with_run(trial, folder, latest) for trial in trials]


def study_folder(study: optuna.Study, place: str | Path) -> Path:
    """The folder in which a study's trials are kept, wherever it lies now."""
    stored = Path(study.user_attrs.get("directory", ".")).expanduser()
    if stored.is_dir():
        return stored
    if Path(place).is_dir():
        return Path(place).resolve()
    path = storage_file(find_storage(place))
    return stored if path is None else path.parent


def _with_run(trial: FrozenTrial, folder: Path, latest: Mapping[TrialKey, int]) -> Trial:
    cell, directory = key_of_trial(trial), trial.user_attrs.get("directory")
    return Trial(
        trial,
        run=Run(None if directory is None else folder / directory),
        superseded=cell is not None and trial.state == TrialState.FAIL and latest[cell] != trial.number,
    )
