"""A study judged again without the faces of which training has seen a copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_lightning.errors import ConfigError, DataError
from fer_lightning.evaluation.evaluate import data_from
from fer_lightning.runs.run import CONFIG_FILE, RECORD_FILE
from fer_lightning.stats.cross_validation import out_of_fold
from fer_lightning.stats.records import ArmRun, on_faces


def without_copies(
    runs: Sequence[ArmRun], faces: str, overrides: Mapping[str, Any] | None = None
) -> list[ArmRun]:
    """Return the runs with the logits and the accuracy of those validation faces that are judged.

    Copies are counted against the whole training split, whatever share of it a run was trained on, and near copies
    are told by `near_copies`. Runs that are not complete stay as they are.

    Parameters
    ----------
    runs
        Of an ablation study; those that are complete need their folders.
    faces
        ``no_copy`` or ``no_near_copy``: without faces that have an exact copy in training, or a near one either.
    overrides
        ``data.…`` keys to be changed, such as ``data.path``.

    Raises
    ------
    DataError
        The first run's configuration or record cannot be read; a run has no logits, or they are not of the data's
        validation faces; every face has a copy.
    ConfigError
        The data are not those that the runs were trained on.
    """
    if any(run.parts for run in runs):
        return _out_of_fold(runs, faces, overrides)
    first = next((run for run in runs if run.complete), None)
    if first is None or first.run.folder is None:
        raise DataError(f"faces={faces}: no complete run with a folder; expected a study's own runs")
    folder = first.run.folder
    config, record = first.run.read(CONFIG_FILE), first.run.read(RECORD_FILE)
    data = data_from(config, dict(overrides or {}))
    known = record.get("data", {}).get("fingerprint")
    if known is not None and known != data.faces.fingerprint:
        raise ConfigError(
            f"data.path={data.path}: not the data that {folder} was trained on; expected those, as data.path=…"
        )
    kept = ~data.copied_from_training("val")
    if faces == "no_near_copy":
        kept &= ~data.nearly_copied_from_training("val")
    if not kept.any():
        raise DataError(f"faces={faces}: every validation face has a copy in training")
    ids = np.asarray(data.faces.ids)[data.faces.indices("val")]
    return [_judged(run, kept, ids) if run.complete else run for run in runs]


def _out_of_fold(runs: Sequence[ArmRun], faces: str, overrides: Mapping[str, Any] | None) -> list[ArmRun]:
    """Return joined runs on the faces without a copy in training under every seed: each seed has folds of its own."""
    complete = [run for run in runs if run.complete]
    found: dict[int, ArmRun] = {}
    for seed, fold in {(run.seed, fold): None for run in complete for fold in range(len(run.parts))}:
        parts = [run.parts[fold] for run in complete if run.seed == seed]
        found |= {
            id(part): new for part, new in zip(parts, without_copies(parts, faces, overrides), strict=True)
        }
    kept = set.intersection(
        *({name for part in run.parts for name in _ids(found[id(part)])} for run in complete)
    )

    def judged(part: ArmRun) -> ArmRun:
        part = found[id(part)]
        return on_faces(part, np.isin(_ids(part), list(kept)))

    return [
        out_of_fold([judged(part) for part in run.parts], len(run.parts)) if run.complete else run
        for run in runs
    ]


def _ids(run: ArmRun) -> np.ndarray:
    assert run.predictions is not None
    assert run.predictions.ids is not None
    return run.predictions.ids


def _judged(run: ArmRun, kept: np.ndarray, ids: np.ndarray) -> ArmRun:
    """Return a run on the faces that are kept: bool ``[N]``, of the N validation faces with these names."""
    found = run.predictions
    if found is None:
        raise DataError(f"{run.run.folder}: no val_logits.npz; faces=… needs every complete run's")
    if found.ids is None or not np.array_equal(found.ids, ids):
        raise DataError(
            f"{run.run.folder}: its val_logits.npz is not of the data's {len(ids):,} validation faces"
        )
    return on_faces(run, kept)
