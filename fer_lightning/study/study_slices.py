"""Where the networks of a study fail: groups of validation faces by the features of one of its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_lightning.config.values import Slices
from fer_lightning.data.picture_arrays import Selection
from fer_lightning.errors import DataError, UserError
from fer_lightning.messages import counted, one_line
from fer_lightning.report.gallery import ShownSlices
from fer_lightning.report.gallery.shown_faces import copies_in_training
from fer_lightning.report.gallery.study_gallery import data_of_runs
from fer_lightning.report.slice_cells import SLICE_FACES_FILE, SLICES_FILE
from fer_lightning.report.slice_files import SLICES_PICTURE, write_slices
from fer_lightning.runs.predictions import same_faces
from fer_lightning.stats.arm_calibration import can_be_calibrated
from fer_lightning.stats.face_groups import FEWEST_FACES, group_count
from fer_lightning.stats.judged_slices import face_slices
from fer_lightning.stats.slice_arms import slice_arms
from fer_lightning.stats.slices import FaceSlices
from fer_lightning.sweeps.plan.planned_trial import Stage
from fer_lightning.sweeps.study.results import Trial

if TYPE_CHECKING:
    from fer_lightning.explain.model_slices import GroupedFaces


@dataclass(frozen=True)
class StudySlices:
    """What was found, or why nothing was looked for; neither where that was not asked for.

    Attributes
    ----------
    images
        The slices' faces, in their order; None where no faces are to be shown.
    seen_by
        By whom the page's gallery looks at a slice's faces: ``arm:NAME`` or ``run:NUMBER``.
    """

    found: FaceSlices | None = None
    reason: str | None = None
    images: Selection | None = None
    seen_by: str = ""

    @property
    def shown(self) -> ShownSlices | None:
        """The slices for the page's gallery."""
        return None if self.found is None else ShownSlices(self.found, self.seen_by)

    def write(self, folder: Path, data_name: str, synthetic: bool) -> dict[str, Path]:
        """Write the files of `write_slices`; where there is nothing, remove what an earlier report left."""
        if self.found is not None:
            return write_slices(self.found, folder, data_name, synthetic, self.images)
        for name in (SLICES_FILE, SLICE_FACES_FILE, SLICES_PICTURE):
            (folder / name).unlink(missing_ok=True)
        return {}


def study_slices(
    trials: Sequence[Trial],
    baseline: str | None,
    asked: Slices,
    folder: Path,
    overrides: Mapping[str, Any] | None = None,
    *,
    pictures: bool = True,
    copies: bool = True,
) -> StudySlices:
    """Find the slices of a study.

    Parameters
    ----------
    trials
        All of the study.
    baseline
        The arm by whose first checkpoint faces are grouped, and by whose runs the groups are judged; None takes the
        first trial alone.
    asked
        Into how many groups the faces are divided at most; False looks for nothing.
    folder
        Where the groups are kept, so that the network is asked once.
    overrides
        ``data.…`` keys that have changed since the runs.
    pictures, copies
        Whether faces may be shown, and whether their copies in training are counted, which takes seconds.

    Raises
    ------
    UserError
        ``overrides`` are given, and the faces cannot be found with them.
    """
    if asked is False:
        return StudySlices()
    arms = _arms(trials, baseline)
    runs = arms.get(baseline or "", {})
    if not runs:
        whose = "no run" if baseline is None else f"no run of {baseline}"
        return StudySlices(reason=f"{whose} left finite logits of all validation faces")
    first = next(iter(runs.values())).run.predictions
    assert first is not None
    count = group_count(asked, len(first.labels))
    if not count:
        few = f"{counted(len(first.labels), 'face')} are too few; expected {2 * FEWEST_FACES} at least"
        return StudySlices(reason=None if asked is True else few)
    trial = next((trial for trial in runs.values() if trial.run.checkpoint is not None), None)
    if trial is None:
        return StudySlices(reason="no run kept its checkpoint, which gives the faces' features")
    try:
        data = data_of_runs([trial.run], overrides)
    except (UserError, OSError) as error:
        if overrides:
            raise
        return StudySlices(
            reason=f"{one_line(error)}; “report STUDY data.path=…” says where the data are now"
        )
    from fer_lightning.explain.model_slices import with_pictures  # it loads PyTorch
    from fer_lightning.study.kept_groups import kept_groups

    try:
        grouped = kept_groups(trial.run, data, count, folder)
        found = _judged(grouped, trial, arms, baseline)
    except (
        UserError,
        OSError,
        RuntimeError,
    ) as error:  # PyTorch's: a device that is out of memory ends no report
        return StudySlices(reason=one_line(error))
    rows = grouped.rows_of(first)
    near = copies_in_training(data, folder) if copies else None
    found = with_pictures(found, grouped.levels[rows], None if near is None else near[rows] > 0)
    images = Selection(data.faces.images, data.faces.indices("val")[rows]) if pictures else None
    seen_by = f"run:{trial.number}" if baseline is None else f"arm:{baseline}"
    return StudySlices(found, images=images, seen_by=seen_by)


def _arms(trials: Sequence[Trial], baseline: str | None) -> dict[str, dict[int, Trial]]:
    """Return the complete runs on all validation faces by arm and seed; of a search its first trial."""
    chosen = [
        trial for trial in trials if trial.state == "COMPLETE" and not trial.superseded and trial.fold is None
    ]
    arms: dict[str, dict[int, Trial]] = {}
    for trial in chosen if baseline is not None else chosen[:1]:
        arm = "" if baseline is None else trial.arm
        if arm is None or trial.stage != Stage.PLAIN or not _usable(trial):
            continue
        arms.setdefault(arm, {})[0 if trial.seed is None else trial.seed] = trial
    return {arm: dict(sorted(runs.items())) for arm, runs in arms.items()}


def _usable(trial: Trial) -> bool:
    try:
        found = trial.run.predictions
    except DataError:
        return False
    return found is not None and found.ids is not None and can_be_calibrated(found)


def _judged(
    grouped: GroupedFaces, trial: Trial, arms: Mapping[str, Mapping[int, Trial]], baseline: str | None
) -> FaceSlices:
    predictions = {
        arm: {seed: each.run.predictions for seed, each in runs.items() if each.run.predictions is not None}
        for arm, runs in arms.items()
    }
    own = predictions[baseline or ""]
    first = next(iter(own.values()))
    same = [
        each for each in own.values() if same_faces(each, first) and np.array_equal(each.labels, first.labels)
    ]
    notes = []
    if left_out := len(own) - len(same):
        notes.append(f"{counted(left_out, 'run')} on other faces left out")
    source = f"run {trial.number}" if baseline is None else f"{baseline} (seed {trial.seed})"
    found = face_slices(same, grouped.group[grouped.rows_of(first)], source=source, notes=notes)
    return found if baseline is None else replace(found, arms=slice_arms(found, predictions, baseline))
