"""Class probabilities of a person's own pictures: from one model or the average of several, as table, CSV or JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fer_lightning.data.label import SYNTHETIC
from fer_lightning.data.picture_arrays import as_tensor
from fer_lightning.errors import ConfigError
from fer_lightning.messages import aligned, counted
from fer_lightning.redact import redact, redact_text
from fer_lightning.runs.files import json_text
from fer_lightning.runs.notebook_html import lines_html, table_html
from fer_lightning.training.checkpoints import load_classifier
from fer_lightning.training.contract import TrainedModule

if TYPE_CHECKING:
    import pandas as pd

BATCH = 256


@dataclass(frozen=True, eq=False)
class PicturePredictions:
    """What models say of pictures; `str` of it is a table.

    Attributes
    ----------
    names
        Of the N pictures that could be read.
    class_names
        The C classes.
    probabilities
        float32 ``[N, C]``; every row adds up to 1.
    models
        How many were averaged.
    synthetic
        Whether one of them was trained on faces drawn by a program.
    temperatures
        By which each model's logits were divided; empty where they were taken as they are.
    skipped, notes
        Why pictures could not be read; and what was done to others that a person may want to know.
    """

    names: tuple[str, ...]
    class_names: tuple[str, ...]
    probabilities: np.ndarray
    models: int
    synthetic: bool
    temperatures: tuple[float, ...] = ()
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def predicted(self) -> list[str]:
        """The most probable class of each picture."""
        return [self.class_names[index] for index in self.probabilities.argmax(1)]

    def to_pandas(self) -> pd.DataFrame:
        """Return one row a picture: the predicted class and each class's probability."""
        import pandas as pd

        table = pd.DataFrame(self.probabilities, columns=list(self.class_names), index=list(self.names))
        table.insert(0, "predicted", self.predicted)
        return table

    def to_csv(self) -> str:
        """Return CSV with the columns ``picture``, ``predicted`` and one a class."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows(self._cells(decimals=6))
        return text.getvalue()

    def to_json(self) -> str:
        """Return JSON with ``class_names``, ``predictions`` and what was ``skipped``."""
        predictions = [
            {
                "picture": redact_text(name),
                "predicted": predicted,
                "probabilities": {
                    label: round(float(value), 6) for label, value in zip(self.class_names, row, strict=True)
                },
            }
            for name, predicted, row in zip(self.names, self.predicted, self.probabilities, strict=True)
        ]
        found: dict[str, Any] = {
            "class_names": list(self.class_names),
            "models": self.models,
            "trained_on_synthetic_faces": self.synthetic,
            "temperatures": [round(value, 6) for value in self.temperatures],
            "predictions": predictions,
            "skipped": redact(list(self.skipped)),
        }
        return json_text(found)

    def __repr__(self) -> str:
        return f"PicturePredictions({counted(len(self.names), 'picture')}, classes {', '.join(self.class_names)})"

    def __str__(self) -> str:
        return "\n".join([*aligned(self._cells(decimals=3), left=(0, 1)), *self._origin()]) + "\n"

    def _repr_html_(self) -> str:
        header, *rows = self._cells(decimals=3)
        skipped = [f"skipped {problem}" for problem in self.skipped]
        return table_html(header, rows) + lines_html([*self._origin(), *skipped, *self.notes])

    def _origin(self) -> list[str]:
        return [f"(by a model trained on {SYNTHETIC})"] if self.synthetic else []

    def _cells(self, decimals: int) -> list[list[str]]:
        rows = zip(self.names, self.predicted, self.probabilities.tolist(), strict=True)
        return [
            ["picture", "predicted", *self.class_names],
            *(
                [redact_text(name), predicted, *(f"{value:.{decimals}f}" for value in row)]
                for name, predicted, row in rows
            ),
        ]


def load_ensemble(paths: Sequence[str | Path]) -> list[TrainedModule]:
    """Load one classifier or several that know the same classes and take pictures of the same size."""
    modules = [load_classifier(path) for path in paths]
    for path, module in zip(paths, modules, strict=True):
        for key in ("class_names", "image_size", "channels"):
            one, first = (each.record.get(key, 1) for each in (module, modules[0]))
            if one != first:
                raise ConfigError(f"{path}: its {key} is {one}; expected {first} as in {paths[0]}")
    return modules


@torch.inference_mode()
def probabilities(
    modules: Sequence[TrainedModule], images: np.ndarray, temperatures: Sequence[float] = ()
) -> np.ndarray:
    """Return the class probabilities, averaged over the models.

    Parameters
    ----------
    modules
        Classifiers of the same classes.
    images
        uint8 ``[N, H, W]`` or ``[N, H, W, 3]``, levels 0–255.
    temperatures
        By which each model's logits are divided; without them 1.

    Returns
    -------
    numpy.ndarray
        float32 ``[N, C]``; every row adds up to 1.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    total = np.zeros((len(images), len(modules[0].class_names)), np.float32)
    for module, temperature in zip(modules, temperatures or [1.0] * len(modules), strict=True):
        module = module.eval().to(device)
        logits = (module(part.to(device).float()).float() for part in as_tensor(images).split(BATCH))
        total += np.concatenate([(each / temperature).softmax(1).cpu().numpy() for each in logits])
    return total / len(modules)
