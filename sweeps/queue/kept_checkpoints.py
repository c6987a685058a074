"""Which trials keep their checkpoints: the best ones and those that will go on; the others' are removed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from fer_lightning.messages import counted
from fer_lightning.runs.removed_checkpoints import CHECKPOINT_NAMES, find_checkpoints, remove_checkpoints
from fer_lightning.sweeps.plan.confirmation import is_comparable, is_confirming
from fer_lightning.sweeps.queue.promotion import Rungs, hopeful
from fer_lightning.sweeps.study.lock import claim_lock
from fer_lightning.sweeps.study.open import StudySpec
from fer_lightning.sweeps.study.taken import own_trials

log = logging.getLogger(__name__)


def kept_numbers(trials: Sequence[FrozenTrial], count: int, *, maximize: bool) -> set[int]:
    """The numbers of the trials whose checkpoints stay: those that have not ended, and the best.

    The trials that confirm a search's settings are ranked by themselves, so that its own winner keeps its checkpoint.

    Parameters
    ----------
    trials
        All of the study.
    count
        How many of the best.
    maximize
        Whether more of the objective is better.
    """
    kept = {trial.number for trial in trials if not trial.state.is_finished()}
    sign = -1 if maximize else 1
    for confirming in (False, True):
        ranked = [
            trial
            for trial in own_trials(trials)
            if is_comparable(trial) and is_confirming(trial) == confirming
        ]
        ranked.sort(key=lambda trial: (sign * trial.values[0], trial.number))
        kept |= {trial.number for trial in ranked[:count]}
    return kept


class CheckpointKeeper:
    """Removes the checkpoints that `keep_checkpoints` does not keep.

    What is kept follows from the stored trials alone, and is decided and done under the claim lock, under which trials
    are claimed too: no trial loses its checkpoint while another process takes it up, and whatever a killed process left
    undone, the next one does.
    """

    def __init__(self, study: optuna.Study, spec: StudySpec) -> None:
        self._study = study
        self._spec = spec
        self._count = spec.options.kept_checkpoints
        self._done: set[int] = set()

    def tidy(self) -> None:
        """Remove what is not kept of the trials that have ended."""
        if self._count is None:
            return
        with claim_lock(self._spec.url, self._spec.name):
            trials = self._study.get_trials(deepcopy=False)
            kept = kept_numbers(trials, self._count, maximize=self._spec.maximize)
            if self._spec.options.promote and self._spec.options.pruner is not None:
                rungs = Rungs(self._spec.options.pruner)
                best = hopeful(trials, rungs, self._count, maximize=self._spec.maximize)
                kept |= {trial.number for trial in best}
            folders = self._folders(trials)
            for trial in trials:
                if trial.number not in kept | self._done and trial.number in folders:
                    self._remove(folders[trial.number], set(folders.values()))
                    self._done.add(trial.number)

    def _remove(self, folder: Path, others: set[Path]) -> None:
        paths = find_checkpoints(folder, others - {folder})
        if paths:
            remove_checkpoints(
                folder, paths, f"hydra.sweeper.keep_checkpoints={self._spec.options.keep_checkpoints}"
            )

    def _folders(self, trials: Sequence[FrozenTrial]) -> dict[int, Path]:
        """The folders of trials by number: those that lie within the study's, and are no other trial's as well."""
        root = self._spec.sweep_dir.resolve()
        named = {trial.number: trial.user_attrs.get("directory") for trial in trials}
        found = {number: (root / name).resolve() for number, name in named.items() if name}
        places = list(found.values())
        return {
            number: place
            for number, place in found.items()
            if place.is_dir() and place.is_relative_to(root) and place != root and places.count(place) == 1
        }

    def say(self) -> None:
        """Say at a study's end how many trials keep a checkpoint, or that none has left any."""
        if self._count is None:
            return
        trials = self._study.get_trials(deepcopy=False)
        folders = self._folders(trials)
        having = [
            number
            for number, folder in folders.items()
            if find_checkpoints(folder, set(folders.values()) - {folder})
        ]
        option = f"keep_checkpoints={self._spec.options.keep_checkpoints}"
        if self._count and not having:
            log.info("%s: no trial has left a checkpoint in its folder (%s)", option, CHECKPOINT_NAMES)
        else:
            log.info(
                "%s: %s of %d",
                option,
                counted(len(having), "trial keeps its checkpoints", "trials keep theirs"),
                len(trials),
            )
