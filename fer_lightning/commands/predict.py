"""``python -m fer_lightning predict checkpoint=… images…``: the class probabilities of anybody's own pictures."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fer_lightning.commands.arguments import Checkpoints, FileName, has_key, parse_arguments
from fer_lightning.config.typed import typed_path
from fer_lightning.config.values import hints_of
from fer_lightning.data.label import SYNTHETIC
from fer_lightning.data.pictures import Pictures, read_pictures
from fer_lightning.errors import ConfigError, DataError, nearest
from fer_lightning.messages import aligned
from fer_lightning.redact import redact, redact_text
from fer_lightning.runs.files import json_text, write_text
from fer_lightning.runs.listing import FORMATS, Format
from fer_lightning.training.checkpoints import load_classifier
from fer_lightning.training.module import ExpressionClassifier

EXAMPLE = "checkpoint=runs/one/best.ckpt photo.jpg faces/"


@dataclass
class Keys:
    """What may be asked of the command."""

    checkpoint: Checkpoints | None = None
    format: Format | None = None
    output: FileName | None = None


BATCH = 256


def main(arguments: list[str]) -> int:
    """Print the probabilities as a table, CSV or JSON, or write them to ``output=FILE``."""
    values, words = split_words(arguments)
    if not values["checkpoint"]:
        raise ConfigError(
            "checkpoint=…: expected a checkpoint, or several as checkpoint=[a,b] for their average"
        )
    if not words:
        raise ConfigError("predict checkpoint=… images…: expected at least one picture, folder or pattern")
    form = chosen_format(values["format"], values["output"])
    modules = load_ensemble(values["checkpoint"])
    pictures = read_pictures(words, int(modules[0].record["image_size"]))
    for problem in pictures.problems:
        print(f"fer_lightning: skipped {redact_text(problem)}", file=sys.stderr)
    for note in pictures.notes:
        print(f"fer_lightning: {redact_text(note)}", file=sys.stderr)
    if not pictures.paths:
        raise DataError("predict: none of the pictures could be read")
    text = WRITERS[form](pictures, probabilities(modules, pictures.images), modules)
    if values["output"]:
        write_text(Path(values["output"]), text)
    else:
        print(text, end="")
    return 0


def split_words(arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Tell the command's ``key=value`` words from the names of pictures.

    Raises
    ------
    ConfigError
        A word has the form ``key=value``, its key is not known, and no file is called so.
    """
    own = [word for word in arguments if has_key(word, Keys)]
    words = [word for word in arguments if word not in own]
    for word in words:
        key, equals, _ = word.partition("=")
        if equals and key.replace(".", "_").isidentifier() and not typed_path(word).exists():
            raise ConfigError(f"{key}: no such key; {nearest(key, hints_of(Keys))}")
    values, _ = parse_arguments(own, Keys)
    return values, words


def chosen_format(asked: str | None, output: str | None) -> str:
    """Return the format that was asked for, else the one that the output's ending names, else a table."""
    if asked is None:
        ending = Path(output or "").suffix.lower().removeprefix(".")
        return ending if ending in FORMATS else "table"
    return asked


def load_ensemble(checkpoints: str | list[str]) -> list[ExpressionClassifier]:
    """Load one classifier or several that know the same classes and take pictures of the same size."""
    paths = [checkpoints] if isinstance(checkpoints, str) else list(checkpoints)
    modules = [load_classifier(path) for path in paths]
    for path, module in zip(paths, modules, strict=True):
        for key in ("class_names", "image_size"):
            one, first = module.record[key], modules[0].record[key]
            if one != first:
                raise ConfigError(f"{path}: its {key} is {one}; expected {first} as in {paths[0]}")
    return modules


@torch.inference_mode()
def probabilities(modules: Sequence[ExpressionClassifier], images: np.ndarray) -> np.ndarray:
    """Return the class probabilities, averaged over the models.

    Parameters
    ----------
    modules
        Classifiers of the same classes.
    images
        uint8 ``[N, H, W]``, grey levels 0–255.

    Returns
    -------
    numpy.ndarray
        float32 ``[N, C]``; every row adds up to 1.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    total = np.zeros((len(images), len(modules[0].class_names)), np.float32)
    for module in modules:
        module = module.eval().to(device)
        parts = torch.from_numpy(images).unsqueeze(1).split(BATCH)
        total += np.concatenate([module(part.to(device)).softmax(1).float().cpu().numpy() for part in parts])
    return total / len(modules)


def _names(pictures: Pictures) -> list[str]:
    return [redact_text(str(path)) for path in pictures.paths]


def _predicted(probable: np.ndarray, modules: Sequence[ExpressionClassifier]) -> list[str]:
    return [modules[0].class_names[index] for index in probable.argmax(1)]


def as_table(pictures: Pictures, probable: np.ndarray, modules: Sequence[ExpressionClassifier]) -> str:
    """Return one line a picture: its name, the most probable class, and each class's probability."""
    class_names = modules[0].class_names
    header = ["picture", "predicted", *class_names]
    rows = [
        [name, predicted, *(f"{value:.3f}" for value in row)]
        for name, predicted, row in zip(
            _names(pictures), _predicted(probable, modules), probable.tolist(), strict=True
        )
    ]
    lines = aligned([header, *rows], left=(0, 1))
    if trained_on_synthetic(modules):
        lines.append(f"(by a model trained on {SYNTHETIC})")
    return "\n".join(lines) + "\n"


def as_csv(pictures: Pictures, probable: np.ndarray, modules: Sequence[ExpressionClassifier]) -> str:
    """Return CSV with the columns ``picture``, ``predicted`` and one a class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["picture", "predicted", *modules[0].class_names])
    for name, predicted, row in zip(_names(pictures), _predicted(probable, modules), probable, strict=True):
        writer.writerow([name, predicted, *(f"{value:.6f}" for value in row)])
    return text.getvalue()


def as_json(pictures: Pictures, probable: np.ndarray, modules: Sequence[ExpressionClassifier]) -> str:
    """Return JSON with ``class_names``, ``predictions`` and what was ``skipped``."""
    class_names = modules[0].class_names
    predictions = [
        {
            "picture": name,
            "predicted": predicted,
            "probabilities": {
                label: round(float(value), 6) for label, value in zip(class_names, row, strict=True)
            },
        }
        for name, predicted, row in zip(
            _names(pictures), _predicted(probable, modules), probable, strict=True
        )
    ]
    return json_text(
        {
            "class_names": list(class_names),
            "models": len(modules),
            "trained_on_synthetic_faces": trained_on_synthetic(modules),
            "predictions": predictions,
            "skipped": redact(list(pictures.problems)),
        }
    )


def trained_on_synthetic(modules: Sequence[ExpressionClassifier]) -> bool:
    """Say whether any of the models was trained on faces drawn by a program."""
    return any(bool(module.record.get("data", {}).get("synthetic")) for module in modules)


WRITERS = {"table": as_table, "csv": as_csv, "json": as_json}
