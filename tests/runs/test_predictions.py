from __future__ import annotations

import numpy as np
import pytest

from fer_lightning.errors import DataError
from fer_lightning.runs.predictions import Predictions, average, read_predictions, write_predictions


def predictions(logits: list[list[float]], ids: list[str] | None = None) -> Predictions:
    values = np.array(logits, np.float32)
    return Predictions(values, np.zeros(len(values), np.int64), np.array(ids or ["x", "y"]), ("a", "b"))


def test_written_predictions_are_read_back(tmp_path):
    written = predictions([[1.5, -2.0], [0.25, 3.0]])
    write_predictions(tmp_path / "p.npz", written)
    found = read_predictions(tmp_path / "p.npz")
    assert np.array_equal(found.logits, written.logits)
    assert found.ids.tolist() == ["x", "y"]
    assert found.class_names == ("a", "b")
    assert [path.name for path in tmp_path.iterdir()] == ["p.npz"]


def test_the_average_is_of_probabilities_not_of_logits():
    sure, unsure = predictions([[10.0, 0.0], [0.0, 0.0]]), predictions([[0.0, 0.5], [0.0, 2.0]])
    mean = np.exp(average([sure, unsure]).logits)
    softmax = lambda row: np.exp(row) / np.exp(row).sum()  # noqa: E731
    assert mean[0] == pytest.approx(
        (softmax(np.array([10.0, 0])) + softmax(np.array([0, 0.5]))) / 2, rel=1e-5
    )
    assert mean.sum(1) == pytest.approx([1, 1], rel=1e-5)
    assert average([sure, unsure]).correct.tolist() == [True, False]


def test_predictions_about_other_faces_are_not_averaged():
    with pytest.raises(DataError, match="not about the same faces"):
        average([predictions([[0, 1], [1, 0]]), predictions([[0, 1], [1, 0]], ["x", "z"])])


def test_a_damaged_file_or_one_of_another_kind_is_named(tmp_path):
    (tmp_path / "p.npz").write_bytes(b"no")
    np.save(tmp_path / "p.npy", np.zeros((3, 7)))
    (tmp_path / "p.csv").write_text("epoch,loss\n0,1.5\n")
    for name in ("p.npz", "p.npy", "p.csv"):
        with pytest.raises(
            DataError, match=rf"{name}: cannot be read; expected a \.npz of logits that is whole$"
        ):
            read_predictions(tmp_path / name)
