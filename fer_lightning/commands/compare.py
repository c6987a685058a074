"""``python -m fer_lightning compare NAME=[DIR,…] NAME=[DIR,…] …``: evaluations beside one another, with verdicts."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fer_lightning.commands.arguments import has_key, parse_arguments
from fer_lightning.config.objective import Objective
from fer_lightning.config.typed import key_and_value, typed_path
from fer_lightning.config.values import OpenShare, Positive, hints_of
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.report.text import to_text
from fer_lightning.runs.leakage import WITHOUT, Judged, read_kept
from fer_lightning.runs.predictions import Predictions, read_predictions, same_faces
from fer_lightning.stats.ablation import ablation_report
from fer_lightning.stats.records import ArmRun
from fer_lightning.stats.rules import MinSeeds, Rules

EXAMPLE = "relu='[eval/r0,eval/r1]' selu='[eval/s0,eval/s1]'"


@dataclass
class Keys:
    """What may be asked of the command."""

    faces: Judged = "all"
    confidence: OpenShare = 0.95
    min_seeds: MinSeeds = 3
    smallest_effect: Positive = 0.01
    power: OpenShare = 0.8


@dataclass(frozen=True)
class _Stored:
    """What `evaluate` left in a folder."""

    split: str
    data: str
    synthetic: bool
    trained_on: bool
    predictions: Predictions
    kept: np.ndarray


def main(arguments: list[str]) -> int:
    """Print the table of verdicts: the first name is the baseline, the n-th folders of all names are one seed.

    A folder is one that ``evaluate … output=DIR`` has written. All must be of one split of the same data. With
    single runs a difference is judged over the images alone (McNemar). ``faces=no_copy`` and ``faces=no_near_copy``
    leave out the faces of which any of the models has seen a copy in training.
    """
    for word in arguments:
        key, _, value = word.partition("=")
        if key in hints_of(Keys) and value.startswith("["):
            raise ConfigError(f"{word}: {key} is a setting, not a name for evaluations")
    own = [word for word in arguments if has_key(word, Keys)]
    values, _ = parse_arguments(own, Keys)
    words = [word for word in arguments if word not in own]
    faces = values.pop("faces")
    rules, groups = Rules(**values), _groups(words)
    stored = {
        name: [_read(typed_path(folder), faces) for folder in folders] for name, folders in groups.items()
    }
    parts = [part for group in stored.values() for part in group]
    kinds = {(part.split, part.data) for part in parts}
    if len(kinds) > 1:
        found = ", ".join(sorted(f"{split} of {data}" for split, data in kinds))
        raise ConfigError(f"the evaluations are of {found}: expected one split of the same data")
    if len({part.trained_on for part in parts}) > 1:
        raise ConfigError(
            f"some of the models were trained on these {parts[0].split} faces, others not: expected faces that all "
            "have seen, or none"
        )
    if faces != "all":
        stored = _judged(stored)
    runs = [
        ArmRun(
            arm=name,
            seed=number,
            value=float(part.predictions.correct.mean()),
            logits=part.predictions.logits,
            labels=part.predictions.labels,
            ids=part.predictions.ids,
        )
        for name, group in stored.items()
        for number, part in enumerate(group)
    ]
    title = f"Evaluations on {parts[0].split}{', TRAINED ON these faces' if parts[0].trained_on else ''}"
    report = ablation_report(
        runs,
        next(iter(groups)),
        Objective(f"{parts[0].split}/acc"),
        data_name=parts[0].data,
        synthetic=parts[0].synthetic,
        title=title + WITHOUT[faces],
        rules=rules,
    )
    print(to_text(report))
    return 0


def _judged(stored: dict[str, list[_Stored]]) -> dict[str, list[_Stored]]:
    """Keep the faces that every model is to be judged on; raise ConfigError where they are not the same, or none."""
    parts = [part for group in stored.values() for part in group]
    first = parts[0].predictions
    for part in parts[1:]:
        if not same_faces(part.predictions, first):
            raise ConfigError("faces: the evaluations are not of the same faces in the same order")
    kept = np.logical_and.reduce([part.kept for part in parts])
    if not kept.any():
        raise ConfigError("faces: each of the faces has a copy in training; expected some that have none")

    return {
        name: [replace(part, predictions=part.predictions.only(kept)) for part in group]
        for name, group in stored.items()
    }


def _groups(words: list[str]) -> dict[str, list[str]]:
    """Read ``NAME=DIR`` and ``NAME=[DIR,DIR]``; raise ConfigError where a word is neither, or there is one only."""
    groups: dict[str, list[str]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        read = key_and_value(f"path={value}", is_name=True)[1]
        folders = [str(item or "") for item in (read if isinstance(read, list) else [read])]
        unread = folders[0].startswith("[") and not Path(folders[0]).exists()
        if not equals or not name or not all(folders) or unread:
            raise ConfigError(f"{word}: expected NAME=DIR, or NAME=[DIR,DIR,…] with a folder for each seed")
        if name in groups:
            raise ConfigError(f"{name}: is given twice; expected one list of folders for each name")
        places = [Path(folder).resolve() for folder in folders]
        if again := next(
            (folder for folder, at in zip(folders, places, strict=True) if places.count(at) > 1), None
        ):
            raise ConfigError(
                f"{name}: {again} is given more than once; expected a folder of its own for each seed"
            )
        groups[name] = folders
    if len(groups) < 2:
        raise ConfigError(
            "compare NAME=[DIR,…] NAME=[DIR,…]: expected at least two names, the baseline first"
        )
    return groups


def _read(folder: Path, faces: str) -> _Stored:
    path = folder / "evaluation.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        split, data, synthetic = str(found["split"]), str(found["data"]), bool(found["synthetic"])
        trained_on = bool(found.get("trained_on", False))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected a folder written by evaluate … output=DIR") from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    predictions = read_predictions(folder / f"{split}_logits.npz")
    kept = read_kept(folder / f"{split}_copies.npz", faces, len(predictions.labels))
    return _Stored(split, data, synthetic, trained_on, predictions, kept)
