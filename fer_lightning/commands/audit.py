"""``python -m fer_lightning audit data=…``: what is in a data set, and what should not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fer_lightning.commands.arguments import split_arguments
from fer_lightning.config.compose import compose_config
from fer_lightning.config.schema import check_config
from fer_lightning.data.audit import audit
from fer_lightning.data.faces import Faces
from fer_lightning.plots.contact_sheet import contact_sheet
from fer_lightning.plots.style import save_figure
from fer_lightning.report.audit import to_text, write_audit
from fer_lightning.training.build import build_data

KEYS: dict[str, Any] = {"output": None}


def main(arguments: list[str]) -> int:
    """Print class counts, copies, conflicts and blanks; with ``output=DIR`` also write them and figures."""
    values, overrides = split_arguments(arguments, KEYS)
    config = compose_config(overrides)
    check_config(config)
    data = build_data(config)
    report = audit(data.faces)
    print(to_text(report))
    if values["output"]:
        folder = Path(values["output"])
        paths = [*write_audit(report, folder).values(), write_faces(data.faces, folder / "faces.png")]
        print("\nwritten: " + ", ".join(str(path) for path in paths))
    return 0


def example_faces(faces: Faces, each: int = 4) -> np.ndarray:
    """Return positions of ``each`` training faces of every class, int64, row by row: one column a class."""
    train = faces.indices("train")
    columns = [train[faces.labels[train] == label][:each] for label in range(len(faces.class_names))]
    shortest = min(len(column) for column in columns)
    return np.stack([column[:shortest] for column in columns], axis=1).reshape(-1)


def write_faces(faces: Faces, path: Path) -> Path:
    """Write a sheet of training faces, a column for each class."""
    chosen = example_faces(faces)
    titles = [faces.class_names[label] for label in faces.labels[chosen]]
    ax = contact_sheet(np.asarray(faces.images[chosen]), titles, columns=len(faces.class_names))
    return save_figure(ax, path)
