"""Evaluations as `evaluate … output=DIR` has stored them, brought to the images that all of them are judged on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fer_lightning.errors import ConfigError, DataError
from fer_lightning.runs.leakage import read_kept
from fer_lightning.runs.predictions import Predictions, read_predictions, same_faces
from fer_lightning.runs.run import RECORD_FILE


@dataclass(frozen=True)
class StoredEvaluation:
    """Logits of one model on a split, and what is known of both.

    Attributes
    ----------
    split, data
        Names; empty for logits of another program.
    synthetic, trained_on
        Whether the data were drawn by a program, and whether the model was trained on the split.
    predictions
        On the images of the split.
    kept
        bool ``[N]``: the images that are to be judged, as far as this model goes.
    """

    split: str
    data: str
    synthetic: bool
    trained_on: bool
    predictions: Predictions
    kept: np.ndarray


def read_evaluation(place: Path, faces: str = "all") -> StoredEvaluation:
    """Read a folder that `evaluate` has written, or an ``.npz`` file of logits.

    Raises
    ------
    DataError
        Something of it is missing or damaged.
    ConfigError
        Some of the ``faces`` are asked for of a file, which does not say which of them have copies.
    """
    if place.suffix == ".npz" and not place.is_dir():
        predictions = read_predictions(place)
        if faces != "all":
            raise ConfigError(
                f"faces={faces}: {place} does not say which images have copies in training; expected folders written "
                "by evaluate … output=DIR"
            )
        return StoredEvaluation("", "", False, False, predictions, np.ones(len(predictions.labels), bool))
    path = place / "evaluation.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        split, data, synthetic = str(found["split"]), str(found["data"]), bool(found["synthetic"])
        trained_on = bool(found.get("trained_on", False))
    except (FileNotFoundError, NotADirectoryError):
        hint = ""
        if (place / RECORD_FILE).is_file():
            hint = f": {place} is a run's folder, of which evaluate checkpoint=… output=DIR makes one"
        raise DataError(
            f"{path}: no such file; expected a folder written by evaluate … output=DIR, or an .npz file of logits{hint}"
        ) from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    predictions = read_predictions(place / f"{split}_logits.npz")
    kept = read_kept(place / f"{split}_copies.npz", faces, len(predictions.labels))
    return StoredEvaluation(split, data, synthetic, trained_on, predictions, kept)


def require_one_split(parts: Sequence[StoredEvaluation]) -> None:
    """Check that all are of one split of the same data, on which all models were trained or none.

    Raises
    ------
    ConfigError
        They are not.
    """
    kinds = {(part.split, part.data) for part in parts}
    if len(kinds) > 1:
        found = ", ".join(sorted(f"{split} of {data}" if split else "an .npz file" for split, data in kinds))
        raise ConfigError(f"the evaluations are of {found}: expected one split of the same data")
    if len({part.trained_on for part in parts}) > 1:
        raise ConfigError(
            f"some of the models were trained on these {parts[0].split} faces, others not: expected faces that all "
            "have seen, or none"
        )


def without_unjudged(
    stored: Mapping[str, Mapping[int, StoredEvaluation]],
) -> dict[str, dict[int, StoredEvaluation]]:
    """Keep the images that every model is to be judged on.

    Raises
    ------
    ConfigError
        The evaluations are not of the same images in the same order, or none is left.
    """
    parts = [part for group in stored.values() for part in group.values()]
    first = parts[0].predictions
    for part in parts[1:]:
        if not same_faces(part.predictions, first):
            raise ConfigError("faces: the evaluations are not of the same faces in the same order")
    kept = np.logical_and.reduce([part.kept for part in parts])
    if not kept.any():
        raise ConfigError("faces: each of the faces has a copy in training; expected some that have none")
    return {
        name: {seed: replace(part, predictions=part.predictions.only(kept)) for seed, part in group.items()}
        for name, group in stored.items()
    }
