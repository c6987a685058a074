"""A study's opinion of its labels, and its runs without the faces whose label it doubts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fer_lightning.data.fer_plus_majority import majority_labels
from fer_lightning.errors import DataError
from fer_lightning.messages import counted
from fer_lightning.stats.cross_validation import out_of_fold
from fer_lightning.stats.label_agreement import with_fer_plus
from fer_lightning.stats.label_doubts import LabelDoubts, label_doubts
from fer_lightning.stats.records import ArmRun, on_faces
from fer_lightning.sweeps.plan.planned_trial import Stage
from fer_lightning.sweeps.study.results import Trial


def study_doubts(trials: Sequence[Trial], fer_plus: Path | None = None) -> LabelDoubts | None:
    """Name the faces whose label is probably wrong, by all complete runs of all arms; None where none left logits.

    Runs that look for tuned settings do not count, nor those on other data than most.

    Parameters
    ----------
    trials
        All of an ablation study.
    fer_plus
        FER+'s ``fer2013new.csv``, to compare with.

    Raises
    ------
    DataError
        A run's logits are damaged, or ``fer_plus`` cannot be read or is not about these faces.
    """
    chosen = [
        trial
        for trial in trials
        if trial.state == "COMPLETE" and not trial.superseded and trial.stage != Stage.TUNING
    ]
    found = [(_fingerprint(trial), trial.run.predictions) for trial in chosen]
    data = Counter(fingerprint for fingerprint, each in found if each is not None)
    if not data:
        if fer_plus is not None:
            raise DataError(f"fer_plus={fer_plus}: no run left val_logits.npz; expected a study with logits")
        return None
    usual = data.most_common(1)[0][0]
    usable = [each for fingerprint, each in found if each is not None and fingerprint == usual]
    doubts = label_doubts(usable)
    if other := data.total() - len(usable):
        note = f"labels are judged without {counted(other, 'run')} on other data"
        doubts = replace(doubts, notes=(*doubts.notes, note))
    if fer_plus is None:
        return doubts
    given = {
        str(name): doubts.class_names[label]
        for each in usable
        if each.ids is not None
        for name, label in zip(each.ids, each.labels, strict=True)
    }
    return with_fer_plus(doubts, given, dict(zip(given, majority_labels(list(given), fer_plus), strict=True)))


def _fingerprint(trial: Trial) -> str:
    return str((trial.run.record.get("data") or {}).get("fingerprint"))


def with_trusted_labels(runs: Sequence[ArmRun], doubts: LabelDoubts) -> list[ArmRun]:
    """Return the runs on the faces whose label is not doubted; runs that are not complete stay as they are.

    Raises
    ------
    DataError
        A complete run has no logits with ids, or no face is left.
    """
    doubted = np.array(sorted(doubts.ids), dtype=str)
    return [_trusted(run, doubted) if run.complete else run for run in runs]


def _trusted(run: ArmRun, doubted: np.ndarray) -> ArmRun:
    if run.parts:
        return out_of_fold([_trusted(part, doubted) for part in run.parts], len(run.parts))
    found = run.predictions
    if found is None or found.ids is None:
        raise DataError(
            f"{run.run.folder}: no val_logits.npz with ids; labels=trusted needs every complete run's"
        )
    kept = ~np.isin(found.ids, doubted)
    if not kept.any():
        raise DataError("labels=trusted: every label is doubted")
    return on_faces(run, kept)
