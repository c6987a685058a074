from __future__ import annotations

import math

import numpy as np
import pytest

from fer_lightning.errors import ConfigError, DataError
from fer_lightning.runs.predictions import Predictions, read_predictions
from fer_lightning.runs.run import Run
from fer_lightning.stats.records import ArmRun, complete_by_seed
from fer_lightning.stats.rules import Rules

LOGITS = np.array([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0]], dtype=np.float32)
LABELS = np.array([0, 1, 1])


def write_logits(folder, **arrays):
    folder.mkdir(exist_ok=True)
    np.savez(folder / "val_logits.npz", **arrays)
    return folder


def test_correct_counts_the_largest_logit_and_never_a_nan():
    assert Predictions(LOGITS, LABELS).correct.tolist() == [True, True, False]
    broken = LOGITS.copy()
    broken[0, 0] = math.nan
    # argmax of a row with NaN is the NaN's place, which here happens to be the label.
    assert Predictions(broken, LABELS).correct.tolist() == [False, True, False]


def test_logits_are_read_from_the_run_folder_when_first_needed(tmp_path):
    run = ArmRun("a", 0, value=2 / 3, run=Run(tmp_path / "run"))
    assert run.predictions is None  # nothing there, nothing read
    write_logits(tmp_path / "run", logits=LOGITS, labels=LABELS, ids=np.array(["x", "y", "z"]))
    again = ArmRun("a", 0, value=2 / 3, run=Run(tmp_path / "run"))
    assert again.predictions is not None
    assert again.predictions.correct.tolist() == [True, True, False]
    assert again.predictions.ids is not None
    assert again.predictions.ids.tolist() == ["x", "y", "z"]
    assert again.predictions is again.predictions


def test_given_logits_win_over_the_folder(tmp_path):
    write_logits(tmp_path, logits=LOGITS, labels=LABELS)
    run = ArmRun("a", 0, value=0.0, logits=-LOGITS, labels=LABELS, run=Run(tmp_path))
    assert run.predictions is not None
    assert run.predictions.correct.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"labels": LABELS}, "expected the arrays logits and labels"),
        ({"logits": LOGITS, "labels": LABELS[:2]}, r"\(3, 2\) with labels of shape \(2,\)"),
        ({"logits": LOGITS, "labels": LABELS, "ids": np.array(["x"])}, "expected one each"),
    ],
)
def test_damaged_files_are_named_in_one_line(tmp_path, arrays, words):
    write_logits(tmp_path, **arrays)
    with pytest.raises(DataError, match=words) as error:
        read_predictions(tmp_path / "val_logits.npz")
    assert "\n" not in str(error.value)


def test_truncated_and_missing_files(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_predictions(tmp_path / "val_logits.npz")
    write_logits(tmp_path, logits=LOGITS, labels=LABELS)
    path = tmp_path / "val_logits.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="cannot be read"):
        read_predictions(tmp_path / "val_logits.npz")


@pytest.mark.parametrize(
    ("state", "value", "complete"),
    [
        ("COMPLETE", 0.5, True),
        ("COMPLETE", None, False),
        ("COMPLETE", math.nan, False),
        ("PRUNED", 0.5, False),
    ],
)
def test_only_complete_runs_with_a_finite_value_count(state, value, complete):
    assert ArmRun("a", 0, state=state, value=value).complete is complete


def test_runs_by_seed_are_sorted_and_unique():
    runs = [ArmRun("a", 2, value=0.2), ArmRun("a", 0, value=0.1), ArmRun("b", 0, value=0.3)]
    runs.append(ArmRun("a", 0, state="FAIL"))  # a retried seed: the failed one does not count
    assert list(complete_by_seed(runs, "a")) == [0, 2]
    with pytest.raises(DataError, match="arm 'a': two complete runs with seed 2"):
        complete_by_seed([*runs, ArmRun("a", 2, value=0.4)], "a")


@pytest.mark.parametrize(
    "bad",
    [{"confidence": 95}, {"min_seeds": 1}, {"smallest_effect": 0}, {"power": 1.0}, {"n_resamples": -1}],
)
def test_rules_refuse_nonsense_and_name_it(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        Rules(**bad)
