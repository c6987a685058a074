"""`evaluate`: the groups of faces in which a model fails, in its files, its page and its text."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from fer_lightning.api.evaluated import evaluate
from fer_lightning.errors import ConfigError, DataError
from sliced_study import FACES, SIZES
from training_runs import save


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "best.ckpt"
    save(path, SIZES)
    return path


def test_slices_are_those_of_the_predictions_on_all_faces(checkpoint, tmp_path):
    found = evaluate(checkpoint, output=tmp_path, slices=4)
    slices = found.slices
    assert [each.number for each in slices.slices] == [1, 2, 3, 4]
    wrong = ~found.predictions.correct
    assert slices.error == pytest.approx(1 - found.metrics["acc"])
    for each in slices.slices:
        chosen = slices.group == each.number
        assert each.faces == chosen.sum()
        assert each.error == pytest.approx(wrong[chosen].mean())
        assert each.near_copies == pytest.approx(found.nearly[chosen].mean())
    assert [each.error for each in slices.slices] == sorted(
        (each.error for each in slices.slices), reverse=True
    )
    assert slices.sentence in str(found)
    rows = list(csv.DictReader((tmp_path / "slice_faces.csv").open(encoding="utf-8")))
    assert len(rows) == FACES
    expected = dict(zip(found.predictions.ids, wrong, strict=True))
    assert all(float(row["wrong"]) == expected[row["id"]] for row in rows)
    page = (tmp_path / "faces.html").read_text(encoding="utf-8")
    assert 'id="where-it-fails"' in page
    assert (tmp_path / "failing_slices.png").exists() == bool(slices.failing)


def test_of_an_average_the_first_model_gives_the_groups(checkpoint, tmp_path):
    one = evaluate(checkpoint, output=tmp_path / "one", slices=4, gallery=False)
    two = evaluate([checkpoint, checkpoint], output=tmp_path / "two", slices=4, gallery=False)
    assert np.array_equal(one.slices.group, two.slices.group)
    assert two.slices.source == "the first of the models"
    assert not list(tmp_path.glob("*/*.png"))


def test_slices_are_left_out_or_refused_where_there_can_be_none(checkpoint, tmp_path, tiny):
    assert evaluate(checkpoint, output=tmp_path / "none", slices=False, gallery=False).slices is None
    assert not (tmp_path / "none" / "failing_slices.csv").exists()
    with pytest.raises(ConfigError, match="slices=4: expected output=DIR"):
        evaluate(checkpoint, slices=4)
    with pytest.raises(ConfigError, match=r"slices=true: expected output=DIR.*split=val; got split=test"):
        evaluate(checkpoint, "test", output=tmp_path, slices=True)
    few = tmp_path / "few.ckpt"
    save(few, tiny)
    assert evaluate(few, output=tmp_path / "few", gallery=False).slices is None
    with pytest.raises(DataError, match="48 faces are too few for slices; expected 50 at least"):
        evaluate(few, output=tmp_path / "few", slices=4, gallery=False)
