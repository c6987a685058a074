"""The sheet of a study's doubtful faces, drawn where its data are at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fer_lightning.data.label import data_label
from fer_lightning.errors import ConfigError, DataError, UserError
from fer_lightning.messages import one_line
from fer_lightning.plots.doubtful_faces import SHOWN, plot_doubtful_faces
from fer_lightning.plots.style import save_figure
from fer_lightning.runs.run import CONFIG_FILE, RECORD_FILE
from fer_lightning.stats.label_doubts import LabelDoubts
from fer_lightning.sweeps.study.results import Trial

SHEET = "doubtful_labels.png"


def draw_sheet(
    doubts: LabelDoubts, trials: Sequence[Trial], folder: Path, overrides: Mapping[str, Any] | None = None
) -> LabelDoubts:
    """Write ``doubtful_labels.png`` with the most doubtful faces, and return the doubts with a note where it cannot.

    A sheet that an earlier report left goes where no face is doubtful any more, or none can be drawn.

    Parameters
    ----------
    overrides
        ``data.…`` keys that have changed since the runs, such as ``data.path``.

    Raises
    ------
    UserError
        The changed keys name no data of this study.
    """
    path = folder / SHEET
    if not doubts.faces:
        path.unlink(missing_ok=True)
        return doubts
    try:
        images, title = doubted_pictures(doubts, trials, overrides)
    except (UserError, OSError) as error:
        if overrides:
            raise
        path.unlink(missing_ok=True)
        note = f"no sheet of the doubtful faces: their data are not at hand ({one_line(error)})"
        return replace(doubts, notes=(*doubts.notes, note))
    save_figure(plot_doubtful_faces(doubts.faces[:SHOWN], images, title=title), path)
    return doubts


def doubted_pictures(
    doubts: LabelDoubts, trials: Sequence[Trial], overrides: Mapping[str, Any] | None
) -> tuple[np.ndarray, str]:
    """Return the pictures of the doubtful faces that are shown, and what they are of.

    Raises
    ------
    DataError, ConfigError
        The data are not there, or not those of the study.
    """
    from fer_lightning.evaluation.evaluate import data_from  # which loads PyTorch

    run = next(
        trial.run for trial in trials if trial.state == "COMPLETE" and trial.run.predictions is not None
    )
    config, record = run.read(CONFIG_FILE), run.read(RECORD_FILE)
    if "_target_" not in (config.get("data") or {}):
        raise DataError(f"{run.folder}: its {CONFIG_FILE} does not say what builds the data")
    faces = data_from(config, dict(overrides or {})).faces
    known = record.get("data", {}).get("fingerprint")
    if known is not None and known != faces.fingerprint:
        raise ConfigError(f"data.path={config['data'].get('path')}: not the data that the study was run on")
    places = {str(name): place for place, name in enumerate(faces.ids)}
    chosen = [face.id for face in doubts.faces[:SHOWN]]
    if missing := [name for name in chosen if name not in places]:
        raise DataError(f"{missing[0]}: no such face")
    title = f"Faces of doubtful label, {data_label(faces.name, faces.synthetic)}"
    return np.asarray(faces.images[[places[name] for name in chosen]]), title
