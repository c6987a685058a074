"""The validation faces of the page: which runs and arms they are looked at by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_lightning.report.gallery import Gallery, ShownSlices, StudyFaces, study_faces, study_gallery
from fer_lightning.report.page.sentences import state_of

if TYPE_CHECKING:
    from fer_lightning.sweeps.study.results import Trial


def common_classes(trials: Sequence[Trial]) -> list[str]:
    """The class names that most runs have; runs with others are not compared class by class."""
    matrices = [trial.run.confusion for trial in trials]
    found = Counter(matrix.class_names for matrix in matrices if matrix is not None)
    return list(found.most_common(1)[0][0]) if found else []


def page_gallery(
    trials: Sequence[Trial],
    folder: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    slices: ShownSlices | None = None,
) -> Gallery | None:
    """The validation faces of a study; None where its runs left no predictions.

    Parameters
    ----------
    trials : all trials of the study
    folder : where the nearest training faces are kept, so that they are looked for once
    overrides : ``data.…`` keys that have changed since the runs, such as ``data.path``
    slices : groups of faces that can be asked for

    Raises
    ------
    UserError
        ``overrides`` are given, and the faces cannot be found with them.
    """
    runs = [trial.run for trial in trials]
    return study_gallery(runs, common_classes(trials), _arms(trials), folder, overrides, slices=slices)


def page_faces(
    trials: Sequence[Trial], folder: Path | None = None, overrides: Mapping[str, Any] | None = None
) -> StudyFaces | None:
    """The same faces as `page_gallery` packs for the page."""
    return study_faces(
        [trial.run for trial in trials], common_classes(trials), _arms(trials), folder, overrides
    )


def _arms(trials: Sequence[Trial]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, trial in enumerate(trials):
        if trial.arm is not None and trial.stage == "plain" and state_of(trial) == "complete":
            found.setdefault(trial.arm, []).append(place)
    return found
