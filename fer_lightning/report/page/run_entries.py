"""Each run as the page's script reads it, and the saliency grids that go with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fer_lightning.report.page import sentences as words
from fer_lightning.report.page.chart_data import curves_of
from fer_lightning.report.page.saliency_grids import embedded, picture_budget

if TYPE_CHECKING:
    from fer_lightning.sweeps.study.results import Trial

# "<run number>-<kind of faces>" → ``data:`` address, width and height
Pictures = dict[str, tuple[str, int, int]]


def run_entry(trial: Trial, metric: str, pictures: Pictures) -> dict[str, Any]:
    """One run: state, factors, curves, confusion, and what is said of those of its grids that are `pictures`."""
    run, matrix = trial.run, trial.run.confusion
    overrides = trial.attrs.get("overrides") or []
    return {
        "number": trial.number,
        "state": words.state_of(trial),
        "arm": trial.arm,
        "stage": trial.stage,
        "seed": trial.seed if trial.seed is not None else run.record.get("seed"),
        "fold": trial.fold,
        "reason": trial.reason,
        "folder": None if run.folder is None else run.folder.name,
        "overrides": [str(word) for word in overrides],
        "note": run.record.get("note") or None,
        "curves": curves_of(trial, metric),
        "confusion": None if matrix is None else matrix.counts.tolist(),
        "classes": None if matrix is None else list(matrix.class_names),
        "sheets": {
            kind: about_sheet(about)
            for kind, (_, about) in run.sheets.items()
            if f"{trial.number}-{kind}" in pictures
        },
    }


def about_sheet(about: Mapping[str, Any]) -> dict[str, Any]:
    """What a grid's ``.json`` says for a reader: method, verdict of the checks, epoch, and the faces in words."""
    faces = [face for face in about.get("faces") or [] if isinstance(face, dict)]
    epoch = about.get("epoch")
    return {
        "method": str(about.get("method") or "saliency"),
        "settings": str(about.get("settings") or ""),
        "verdict": str(about.get("verdict") or "not checked"),
        "epoch": epoch if isinstance(epoch, int) else None,
        "checked_on": about.get("checked_on"),
        "synthetic": about.get("synthetic") is True,
        "faces": [_face(str(face.get("true", "")), str(face.get("predicted", ""))) for face in faces],
        "ids": [str(face.get("id", "")) for face in faces],
    }


def _face(true: str, predicted: str) -> str:
    return true if predicted in (true, "") else f"{true} taken for {predicted}"


def embedded_sheets(trials: Sequence[Trial]) -> Pictures:
    """All saliency grids that can be read, each as small as their number asks for."""
    budget = picture_budget(sum(len(trial.run.sheets) for trial in trials))
    found = {
        f"{trial.number}-{kind}": embedded(path, budget)
        for trial in trials
        for kind, (path, _) in trial.run.sheets.items()
    }
    return {key: picture for key, picture in found.items() if picture is not None}
