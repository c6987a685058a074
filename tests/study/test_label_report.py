"""A study's doubtful labels and verdicts without them, on a study whose wrong labels are known."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from fer_lightning.cli import main
from fer_lightning.config.compose import compose_config
from fer_lightning.errors import DataError
from fer_lightning.runs.predictions import Predictions, write_predictions
from fer_lightning.stats.label_doubts import DoubtfulFace, LabelDoubts
from fer_lightning.study.doubted_labels import study_doubts
from fer_lightning.study.doubtful_sheet import SHEET, doubted_pictures, draw_sheet
from fer_lightning.study.study_report import report_study
from fer_lightning.sweeps.study.results import load_trials
from fer_lightning.training.build import build_data
from page_study import CLASSES, make_study

FACES = 140
WRONG = np.arange(0, FACES, 14)  # each is angry, and bears the label of another class
ARMS, SEEDS = 4, 3


def planted() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The true classes, the labels, and the names of the faces: lines of fer2013.csv."""
    true = np.arange(FACES) % 7
    labels = true.copy()
    labels[WRONG] = 1 + np.arange(len(WRONG)) % 6
    return true, labels, np.array([f"line {face + 2}" for face in range(FACES)])


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nets that name the true class, less surely in a tenth of the faces; each takes some faces for another class."""
    folder = make_study(
        tmp_path_factory.mktemp("labels") / "study", ARMS * SEEDS, kind="ablation", pictures=False
    )
    true, labels, ids = planted()
    faces = np.arange(FACES)
    for number in range(ARMS * SEEDS):
        mistaken = (faces + number) % (ARMS * SEEDS) == 0
        named = np.where(mistaken, (true + 1) % 7, true)
        sureness = np.where(faces % 10 == 7, 1.0, 3.0)[:, None]  # of hard faces, none of them planted
        noise = np.random.default_rng(number).normal(0, 0.3, (FACES, 7))
        logits = (sureness * np.eye(7)[named] + noise).astype(np.float32)
        path = folder / f"trial_{number:04d}" / "val_logits.npz"
        write_predictions(path, Predictions(logits, labels, ids, CLASSES))
    return folder


@pytest.fixture(scope="module")
def reported(study: Path):
    return report_study(study, study)


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open(encoding="utf-8")))


def test_the_planted_errors_are_named_with_the_true_class_in_every_file(study, reported):
    rows = rows_of(study / "doubtful_labels.csv")
    true, labels, ids = planted()
    assert {row["id"] for row in rows} == set(ids[WRONG])
    for row in rows:
        face = int(np.flatnonzero(ids == row["id"])[0])
        assert (row["label"], row["suggested"]) == (CLASSES[labels[face]], CLASSES[true[face]])
        assert (row["runs"], row["synthetic"]) == (str(ARMS * SEEDS), "True")
        assert float(row["disagree"]) > 0.8
    assert [int(row["rank"]) for row in rows] == list(range(1, len(WRONG) + 1))
    assert [float(row["score"]) for row in rows] == sorted(float(row["score"]) for row in rows)
    found = "Doubtful labels: 10 of 140 faces (7.1 %)"
    assert found in reported.text
    for name in ("report.md", "report.txt", "report.html"):
        assert found in (study / name).read_text(encoding="utf-8")
    doubts = json.loads((study / "report.json").read_text(encoding="utf-8"))["doubts"]
    assert doubts["n_doubtful"] == 10
    assert sum(row[0] for row in doubts["counts"]) == 10  # angry in place of each


def test_each_arm_has_its_calibration(study, reported):
    rows = rows_of(study / "calibration.csv")
    assert [row["arm"] for row in rows] == ["baseline", "dropout=0.0", "dropout=0.9", "activation=selu"]
    assert all(len(row["temperatures"].split()) == SEEDS for row in rows)
    assert all(float(row["nll_fitted"]) < float(row["nll"]) + 0.02 for row in rows)
    assert (study / "calibration.png").read_bytes()[:4] == b"\x89PNG"
    page = (study / "report.html").read_text(encoding="utf-8")
    assert '<section id="calibration"' in page
    assert 'alt="Calibration: the figure beside the report"' in page


def test_where_the_data_are_not_at_hand_there_is_no_sheet_and_a_note(study, reported):
    assert not (study / "doubtful_labels.png").exists()
    assert "no sheet of the doubtful faces: their data are not at hand" in " ".join(reported.text.split())


def test_trusted_labels_are_judged_apart_and_say_so_everywhere(study, reported, tmp_path, capsys):
    before = {path: path.read_bytes() for path in study.glob("report.*")}
    assert main(["report", str(study), "labels=trusted", f"output={tmp_path}/trusted"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Ablation, trusted labels only" in printed
    assert "judged without 10 faces of 140" in printed
    assert {path: path.read_bytes() for path in study.glob("report.*")} == before
    kept = np.setdiff1d(np.arange(FACES), WRONG)
    for row in rows_of(tmp_path / "trusted" / "report.csv"):
        runs = [t.run.predictions for t in load_trials(study) if t.arm == row["arm"]]
        assert float(row["mean"]) == pytest.approx(np.mean([run.correct[kept].mean() for run in runs]))
        assert row["data"] == "synthetic, without 10 faces of doubtful label"
    assert not (tmp_path / "trusted" / "calibration.csv").exists()
    page = (tmp_path / "trusted" / "report.html").read_text(encoding="utf-8")
    assert (
        '<p class="warning">synthetic, without 10 faces of doubtful label: the verdicts are of trusted'
        in page
    )
    assert '<p class="warning">' not in (study / "report.html").read_text(encoding="utf-8").split("<main>")[0]
    assert "trusted" not in json.loads((study / "report.json").read_text(encoding="utf-8"))["title"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["labels=trusted"],
            "labels=trusted needs output=DIR: the report in the study's folder is of all faces",
        ),
        (["labels=trusted", "output={study}"], "is the study's own folder"),
        (["faces=no_copy", "output={study}"], "is the study's own folder"),
        (["labels=some", "output=x"], "labels=some: expected one of all, trusted"),
        (["fer_plus={study}/none.csv"], "fer_plus={study}/none.csv: cannot be read (No such file"),
    ],
)
def test_a_mistake_is_one_line(study, words, message, capsys):
    assert main(["report", str(study), *(word.format(study=study) for word in words)]) == 2
    assert message.format(study=study) in capsys.readouterr().err


def write_votes(path: Path, classes: list[str]) -> None:
    """FER+'s file: all ten votes for one class, or five for each of two where it says "split"."""
    names = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"]
    lines = [",".join(["Usage", "Image name", *names, "unknown", "NF"])]
    for number, voted in enumerate(classes):
        votes = [
            10 if name == voted else 5 if voted == "split" and name in names[:2] else 0 for name in names
        ]
        lines.append(",".join(["PublicTest", f"fer{number:07d}.png", *map(str, votes), "0", "0"]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_agreement_with_fer_plus_is_counted(study, tmp_path):
    """FER+ confirms eight of ten doubts, is split on the ninth, keeps the tenth label, and differs on another face."""
    in_fer_plus = dict(
        zip(CLASSES, ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"), strict=True)
    )
    true, labels, ids = planted()
    voted = [in_fer_plus[CLASSES[label]] for label in true]
    voted[WRONG[8]], voted[WRONG[9]], voted[1] = "split", in_fer_plus[CLASSES[labels[WRONG[9]]]], "contempt"
    write_votes(tmp_path / "votes.csv", voted)
    doubts = study_doubts(load_trials(study), tmp_path / "votes.csv")
    assert doubts is not None
    assert doubts.notes[-1] == (
        "FER+ decides on 139 of 140 faces; it names another class than the label in 8 of 9 (88.9 %) of the doubtful "
        "faces, 1 of 130 (0.8 %) of the others and 9 of 139 (6.5 %) of all, and the suggested class in 8 of 9 doubtful "
        "faces"
    )
    assert {face.id: face.fer_plus for face in doubts.faces}[str(ids[WRONG[8]])] == ""
    report_study(study, tmp_path / "out", page=False)
    assert "fer_plus" not in rows_of(tmp_path / "out" / "doubtful_labels.csv")[0]
    write_votes(tmp_path / "short.csv", voted[:100])
    with pytest.raises(DataError, match=r"short\.csv: has no row of line 141; it has 100 rows"):
        study_doubts(load_trials(study), tmp_path / "short.csv")


def test_the_sheet_shows_the_doubted_faces_of_the_studys_own_data(tmp_path, tiny) -> None:
    folder = make_study(tmp_path / "study", 4, kind="ablation", pictures=False, faces=48)
    config = compose_config(tiny)
    OmegaConf.save(config, folder / "trial_0000" / "config.yaml", resolve=True)
    own = build_data(config).faces
    record_path = folder / "trial_0000" / "run.json"
    record = json.loads(record_path.read_text())
    record["data"]["fingerprint"] = own.fingerprint
    record_path.write_text(json.dumps(record))
    doubted = [DoubtfulFace(1, str(own.ids[100]), "sad", "fear", -0.9, 1.0, 4)]
    doubted.append(DoubtfulFace(2, str(own.ids[97]), "happy", "fear", -0.8, 1.0, 4))
    doubts = LabelDoubts(tuple(doubted), 48, 4, CLASSES, (0,) * 7, ((0,) * 7,) * 7, 0.0, 0.9)
    images, title = doubted_pictures(doubts, load_trials(folder), None)
    assert np.array_equal(images, own.images[[100, 97]])
    assert title == "Faces of doubtful label, SYNTHETIC DATA (synthetic)"
    assert draw_sheet(doubts, load_trials(folder), tmp_path).notes == ()
    assert (tmp_path / SHEET).read_bytes()[:4] == b"\x89PNG"
    record_path.write_text(json.dumps(record | {"data": {"fingerprint": "other"}}))
    assert (
        "not the data that the study was run on" in draw_sheet(doubts, load_trials(folder), tmp_path).notes[0]
    )
    assert not (tmp_path / SHEET).exists()
