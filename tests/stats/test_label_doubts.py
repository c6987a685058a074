from __future__ import annotations

import numpy as np
import pytest

from fer_lightning.runs.predictions import Predictions
from fer_lightning.stats.label_doubts import label_doubts, pooled

NAMES = ("a", "b")


def predictions(chances: list[float], labels: list[int], ids: list[str] | None) -> Predictions:
    """Of two classes, by the probability of the first."""
    first = np.array(chances)
    logits = np.log(np.stack([first, 1 - first], axis=1)).astype(np.float32)
    return Predictions(logits, np.array(labels), None if ids is None else np.array(ids), NAMES)


def test_a_face_is_judged_by_the_runs_that_have_seen_it() -> None:
    one = predictions([0.9, 0.2], [0, 1], ["x", "y"])
    other = predictions([0.4, 0.3], [1, 0], ["y", "z"])
    found = pooled([one, other])
    assert found.ids.tolist() == ["x", "y", "z"]
    assert found.mean[:, 0] == pytest.approx([0.9, 0.3, 0.3])
    assert found.labels.tolist() == [0, 1, 0]
    assert found.runs.tolist() == [1, 2, 1]
    assert found.disagree.tolist() == [0, 0, 1]


def test_runs_that_cannot_be_averaged_are_left_out_and_counted() -> None:
    good = predictions([0.9, 0.8, 0.1, 0.2, 0.1], [0, 0, 1, 1, 0], list("vwxyz"))
    nameless = predictions([0.5], [0], None)
    otherwise = predictions([0.5], [0], ["x"])  # "x" bears another label
    diverged = Predictions(np.full((1, 2), np.nan), np.array([0]), np.array(["v"]), NAMES)
    found = label_doubts([good, nameless, otherwise, diverged, good])
    assert (found.n_runs, found.n_faces) == (2, 5)
    assert [(face.id, face.label, face.suggested) for face in found.faces] == [("z", "a", "b")]
    assert found.faces[0].score == pytest.approx(0.1 - 0.9)
    assert found.notes[0].startswith("3 runs of 5 left out of the judgement of labels")


def test_runs_that_only_guess_doubt_no_label() -> None:
    """All name the first class, with more or less certainty: some labels would be off the diagonal by chance."""
    found = label_doubts([predictions([0.6, 0.7, 0.8, 0.9], [0, 0, 0, 1], list("wxyz"))])
    assert not found.faces
    assert "no better than the most frequent class (75.0 and 75.0 %)" in found.notes[0]
    assert label_doubts([]).notes == ("no run left logits to judge labels by",)
