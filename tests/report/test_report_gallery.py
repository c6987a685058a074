"""The data of the page's faces: what is packed, against the runs' predictions and the data they were validated on."""

from __future__ import annotations

import base64
import io
import json
import re
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fer_lightning.cli import main
from fer_lightning.data.near_copies import NEAR
from fer_lightning.errors import UserError
from fer_lightning.evaluation.evaluate import data_from
from fer_lightning.report.gallery.face_table import UNDECIDED, UNSEEN, face_table
from fer_lightning.report.gallery.gallery import PROBABILITIES, gallery, sampled
from fer_lightning.report.gallery.packed import packed, packed_lines
from fer_lightning.report.gallery.shown_faces import STORED, ShownFaces, shown_faces
from fer_lightning.report.gallery.sprite import sprite
from fer_lightning.report.page import page_gallery
from fer_lightning.report.page.run_entries import about_sheet
from fer_lightning.runs.confusion_counts import confusion
from fer_lightning.runs.predictions import Predictions, read_predictions
from fer_lightning.sweeps.study.results import load_trials
from page_study import FEW_FACES, make_study
from training_runs import save

NAMES = ("a", "b", "c")


def unpacked(text: str, dtype: str = "u1") -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype)


def lines(text: str) -> list[str]:
    return zlib.decompress(base64.b64decode(text)).decode().split("\n")


def run(logits: list[list[float]], labels: list[int], ids: list[str]) -> Predictions:
    return Predictions(np.array(logits, np.float32), np.array(labels), np.array(ids), NAMES)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gallery") / "study"
    return make_study(folder, 8, kind="ablation", epochs=2, pictures=False, data=FEW_FACES)


@pytest.fixture(scope="module")
def data():
    return data_from({"data": FEW_FACES}, {})


def test_a_table_holds_each_runs_class_and_probabilities_by_the_faces_names():
    odds = np.log([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    first = run(odds.tolist(), [0, 1], ["x", "y"])
    second = run([[0.0, 5.0, 0.0], [float("nan"), 0.0, 0.0]], [1, 2], ["y", "z"])
    table = face_table([None, first, second], NAMES)
    assert table is not None
    assert table.runs == (1, 2)
    assert table.ids.tolist() == ["x", "y", "z"]
    assert table.labels.tolist() == [0, 1, 2]
    assert table.predicted.tolist() == [[0, UNSEEN], [2, 1], [UNSEEN, UNDECIDED]]
    assert table.probabilities[:2, 0] / 255 == pytest.approx(np.exp(odds), abs=0.5 / 255 + 1e-6)
    assert table.probabilities[2].sum() == 0
    assert table.confidence[1].tolist() == [204, 252]
    # Of two runs that saw y the mean; of x the one that saw it.
    means = table.mean_probabilities([0, 1])
    assert means[1] == pytest.approx(table.probabilities[1].mean(axis=0), abs=0.5)
    assert means[0].tolist() == table.probabilities[0, 0].tolist()


def test_runs_of_other_faces_labels_or_classes_are_left_out():
    first = run([[1, 0, 0]], [0], ["x"])
    other_label = run([[1, 0, 0]], [1], ["x"])
    other_names = replace(first, class_names=("a", "b", "d"))
    nameless = replace(first, ids=None)
    table = face_table([first, other_label, other_names, nameless, first], NAMES)
    assert table is not None
    assert table.runs == (0, 4)
    assert face_table([other_names, None], NAMES) is None


def test_what_is_packed_is_what_was_there():
    values = np.random.default_rng(0).integers(0, 60_000, (5, 3)).astype(np.uint16)
    assert unpacked(packed(values.T), "<u2").reshape(3, 5).tolist() == values.T.tolist()
    assert unpacked(packed(values.astype(">u2")), "<u2").tolist() == values.ravel().tolist()
    assert lines(packed_lines(["a/ü.png", "two\nlines", ""])) == ["a/ü.png", "two lines", ""]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sprite_has_each_picture_at_its_place_within_its_bytes(channels):
    rng = np.random.default_rng(0)
    levels = rng.integers(20, 235, (30, 4, 4, channels)).astype(np.uint8)
    images = np.kron(levels, np.ones((1, 16, 16, 1), np.uint8))
    images = images[..., 0] if channels == 1 else images
    found = sprite(images, 48, 200_000)
    assert found is not None
    assert (found.size, found.columns) == (48, 6)
    content = base64.b64decode(found.address.removeprefix("data:image/webp;base64,"))
    assert len(content) <= 200_000
    sheet = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), float)
    assert sheet.shape == (5 * 48, 6 * 48, 3)
    for place in (0, 7, 29):
        row, column = divmod(place, 6)
        tile = sheet[row * 48 : row * 48 + 48, column * 48 : column * 48 + 48]
        expected = np.asarray(
            Image.fromarray(images[place]).convert("RGB").resize((48, 48), Image.Resampling.BOX)
        )
        assert np.abs(tile - expected).mean() < 12
    noise = rng.integers(0, 256, images.shape, np.uint8)
    budgets = [60_000, 12_000, 6_000]
    smaller = [sprite(noise, 48, budget) for budget in budgets]
    for budget, drawn in zip(budgets, smaller, strict=True):
        assert drawn is not None
        assert len(base64.b64decode(drawn.address.split(",")[1])) <= budget
    assert smaller[-1].size < 48
    assert sprite(images, 48, 100) is None
    assert sprite(images[:0], 48, 100) is None


def test_a_study_shows_its_validation_faces_with_what_each_run_says(study, data):
    found = page_gallery(load_trials(study))
    assert found is not None
    faces, rows = data.faces, data.faces.indices("val")
    info = found.info
    assert info["notes"] == []
    assert lines(info["ids"]) == np.asarray(faces.ids)[rows].tolist()
    assert unpacked(info["labels"]).tolist() == faces.labels[rows].tolist()
    assert info["runs"] == list(range(8))
    predicted = unpacked(info["predicted"]).reshape(len(rows), 8)
    for number in range(8):
        stored = read_predictions(study / f"trial_{number:04d}" / "val_logits.npz")
        assert predicted[:, number].tolist() == stored.logits.argmax(1).tolist()
        odds = np.exp(stored.logits - stored.logits.max(1, keepdims=True))
        shares = unpacked(info["probabilities"]).reshape(len(rows), 8, 7)[:, number] / 255
        assert shares == pytest.approx(odds / odds.sum(1, keepdims=True), abs=0.5 / 255 + 1e-6)
    assert set(found.pictures) == {"faces", "nearest"}
    # The nearest training faces are of the training split, with their own labels and names.
    nearest = info["nearest"]
    places = unpacked(nearest["places"], "<u2").reshape(len(rows), 3)
    names, known = lines(nearest["ids"]), np.asarray(faces.ids).tolist()
    assert set(names) <= {known[row] for row in faces.indices("train")}
    assert unpacked(nearest["labels"]).tolist() == [int(faces.labels[known.index(name)]) for name in names]
    expected, correlations = data.nearest_in_training("val", 3)
    assert [[known.index(names[place]) for place in row] for row in places] == expected.tolist()
    assert unpacked(nearest["percent"]).reshape(-1, 3)[:, 0] == pytest.approx(
        100 * correlations[:, 0], abs=1.01
    )
    assert unpacked(info["copies"]).tolist() == (correlations[:, 0] >= NEAR).astype(int).tolist()


def test_no_test_face_is_shown_and_other_data_are_refused(study, data):
    stored = read_predictions(study / "trial_0000" / "val_logits.npz")
    names, test = np.asarray(data.faces.ids), data.faces.indices("test")[:5]
    short = stored.only(np.arange(len(stored.labels)) < 5)
    for ids, labels, said in (
        (names[test], data.faces.labels[test], "in the test split, which is not shown"),
        (np.array(list("abcde")), short.labels, "the data have no face a"),
        (short.ids, (short.labels + 1) % 7, "otherwise than the runs' validation did"),
    ):
        table = face_table([replace(short, ids=ids, labels=labels)], stored.class_names)
        with pytest.raises(UserError, match=said):
            shown_faces(table, data)


def test_under_cross_validation_faces_of_all_folds_are_shown_without_training_faces(data):
    folds = [data_from({"data": FEW_FACES | {"folds": 2, "fold": fold}}, {}) for fold in (0, 1)]
    runs = []
    for fold in folds:
        rows = fold.val_indices
        logits = np.eye(7, dtype=np.float32)[fold.faces.labels[rows]]
        ids = np.asarray(fold.faces.ids)[rows]
        runs.append(Predictions(logits, fold.faces.labels[rows], ids, fold.faces.class_names))
    table = face_table(runs, data.faces.class_names)
    assert len(table) == 120  # training and validation faces
    assert ((table.predicted == UNSEEN).sum(axis=1) == 1).all()
    found = shown_faces(table, folds[0])
    assert found.copies is None
    assert found.nearest is None
    assert np.asarray(data.faces.ids)[found.rows].tolist() == table.ids.tolist()


def test_the_nearest_faces_are_kept_and_read_again_for_the_same_data_only(study, data, tmp_path, monkeypatch):
    table = face_table([read_predictions(study / "trial_0000" / "val_logits.npz")], data.faces.class_names)
    first = shown_faces(table, data, tmp_path)
    assert (tmp_path / STORED).is_file()
    with monkeypatch.context() as patched:
        patched.setattr(type(data), "nearest_in_training", lambda *_: pytest.fail("looked for again"))
        again = shown_faces(table, data, tmp_path)
    assert again.nearest.tolist() == first.nearest.tolist()
    assert again.copies.tolist() == first.copies.tolist()
    (tmp_path / STORED).write_bytes(b"no arrays")
    assert shown_faces(table, data, tmp_path).nearest.tolist() == first.nearest.tolist()
    other = data_from({"data": FEW_FACES | {"drawing": FEW_FACES["drawing"] | {"n_train": 60}}}, {})
    rows = other.faces.indices("val")
    table = replace(table, ids=np.asarray(other.faces.ids)[rows], labels=other.faces.labels[rows])
    expected = other.nearest_in_training("val", 3)[0].tolist()
    assert shown_faces(table, other, tmp_path).nearest.tolist() == expected


def test_more_than_a_page_can_hold_is_left_out_and_said(study, data):
    stored = read_predictions(study / "trial_0000" / "val_logits.npz")
    table = face_table([stored] * 3, data.faces.class_names)
    few, note = sampled(table, 15)
    assert few.ids.tolist() == table.ids[::3].tolist()
    assert note == "Shown are 14 of 40 faces, one of each 3 in their order"
    assert sampled(table)[1] is None
    # As many runs as exceed the bytes for all probabilities: their classes and means are kept.
    runs = PROBABILITIES // table.probabilities[:, 0].size + 1
    wide = replace(
        table,
        runs=tuple(range(runs)),
        predicted=np.repeat(table.predicted[:, :1], runs, 1),
        probabilities=np.repeat(table.probabilities[:, :1], runs, 1),
    )
    found = gallery(wide, {"one": range(3), "other": range(3, runs)}, None)
    assert "probabilities" not in found.info
    assert "these are kept as the mean of each arm" in found.info["notes"][0]
    means = unpacked(found.info["means"]).reshape(len(wide), 2, 7)
    assert means[:, 1].tolist() == table.probabilities[:, 0].tolist()
    confidence = unpacked(found.info["confidence"]).reshape(len(wide), runs)
    assert confidence[:, 0].tolist() == table.probabilities[:, 0].max(axis=1).tolist()
    assert found.pictures == {}
    blank = replace(data.faces, images=np.random.default_rng(0).integers(0, 256, (9, 48, 48), np.uint8))
    unpictured = gallery(table, {}, ShownFaces(blank, np.zeros(40, np.int64)))
    assert unpictured.info["copies"] is None
    assert unpictured.info["nearest"] is None
    assert unpictured.info["notes"][0].startswith("Without copies in training and nearest training faces")


def test_data_that_are_gone_leave_the_page_without_pictures_and_one_line(study, tmp_path):
    trials = load_trials(study)
    config = dict(trials[0].run.config)
    config["data"] = {
        "_target_": FEW_FACES["_target_"],
        "name": "fer2013",
        "path": str(tmp_path / "gone.zip"),
    }
    trials[0].run.__dict__["config"] = config
    found = page_gallery(trials)
    assert found is not None
    assert found.pictures == {}
    assert len(found.info["notes"]) == 1
    assert "Without pictures: data.path=" in found.info["notes"][0]
    assert "no such file or folder" in found.info["notes"][0]
    assert "“report STUDY data.path=…” says where the data are now" in found.info["notes"][0]
    with pytest.raises(UserError, match="no such file"):
        page_gallery(trials, overrides={"data.path": str(tmp_path / "elsewhere.zip")})
    # What another program's files name is not run.
    trials[0].run.__dict__["config"] = {"data": {"_target_": "os.system", "command": "true"}}
    assert "names no data of this package" in page_gallery(trials).info["notes"][0]


def test_report_leaves_the_faces_out_where_it_is_told_to(study, tmp_path, capsys):
    place = tmp_path / "with"
    assert main(["report", str(study), f"output={place}"]) == 0
    text = (place / "report.html").read_text(encoding="utf-8")
    assert 'id="faces-info"' in text
    assert 'id="sprite-faces"' in text
    assert (place / STORED).is_file()
    assert main(["report", str(study), f"output={tmp_path / 'without'}", "gallery=false"]) == 0
    text = (tmp_path / "without" / "report.html").read_text(encoding="utf-8")
    assert "faces-info" not in text.split("<script>")[0]
    assert 'id="faces"' not in text
    assert not (tmp_path / "without" / STORED).exists()
    capsys.readouterr()
    wrong = [f"output={tmp_path / 'wrong'}", "data.drawing.n_train=60"]
    assert main(["report", str(study), *wrong]) == 2
    assert "not the data that" in capsys.readouterr().err


def test_a_study_without_predictions_has_no_faces(study):
    trials = [replace(trial, run=type(trial.run)()) for trial in load_trials(study)]
    assert page_gallery(trials) is None


def test_the_ids_of_drawn_faces_go_with_the_grids():
    about = json.loads('{"faces": [{"id": "x", "true": "a", "predicted": "b"}, {"true": "a"}]}')
    assert about_sheet(about)["ids"] == ["x", ""]


def test_a_models_faces_are_written_for_the_validation_split_only(tmp_path, tiny, capsys):
    module = save(tmp_path / "net.ckpt", tiny)
    checkpoint = f"checkpoint={tmp_path}/net.ckpt"
    assert main(["evaluate", checkpoint, f"output={tmp_path}/val"]) == 0
    text = (tmp_path / "val" / "faces.html").read_text(encoding="utf-8")
    stored = read_predictions(tmp_path / "val" / "val_logits.npz")
    assert stored.class_names == module.class_names
    scripts = re.findall(r'id="(study-data|faces-info)">(.*?)</script>', text)
    found = {key: json.loads(value) for key, value in scripts}
    assert found["study-data"]["runs"][0]["confusion"] == confusion(stored).counts.tolist()
    assert lines(found["faces-info"]["ids"]) == stored.ids.tolist()
    assert unpacked(found["faces-info"]["predicted"]).tolist() == stored.logits.argmax(1).tolist()
    assert main(["evaluate", checkpoint, f"output={tmp_path}/none", "gallery=false"]) == 0
    assert not (tmp_path / "none" / "faces.html").exists()
    assert main(["evaluate", checkpoint, f"output={tmp_path}/test", "split=test"]) == 0
    assert not (tmp_path / "test" / "faces.html").exists()
    capsys.readouterr()
    # So is one beside what explain writes, by itself where all parts are made.
    words = [checkpoint, f"output={tmp_path}/explained", "only=confusion"]
    assert main(["explain", *words]) == 0
    assert not (tmp_path / "explained" / "faces.html").exists()
    assert main(["explain", *words, "gallery=true"]) == 0
    again = (tmp_path / "explained" / "faces.html").read_text(encoding="utf-8")
    assert re.findall(r'id="faces-info">(.*?)</script>', again) == [dict(scripts)["faces-info"]]
    page = (tmp_path / "explained" / "explanations.html").read_text(encoding="utf-8")
    assert '<a href="faces.html">' in page
    capsys.readouterr()
    assert main(["explain", *words, "split=test", "gallery=true"]) == 2
    assert "gallery=true: shows the faces of split=val only" in capsys.readouterr().err
    for words in (["split=test", f"output={tmp_path}/test"], ["split=val"]):
        assert main(["evaluate", checkpoint, *words, "gallery=true"]) == 2
        assert "gallery=true: expected output=DIR" in capsys.readouterr().err
