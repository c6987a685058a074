"""A study's storage as the dashboard sees it: with a note for every trial, and without a way to write."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any, NoReturn

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from fer_lightning.dashboard.notes import note_attributes, note_of
from fer_lightning.sweeps.optuna_private import study_id, trial_id

FindFolder = Callable[[str], Path | None]


class ReadOnlyStorage(BaseStorage):
    """Reads from another storage and adds notes to what is read; nothing is ever written, least of all the notes.

    So the sweep is not disturbed, however many look on, and a database user who may only read suffices.

    Parameters
    ----------
    storage
        The study's.
    find_folder
        Returns where a study's trials are kept, by its name; ``None`` for a study that gets no notes.
    """

    def __init__(self, storage: BaseStorage, find_folder: FindFolder) -> None:
        self._inner = storage
        self._find_folder = find_folder

    def get_all_studies(self) -> list[Any]:
        """Return the studies; trials' notes are among their system attributes, where the dashboard looks."""
        found = []
        for study in sorted(self._inner.get_all_studies(), key=study_id):
            study.system_attrs = {**study.system_attrs, **self._notes(study)}
            found.append(study)
        return found

    def _notes(self, study: Any) -> dict[str, Any]:
        folder = self._find_folder(study.study_name)
        notes: dict[str, Any] = {}
        if folder is None:
            return notes
        for trial in self._inner.get_all_trials(study_id(study), deepcopy=False):
            # A note that a person wrote with Optuna's own dashboard stands.
            if f"dashboard:{trial_id(trial)}:note_ver" not in study.system_attrs:
                body = note_of(trial, folder)
                notes |= note_attributes(trial_id(trial), body) if body else {}
        return notes

    def get_study_id_from_name(self, study_name: str) -> int:
        """As the storage says."""
        return self._inner.get_study_id_from_name(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        """As the storage says."""
        return self._inner.get_study_name_from_id(study_id)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """As the storage says."""
        return self._inner.get_study_directions(study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """As the storage says."""
        return self._inner.get_study_user_attrs(study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """As the storage says, without notes."""
        return self._inner.get_study_system_attrs(study_id)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """As the storage says."""
        return self._inner.get_trial(trial_id)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """As the storage says."""
        return self._inner.get_all_trials(study_id, deepcopy, states)

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """Refuse."""
        self._refuse()

    def delete_study(self, study_id: int) -> None:
        """Refuse."""
        self._refuse()

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Refuse."""
        self._refuse()

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Refuse."""
        self._refuse()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Refuse."""
        self._refuse()

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Refuse."""
        self._refuse()

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Refuse."""
        self._refuse()

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Refuse."""
        self._refuse()

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Refuse."""
        self._refuse()

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Refuse."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise PermissionError("the dashboard reads a study; it never writes")
