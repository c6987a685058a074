"""Where the networks of a study fail: files, text and JSON of its report, what is kept, and why there is nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fer_lightning.cli import main
from fer_lightning.config.values import Slices
from fer_lightning.errors import DataError
from fer_lightning.runs.predictions import read_predictions
from fer_lightning.study import kept_groups
from fer_lightning.study.ablation_findings import AskedFaces
from fer_lightning.study.study_report import report_study
from fer_lightning.study.study_slices import StudySlices, study_slices
from fer_lightning.sweeps.study.results import load_trials
from fer_lightning.training.module import CHECKPOINT_KEY
from sliced_study import FACES, GROUPS, SlicedStudy, make_sliced_study

FILES = ("failing_slices.csv", "slice_faces.csv", "failing_slices.png")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SlicedStudy:
    return make_sliced_study(tmp_path_factory.mktemp("slices") / "study")


@pytest.fixture(scope="module")
def reported(study: SlicedStudy):
    return report_study(study.folder, study.folder, page=False)


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open(encoding="utf-8")))


def test_the_group_on_which_every_run_fails_is_named_in_every_file(study, reported):
    found = reported.report.slices
    assert [each.number for each in found.failing] == [1]
    assert set(found.ids[found.group == 1]) == set(study.ids[study.planted])
    runs = [read_predictions(study.folder / f"trial_{n:04d}" / "val_logits.npz") for n in (0, 4)]
    wrong = np.mean([~run.correct for run in runs], axis=0)
    first, *others = rows_of(study.folder / "failing_slices.csv")
    assert len(others) == GROUPS - 1
    assert (first["slice"], first["failing"], first["synthetic"]) == ("1", "True", "True")
    assert float(first["error"]) == pytest.approx(wrong[study.planted].mean(), abs=1e-5)
    assert float(first["error_all_faces"]) == pytest.approx(wrong.mean(), abs=1e-5)
    assert float(first["low"]) > wrong.mean()
    assert [float(text) for text in first["run_errors"].split()] == pytest.approx(
        [(~run.correct)[study.planted].mean() for run in runs], abs=1e-5
    )
    assert not any(row["failing"] == "True" for row in others)
    faces = rows_of(study.folder / "slice_faces.csv")
    assert len(faces) == FACES
    assert {row["id"] for row in faces if row["slice"] == "1"} == set(study.ids[study.planted])
    assert (study.folder / "failing_slices.png").is_file()
    assert set(FILES) <= {path.name for path in reported.paths.values()}
    sentence = (
        f"Slices: of {GROUPS} groups of faces that look alike to baseline (seed 0), 1 has an error above"
    )
    for name in ("report.txt", "report.md"):
        assert sentence in " ".join((study.folder / name).read_text(encoding="utf-8").split())
    stored = json.loads((study.folder / "report.json").read_text(encoding="utf-8"))["slices"]
    assert stored["slices"][0]["error"] == pytest.approx(wrong[study.planted].mean())
    arms = {arm["arm"]: arm for arm in stored["arms"]}
    assert set(arms) == {trial.arm for trial in load_trials(study.folder)}
    other = [read_predictions(study.folder / f"trial_{n:04d}" / "val_logits.npz") for n in (1, 5)]
    expected = np.mean([(~run.correct)[study.planted].mean() for run in other])
    assert arms["dropout=0.0"]["errors"]["1"] == pytest.approx(expected)


def test_brightness_and_contrast_are_those_of_the_pictures(study, reported):
    from fer_lightning.evaluation.evaluate import data_from
    from sliced_study import DATA

    faces = data_from({"data": DATA}, {}).faces
    images = np.asarray(faces.images[faces.indices("val")][study.planted], np.float64).reshape(
        study.planted.sum(), -1
    )
    slice_ = reported.report.slices.failing[0]
    assert slice_.brightness == pytest.approx(images.mean(), abs=1e-3)
    assert slice_.contrast == pytest.approx(images.std(axis=1).mean(), abs=1e-3)
    assert slice_.near_copies is None  # without a page they are not looked for


def found_in(study: SlicedStudy, folder: Path, asked: Slices = True, **options) -> StudySlices:
    return study_slices(load_trials(study.folder), "baseline", asked, folder, **options)


def test_the_network_is_asked_once(study, tmp_path, monkeypatch):
    first = found_in(study, tmp_path)

    def asked(*_):
        raise AssertionError("the network was asked again")

    monkeypatch.setattr(kept_groups, "load_classifier", asked)
    assert np.array_equal(found_in(study, tmp_path).found.group, first.found.group)
    with pytest.raises(AssertionError, match="asked again"):
        found_in(study, tmp_path, 3)
    (tmp_path / kept_groups.STORED).write_bytes(b"PK damaged")
    with pytest.raises(AssertionError, match="asked again"):
        found_in(study, tmp_path)


def test_files_of_an_earlier_report_go_where_slices_are_left_out(study, tmp_path):
    assert set(found_in(study, tmp_path, 2).write(tmp_path, "faces", True)) >= {"slices", "slice_faces"}
    assert len(rows_of(tmp_path / "failing_slices.csv")) == 2
    (tmp_path / "failing_slices.png").touch()
    left_out = found_in(study, tmp_path, False)
    assert left_out == StudySlices()
    assert left_out.write(tmp_path, "faces", True) == {}
    assert not any((tmp_path / name).exists() for name in FILES)


def test_faces_that_may_not_be_shown_are_in_no_figure(study, tmp_path):
    found = found_in(study, tmp_path, pictures=False, copies=True)
    assert "slices_figure" not in found.write(tmp_path, "faces", True)
    assert not (tmp_path / "failing_slices.png").exists()
    assert 0 <= found.found.slices[0].near_copies <= 1


def test_verdicts_of_some_faces_come_without_slices(study, tmp_path):
    asked = AskedFaces(labels="trusted")
    assert report_study(study.folder, tmp_path, page=False, asked=asked).report.slices is None


def test_a_number_of_groups_that_cannot_be_is_refused(study, capsys):
    for asked in ("1", "101", "many"):
        assert main(["report", str(study.folder), f"slices={asked}"]) != 0
        said = capsys.readouterr().err
        assert f"slices={asked}: expected true or false, or a whole number from 2 to 100" in said


def test_data_that_are_not_those_of_the_study_are_no_data(study, tmp_path):
    with pytest.raises(DataError, match="not the data that"):
        found_in(study, tmp_path, overrides={"data.drawing.n_val": 161})
    trials = load_trials(study.folder)
    trials[0].run.record["data"]["fingerprint"] = "another"
    found = study_slices(trials, "baseline", True, tmp_path)
    assert found.found is None
    assert found.reason.endswith("; “report STUDY data.path=…” says where the data are now")


def test_why_slices_were_not_looked_for(tmp_path):
    made = make_sliced_study(tmp_path / "study", 4)
    checkpoint = made.folder / "trial_0000" / "checkpoints" / "best.ckpt"
    stored = torch.load(checkpoint, weights_only=True)
    stored[CHECKPOINT_KEY]["config"]["model"]["_target_"] = "somebody.Net"
    torch.save(stored, checkpoint)

    def reason() -> str | None:
        found = found_in(made, tmp_path)
        assert found.found is None
        return found.reason

    assert reason().startswith("somebody.Net is no part of this package; “evaluate checkpoint=")
    checkpoint.write_bytes(b"no checkpoint")
    assert "best.ckpt" in reason()
    checkpoint.unlink()
    assert reason() == "no run kept its checkpoint, which gives the faces' features"
    report = report_study(made.folder, made.folder, page=False)
    assert "Slices were not looked for: no run kept its checkpoint" in report.text
    for path in made.folder.glob("trial_*/val_logits.npz"):
        path.unlink()
    assert reason() == "no run of baseline left finite logits of all validation faces"


def test_of_a_search_the_best_run_is_looked_at(tmp_path):
    made = make_sliced_study(tmp_path / "study", 3, kind="search")
    best = max(load_trials(made.folder), key=lambda trial: trial.value or 0).number
    if best:
        kept = made.folder / "trial_0000" / "checkpoints"
        kept.rename(made.folder / f"trial_{best:04d}" / "checkpoints")
    found = report_study(made.folder, made.folder, page=False)
    said = f"Slices: of {GROUPS} groups of faces that look alike to run {best}, 1 has an error above"
    assert said in found.text
    faces = rows_of(made.folder / "slice_faces.csv")
    assert {row["id"] for row in faces if row["slice"] == "1"} == set(made.ids[made.planted])
