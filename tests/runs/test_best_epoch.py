from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from fer_lightning.runs.best_epoch import best_epoch
from fer_lightning.runs.predictions import read_predictions
from fer_lightning.runs.table import collect
from fer_lightning.training import module as classifier
from training_runs import run


@pytest.mark.parametrize(
    ("mode", "values", "expected"),
    [
        ("max", [math.nan, 0.5, 0.5, 0.4], 1),
        ("min", [math.nan, 0.5, 0.4, 0.4], 2),
        ("min", [math.inf, None, 0.7], 2),
        ("max", [math.nan, None, -math.inf], None),
        ("max", [], None),
    ],
)
def test_the_first_of_the_best_numbers(mode, values, expected):
    rows = [{"epoch": number, "m": value} for number, value in enumerate(values)]
    found = best_epoch(rows, "m", mode)
    assert (None if found is None else found["epoch"]) == expected


def test_all_of_a_run_agree_with_ties_nan_and_after_a_resume(tmp_path, tiny, monkeypatch):
    values = iter([math.nan, 0.5, 0.5, 0.5, 0.4])
    monkeypatch.setattr(classifier, "classification_metrics", lambda *_: {"acc": next(values), "loss": 1.0})
    options = ["scheduler=constant", "callbacks.saliency=null"]
    run(tmp_path, tiny, *options, "trainer.max_epochs=3")
    names = ("checkpoints/best.ckpt", "val_logits.npz", "confusion.json")
    before = {name: (tmp_path / name).read_bytes() for name in names}
    run(tmp_path, tiny, *options, "trainer.max_epochs=5", "resume=true")
    assert {name: (tmp_path / name).read_bytes() for name in names} == before
    assert torch.load(tmp_path / names[0], weights_only=True)["epoch"] == 1
    assert json.loads((tmp_path / "run.json").read_text())["best"]["epoch"] == 1
    assert collect(tmp_path)[0]["best/epoch"] == 1
    kept = read_predictions(tmp_path / names[1])
    counts = np.zeros((7, 7), int)
    np.add.at(counts, (kept.labels, kept.logits.argmax(1)), 1)
    assert json.loads((tmp_path / names[2]).read_text())["counts"] == counts.tolist()
