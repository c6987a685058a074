"""A study on disk in the form that a sweep leaves, made without training: for the report page's tests and benchmark."""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import yaml
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial
from PIL import Image

from fer_lightning.config.objective import study_objective
from fer_lightning.evaluation.evaluate import data_from
from fer_lightning.runs.predictions import Predictions, write_predictions
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.study.verdicts import judge
from fer_lightning.sweeps.study.address import storage_url
from fer_lightning.sweeps.study.judgement import JUDGED_BY
from fer_lightning.sweeps.study.results import load_study, load_trials
from fer_lightning.sweeps.study.storage import open_storage

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SPACE: dict[str, BaseDistribution] = {
    "optimizer.lr": FloatDistribution(1e-4, 1e-2, log=True),
    "model.dropout": FloatDistribution(0.0, 0.8),
    "model.activation": CategoricalDistribution(["relu", "selu", "leaky_relu"]),
    "augmentation": CategoricalDistribution(["none", "flip", "r2"]),
    "batch_norm": CategoricalDistribution([True, False]),
}

# A node of a configuration: enough faces of each class to tell galleries by.
FEW_FACES: dict[str, Any] = {
    "_target_": "fer_lightning.data.datamodule.FaceDataModule",
    "name": "synthetic",
    "drawing": {"n_train": 80, "n_val": 40, "n_test": 20},
}


@dataclass(frozen=True)
class Made:
    """One run: what it was given, its state and its accuracy in each epoch."""

    number: int
    state: TrialState
    params: dict[str, Any]
    curve: tuple[float, ...]
    attrs: dict[str, Any]
    reason: str | None = None


def make_study(
    folder: Path,
    n_runs: int,
    *,
    kind: str = "search",
    epochs: int = 8,
    faces: int = 700,
    pictures: bool = True,
    classes: tuple[str, ...] = CLASSES,
    note: str = "",
    data_name: str = "synthetic",
    baseline: str = "baseline",
    data: dict[str, Any] | None = None,
    journal: bool = False,
) -> Path:
    """Write a study of `n_runs` runs; every fifth of a search is pruned and every eleventh failed.

    A journal file takes hundreds of runs in a second, a database in twenty.

    With `data`, a node of a configuration, its validation faces are those that are predicted; runs then mostly fail on
    the same faces, as trained ones do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=f"{kind}-synthetic-0123abcd",
        storage=open_storage(storage_url("journal" if journal else None, folder)),
        direction="maximize",
    )
    study.set_user_attr("directory", str(folder))
    study.set_user_attr("objectives", ["val/acc"])
    study.set_user_attr(JUDGED_BY, "objectives")
    rng = np.random.default_rng(0)
    make = _searched if kind == "search" else _planned
    made = [make(number, rng, epochs, baseline) for number in range(n_runs)]
    sheets = _sheets(rng) if pictures else []
    seen = None if data is None else _validation_faces(data)
    for run in made:
        place = folder / f"trial_{run.number:04d}"
        if run.state != TrialState.WAITING:
            _write_run(place, run, rng, classes, faces, note, data_name)
            if seen is not None:
                _write_seen(place, run, seen, rng)
            if pictures and run.state == TrialState.COMPLETE:
                drawn = "1" if seen is None else str(seen.ids[0])
                _write_picture(place, sheets[run.number % len(sheets)], run.number, drawn)
    study.add_trials([_trial(run, kind) for run in made])
    return folder


def judged(folder: Path) -> AblationReport:
    """The report of an ablation study in a folder."""
    return judge(load_trials(folder), study_objective(load_study(folder)))


def _searched(number: int, rng: np.random.Generator, epochs: int, _baseline: str) -> Made:
    params: dict[str, Any] = {
        "optimizer.lr": float(10 ** rng.uniform(-4, -2)),
        "model.dropout": float(rng.uniform(0, 0.8)),
        "model.activation": ["relu", "selu", "leaky_relu"][rng.integers(3)],
        "augmentation": ["none", "flip", "r2"][rng.integers(3)],
        "batch_norm": bool(rng.integers(2)),
    }
    top = (
        0.62
        - 0.12 * (math.log10(params["optimizer.lr"]) + 2.8) ** 2
        + 0.05 * (params["augmentation"] == "flip")
    )
    if number % 11 == 10:
        return Made(number, TrialState.FAIL, params, (), {"seed": 0}, "RuntimeError: out of memory")
    if number % 5 == 4:
        kept = max(epochs // 4, 1)
        reason = f"pruned after epoch {kept}"
        return Made(number, TrialState.PRUNED, params, _curve(top, epochs, rng)[:kept], {"seed": 0}, reason)
    return Made(number, TrialState.COMPLETE, params, _curve(top, epochs, rng), {"seed": 0})


def _planned(number: int, rng: np.random.Generator, epochs: int, baseline: str) -> Made:
    arms = (
        (baseline, "0.5", "relu", 0.0),
        ("dropout=0.0", "0.0", "relu", 0.06),
        ("dropout=0.9", "0.9", "relu", -0.15),
        ("activation=selu", "0.5", "selu", 0.003),
    )
    name, dropout, activation, gain = arms[number % len(arms)]
    seed = number // len(arms)
    params = {"dropout": float(dropout), "activation": activation, "seed": seed}
    attrs = {"arm": name, "seed": seed, "overrides": [f"model.dropout={dropout}", f"seed={seed}"]}
    top = 0.6 + gain + 0.004 * (seed % 3)
    return Made(number, TrialState.COMPLETE, params, _curve(top, epochs, rng), attrs)


def _curve(top: float, epochs: int, rng: np.random.Generator) -> tuple[float, ...]:
    steps = np.arange(1, epochs + 1)
    curve = 0.14 + (top - 0.14) * (1 - np.exp(-2.5 * steps / epochs)) / (1 - np.exp(-2.5))
    return tuple(float(value) for value in curve + rng.normal(0, 0.002, epochs))


def _trial(run: Made, kind: str) -> optuna.trial.FrozenTrial:
    searched = kind == "search"
    return create_trial(
        state=run.state,
        value=max(run.curve) if run.state == TrialState.COMPLETE else None,
        params=run.params if searched else {},
        distributions=SPACE if searched else {},
        intermediate_values=dict(enumerate(run.curve)),
        system_attrs={} if searched else {"fixed_params": run.params},
        user_attrs={
            **({k: v for k, v in run.attrs.items() if k != "seed"} if searched else run.attrs),
            "directory": f"trial_{run.number:04d}",
            "seconds": 10.0 + run.number % 7,
            **({"reason": run.reason} if run.reason else {}),
        },
    )


def _write_run(
    place: Path,
    run: Made,
    rng: np.random.Generator,
    classes: tuple[str, ...],
    faces: int,
    note: str,
    data_name: str,
) -> None:
    place.mkdir()
    settings = {key: value for key, value in run.params.items() if key != "seed"}
    config: dict[str, Any] = {
        "data": {"name": data_name, "seed": run.attrs["seed"]},
        "trainer": {"max_epochs": len(run.curve)},
        "note": note,
        "seed": run.attrs["seed"],
        "settings": settings,
        "callbacks": {"progress": {"label": f"trial {run.number}"}},
    }
    (place / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    best = int(np.argmax(run.curve)) if run.curve else None
    record = {
        "status": "complete",
        "command": "python -m fer_lightning +experiment=search",
        "note": note,
        "started": f"2026-01-31T12:{run.number // 60 % 60:02d}:{run.number % 60:02d}Z",
        "seed": run.attrs["seed"],
        "data": {
            "name": data_name,
            "synthetic": True,
            "fingerprint": "0123456789abcdef",
            "faces": {"train": 1500, "val": faces, "test": 500},
            "trained_on": 1500,
        },
        "parameters": {"total": 61639, "trainable": 61287},
        "versions": {"python": "3.11.7", "torch": "2.13.0"},
        "git": {"commit": "0123456789abcdef", "changed": False},
        "machine": {"processor": "a processor", "cores": 2, "threads": 1},
        "metric": "val/acc",
        "mode": "max",
        "best": None if best is None else {"epoch": best, "val/acc": run.curve[best], "val/loss": 1.2},
        "epochs": len(run.curve),
    }
    (place / "run.json").write_text(json.dumps(record), encoding="utf-8")
    rows = [f"{i},{i + 1},{2 - a},{a - 0.02},{1.9 - a},{a}" for i, a in enumerate(run.curve)]
    header = "epoch,step,train/loss,train/acc,val/loss,val/acc"
    (place / "metrics.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    if run.state == TrialState.COMPLETE:
        write_predictions(place / "val_logits.npz", _predictions(max(run.curve), rng, classes, faces))


def _predictions(
    accuracy: float, rng: np.random.Generator, classes: tuple[str, ...], faces: int
) -> Predictions:
    labels = np.arange(faces) % len(classes)
    wrong = (labels + 1 + rng.integers(0, len(classes) - 1, faces)) % len(classes)
    right = np.arange(faces) < round(accuracy * faces)
    named = np.where(rng.permutation(right), labels, wrong)
    logits = np.zeros((faces, len(classes)), np.float32)
    logits[np.arange(faces), named] += 3
    return Predictions(logits, labels, np.arange(faces).astype(str), classes)


@dataclass(frozen=True)
class Seen:
    """The validation faces of some data, how hard each is, and what it is then taken for."""

    config: dict[str, Any]
    record: dict[str, Any]
    ids: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    hard: np.ndarray
    other: np.ndarray


def _validation_faces(config: dict[str, Any]) -> Seen:
    faces = data_from({"data": config}, {}).faces
    rows, rng = faces.indices("val"), np.random.default_rng(1)
    labels, names = np.asarray(faces.labels)[rows], faces.class_names
    other = (labels + rng.integers(1, len(names), len(rows))) % len(names)
    record = {"name": faces.name, "synthetic": faces.synthetic, "fingerprint": faces.fingerprint}
    record |= {"faces": {split: len(faces.indices(split)) for split in ("train", "val", "test")}}
    ids = np.asarray(faces.ids)[rows]
    return Seen(config, record, ids, labels, names, rng.normal(size=len(rows)), other)


def _write_seen(place: Path, run: Made, seen: Seen, rng: np.random.Generator) -> None:
    """Have a run in a folder be on these data."""
    config = yaml.safe_load((place / "config.yaml").read_text(encoding="utf-8"))
    (place / "config.yaml").write_text(yaml.safe_dump(config | {"data": seen.config}), encoding="utf-8")
    record = json.loads((place / "run.json").read_text(encoding="utf-8"))
    (place / "run.json").write_text(json.dumps(record | {"data": seen.record}), encoding="utf-8")
    if run.state != TrialState.COMPLETE:
        return
    count, rows = len(seen.ids), np.arange(len(seen.ids))
    order = np.argsort(seen.hard + rng.normal(0, 0.6, count))
    right = np.zeros(count, bool)
    right[order[: round(max(run.curve) * count)]] = True
    named = np.where(right, seen.labels, seen.other)
    logits = rng.normal(0, 0.8, (count, len(seen.class_names)))
    logits[rows, named] = logits.max(1) + np.abs(rng.normal(1, 1, count)) + 0.01
    found = Predictions(logits.astype(np.float32), seen.labels, seen.ids, seen.class_names)
    write_predictions(place / "val_logits.npz", found)


def _sheets(rng: np.random.Generator) -> list[bytes]:
    """Pictures as heavy as a sheet of seven faces and their maps: smooth shapes with grain."""
    y, x = np.mgrid[0:320, 0:1100] / 60.0
    smooth = 128 + 70 * np.sin(x * 2) * np.cos(y * 3)
    picture = np.stack([smooth, smooth[::-1], smooth[:, ::-1]], axis=2)
    picture = (picture + rng.normal(0, 6, picture.shape)).clip(0, 255).astype(np.uint8)
    sheets = []
    for shift in (0, 400):
        stream = io.BytesIO()
        Image.fromarray(np.roll(picture, shift, axis=1)).save(stream, "PNG", compress_level=1)
        sheets.append(stream.getvalue())
    return sheets


def _write_picture(place: Path, sheet: bytes, number: int, drawn: str) -> None:
    """A grid of faces that are named right; for the first run also one of its mistakes."""
    about = {
        "method": "gradient",
        "settings": "",
        "verdict": "no better than edges" if number % 2 else "faithful",
        "caption": "gradient: checked",
        "epoch": 4,
        "faces": [{"id": drawn, "true": "happy", "predicted": "happy", "probability": 0.9}],
    }
    mistakes = about | {"faces": [{"id": "2", "true": "sad", "predicted": "fear", "probability": 0.8}]}
    found = {"saliency": about} | ({"saliency_mistakes": mistakes} if number == 0 else {})
    for name, said in found.items():
        (place / f"{name}.png").write_bytes(sheet)
        (place / f"{name}.json").write_text(json.dumps(said), encoding="utf-8")
