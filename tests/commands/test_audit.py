from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from fer_lightning.data.audit import FlaggedFace, audit
from fer_lightning.data.faces import Faces
from fer_lightning.plots.audit import audit_figure, class_counts_data, copies_data, plot_bars
from fer_lightning.report.audit import to_text, write_audit

#       picture, split, label; picture 0 is blank
ROWS = np.array(
    [
        (0, 0, 0),
        (1, 0, 0),
        (1, 0, 1),
        (1, 0, 1),
        (2, 0, 1),
        (2, 1, 1),
        (3, 1, 0),
        (4, 2, 0),
        (1, 2, 1),
        (3, 2, 1),
    ]
)


@pytest.fixture
def faces() -> Faces:
    images = np.zeros((10, 4, 4), np.uint8)
    images[:, 2, 1] = ROWS[:, 0]
    ids = np.array([f"f{i}" for i in range(10)])
    return Faces(
        images, ROWS[:, 2], ROWS[:, 1].astype(np.uint8), ids, ("happy", "sad"), "0a1b", "mine", False
    )


def test_what_the_audit_counts(faces: Faces) -> None:
    report = audit(faces)
    train, val, test = report.splits
    assert [split.faces for split in report.splits] == [5, 2, 3]
    assert [split.class_counts for split in report.splits] == [(2, 3), (1, 1), (1, 2)]
    assert [split.blank for split in report.splits] == [1, 0, 0]
    assert train.copies_in == {"train": 3, "val": 1, "test": 3}
    assert val.copies_in == {"train": 1, "val": 0, "test": 1}
    assert test.copies_in == {"train": 1, "val": 1, "test": 0}
    assert [split.conflicting_groups for split in report.splits] == [1, 0, 0]
    assert (report.faces, report.copy_groups, report.copied_faces, report.conflicting_groups) == (10, 3, 8, 2)
    assert report.image_size == (4, 4)


def test_flagged_faces(faces: Faces) -> None:
    flagged = {face.id: face for face in audit(faces).flagged}
    assert list(flagged) == ["f0", "f1", "f2", "f3", "f4", "f5", "f6", "f8", "f9"]
    assert flagged["f0"] == FlaggedFace("f0", "train", "happy", 0, (), False, True)
    assert flagged["f3"] == FlaggedFace("f3", "train", "sad", 1, ("train", "test"), True, False)
    assert flagged["f4"] == FlaggedFace("f4", "train", "sad", 2, ("val",), False, False)
    assert flagged["f9"] == FlaggedFace("f9", "test", "sad", 3, ("val",), True, False)


def test_a_source_without_a_test_split(faces: Faces) -> None:
    report = audit(replace(faces, splits=np.minimum(faces.splits, 1)))
    assert [split.split for split in report.splits] == ["train", "val"]
    assert report.splits[0].copies_in == {"train": 3, "val": 4}
    assert " test" not in to_text(report)


def test_the_text(faces: Faces) -> None:
    assert to_text(audit(faces)) == (
        "mine: 10 images of 4×4 pixels in 2 classes\n"
        "fingerprint 0a1b\n"
        "\n"
        "                      train      val     test      all\n"
        "faces                     5        2        3       10\n"
        "\n"
        "happy                     2        1        1        4\n"
        "sad                       3        1        2        6\n"
        "\n"
        "blank                     1        0        0        1\n"
        "copy in train             3        1        1        5\n"
        "copy in val               1        0        1        2\n"
        "copy in test              3        1        0        4\n"
        "conflicting groups        1        0        0        2\n"
        "\n"
        "A column counts images of its split.\n"
        "blank: images of one grey level only\n"
        "copy in …: images of which another one with exactly the same pixels is in the split that the row names\n"
        "conflicting groups: copies under more than one label within the split; under 'all', in any splits\n"
        "Copies in all: 3 groups, 8 images. Conflicting: 2 groups; counted within single splits, 1.\n"
    )


def test_synthetic_data_are_called_so_everywhere(faces: Faces, tmp_path: Path) -> None:
    report = audit(replace(faces, synthetic=True, name="synthetic"))
    assert to_text(report).startswith("SYNTHETIC DATA (synthetic): 10 images")
    assert class_counts_data(report).title.startswith("SYNTHETIC DATA")
    assert copies_data(report).title.startswith("SYNTHETIC DATA")
    paths = write_audit(report, tmp_path)
    for name in ("audit.csv", "audit_faces.csv"):
        assert all(line["synthetic"] == "True" for line in csv.DictReader(paths[name].open()))
    assert json.loads(paths["audit.json"].read_text())["synthetic"] is True


def test_the_files(faces: Faces, tmp_path: Path) -> None:
    report = audit(faces)
    paths = write_audit(report, tmp_path / "new" / "folder")
    assert paths["audit.txt"].read_text() == to_text(report)
    table = {line["what"]: line for line in csv.DictReader(paths["audit.csv"].open())}
    assert table["copy in train"] == {
        "data": "mine",
        "synthetic": "False",
        "what": "copy in train",
        "train": "3",
        "val": "1",
        "test": "1",
        "all": "5",
    }
    assert table["conflicting groups"]["all"] == "2"
    rows = list(csv.DictReader(paths["audit_faces.csv"].open()))
    assert [row["id"] for row in rows] == [face.id for face in report.flagged]
    assert (rows[0]["group"], rows[0]["blank"], rows[3]["copy_in"]) == ("", "True", "train test")
    record = json.loads(paths["audit.json"].read_text())
    assert record["splits"][0]["copies_in"] == {"train": 3, "val": 1, "test": 3}
    assert len(record["flagged"]) == 9
    with Image.open(paths["audit.png"]) as picture:
        assert min(picture.size) > 600
        assert len(np.unique(np.asarray(picture.convert("L")))) > 10


def test_what_the_figures_show(faces: Faces) -> None:
    report = audit(faces)
    shares = class_counts_data(report)
    assert shares.groups == ("happy", "sad")
    assert shares.bars["train (5 images)"] == (40.0, 60.0)
    copies = copies_data(report)
    assert copies.groups == ("copy in train", "copy in val", "copy in test", "blank")
    assert copies.bars == {"train": (3, 1, 3, 1), "val": (1, 0, 1, 0), "test": (1, 1, 0, 0)}


def test_figures_draw_the_data_on_the_given_axes(faces: Faces) -> None:
    data = copies_data(audit(faces))
    ax = Figure().add_subplot()
    assert plot_bars(data, ax, numbers=True) is ax
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers]
    assert heights == [list(values) for values in data.bars.values()]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["train", "val", "test"]
    assert {text.get_text() for text in ax.texts} == {"0", "1", "3"}
    assert len(plot_bars(class_counts_data(audit(faces))).containers) == 3
    assert len(audit_figure(audit(faces)).axes) == 2
    # The legend is above the bars, and where nothing is found the axis does not go below nothing.
    assert ax.get_ylim() == (0, 1.25 * 3)
    none = replace(data, bars=dict.fromkeys(data.bars, (0.0,) * len(data.groups)))
    assert plot_bars(none).get_ylim() == (0, 1)
