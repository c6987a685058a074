"""The gallery of a study: the validation faces of its runs, from their folders and from the data that they name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fer_lightning.errors import DataError, UserError
from fer_lightning.messages import counted, one_line
from fer_lightning.report.gallery.face_table import FaceTable, face_table
from fer_lightning.report.gallery.gallery import Gallery, gallery, sampled
from fer_lightning.report.gallery.shown_faces import ShownFaces, shown_faces
from fer_lightning.report.gallery.shown_slices import ShownSlices
from fer_lightning.runs.confusion_counts import class_names_of
from fer_lightning.runs.predictions import Predictions
from fer_lightning.runs.run import Run

if TYPE_CHECKING:
    from fer_lightning.data.chosen_faces import ChosenFaces
    from fer_lightning.data.datamodule import FaceDataModule

_DATA: Final = "fer_lightning.data.datamodule.FaceDataModule"


@dataclass(frozen=True, eq=False)
class StudyFaces:
    """The validation faces of a study.

    Attributes
    ----------
    table
        What each run takes each face for.
    arms
        Which of the table's runs belong to each arm.
    shown
        The pictures; None where they are not at hand.
    notes
        What a reader must know: what is left out, and why.
    """

    table: FaceTable
    arms: dict[str, list[int]]
    shown: ShownFaces | None
    notes: tuple[str, ...]


def study_gallery(
    runs: Sequence[Run],
    class_names: Sequence[str],
    arms: Mapping[str, Sequence[int]],
    folder: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    slices: ShownSlices | None = None,
) -> Gallery | None:
    """Gather the validation faces of a study and pack them for its page; see `study_faces`."""
    found = study_faces(runs, class_names, arms, folder, overrides)
    return None if found is None else gallery(found.table, found.arms, found.shown, found.notes, slices)


def study_faces(
    runs: Sequence[Run],
    class_names: Sequence[str],
    arms: Mapping[str, Sequence[int]],
    folder: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> StudyFaces | None:
    """Gather the validation faces of a study.

    Parameters
    ----------
    runs
        In the page's order.
    class_names
        Of the study; runs of others are left out.
    arms
        Positions of each arm's runs.
    folder
        Where the nearest training faces are kept; None keeps them nowhere.
    overrides
        ``data.…`` keys that have changed since the runs, such as ``data.path``.
    slices
        Groups of faces that can be asked for.

    Returns
    -------
    StudyFaces or None
        None where no run has left predictions with the faces' ids. Where the data are not at hand any more there are no
        pictures, and a note says why.

    Raises
    ------
    UserError
        ``overrides`` are given, and the faces cannot be found with them.
    """
    predictions = [_predictions(run) for run in runs]
    whole = face_table(predictions, class_names)
    if whole is None:
        return None
    table, note = sampled(whole)
    notes = [] if note is None else [note]
    places = {run: place for place, run in enumerate(table.runs)}
    if lacking := sum(found is not None for found in predictions) - len(table.runs):
        notes.append(f"Not counted here: {counted(lacking, 'run')} of other classes, faces or labels")
    shown: ShownFaces | None = None
    try:
        shown = shown_faces(table, data_of_runs([runs[number] for number in table.runs], overrides), folder)
    except (UserError, OSError) as error:
        if overrides:
            raise
        notes.append(
            f"Without pictures: {one_line(error)}. “report STUDY data.path=…” says where the data are now"
        )
    members = {arm: [places[run] for run in of_arm if run in places] for arm, of_arm in arms.items()}
    return StudyFaces(table, {arm: found for arm, found in members.items() if found}, shown, tuple(notes))


def predictions_gallery(
    predictions: Predictions,
    data: ChosenFaces,
    folder: Path | None = None,
    *,
    slices: ShownSlices | None = None,
) -> Gallery:
    """Gather the validation faces of one model.

    Parameters
    ----------
    predictions
        Of the model on the validation faces.
    data
        That these are of.
    folder
        Where the nearest training faces are kept; None keeps them nowhere.
    slices
        Groups of faces that can be asked for.

    Raises
    ------
    DataError
        The predictions have no ids, or are not of the data's validation faces.
    """
    whole = face_table([predictions], class_names_of(predictions))
    if whole is None:
        raise DataError("the predictions do not name their faces; expected ids, each once")
    table, note = sampled(whole)
    return gallery(table, {}, shown_faces(table, data, folder), [] if note is None else [note], slices)


def _predictions(run: Run) -> Predictions | None:
    with suppress(DataError):
        return run.predictions
    return None


def data_of_runs(runs: Iterable[Run], overrides: Mapping[str, Any] | None = None) -> FaceDataModule:
    """Return the data of the first run that says what they are.

    Raises
    ------
    DataError
        No run names data of this package, or they are not those that it was trained on any more.
    UserError
        The data cannot be read.
    """
    run = next((run for run in runs if run.config.get("data")), None)
    if run is None:
        raise DataError("no run has a config.yaml that names its data")
    # Whoever looks at a study does not mean to run what its files name.
    if run.config["data"].get("_target_") != _DATA:
        raise DataError(f"the config.yaml in {run.folder} names no data of this package")
    from fer_lightning.evaluation.evaluate import data_from  # it loads Lightning

    data = data_from(run.config, dict(overrides or {}))
    known = (run.record.get("data") or {}).get("fingerprint")
    if known is not None and known != data.faces.fingerprint:
        place = f"data.path={data.path}" if data.path else data.faces.name
        raise DataError(f"{place}: not the data that {run.folder} was trained on")
    return data
