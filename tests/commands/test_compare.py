"""compare: the table of evaluations against the statistics it is made with, and what a mistake is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fer_lightning.cli import main
from fer_lightning.runs.leakage import write_copies
from fer_lightning.runs.predictions import Predictions, write_predictions

IMAGES = 400


def evaluation(folder: Path, wrong: range, split: str = "test", data: str = "faces", **more: bool) -> Path:
    """An evaluation of IMAGES faces of class 0, of which those in ``wrong`` are taken for class 1."""
    logits = np.zeros((IMAGES, 2), np.float32)
    logits[:, 0] = 1.0
    logits[wrong, 1] = 2.0
    ids = np.arange(IMAGES).astype(str)
    write_predictions(
        folder / f"{split}_logits.npz", Predictions(logits, np.zeros(IMAGES, np.int64), ids, ("a", "b"))
    )
    found = {"split": split, "data": data, "synthetic": True, **more}
    (folder / "evaluation.json").write_text(json.dumps(found))
    return folder


def test_classes_have_their_names_and_an_empty_list_is_one_line(tmp_path, capsys):
    folders = [evaluation(tmp_path / name, range(0)) for name in ("a", "b")]
    assert main(["compare", f"one={folders[0]}", f"other={folders[1]}"]) == 0
    said = capsys.readouterr().out
    assert "majority class (a) 100.00 %" in said
    assert "one: collapsed, 1 of 1 runs predict one class for every image (a)" in said
    assert main(["compare", "one=[]", f"other={folders[1]}"]) == 2
    assert capsys.readouterr().err.startswith("fer_lightning: one=[]: expected NAME=DIR, or NAME=[DIR,DIR,…]")


def listed(folders: list[Path]) -> str:
    return "[" + ",".join(map(str, folders)) + "]"


def test_a_large_difference_over_seeds_is_called(tmp_path, capsys):
    base = [evaluation(tmp_path / f"base{n}", range(120 + n)) for n in range(4)]
    arm = [evaluation(tmp_path / f"arm{n}", range(40 + n, 80)) for n in range(4)]
    assert main(["compare", f"plain={listed(base)}", f"more_data={listed(arm)}"]) == 0
    said = capsys.readouterr().out
    row = next(line for line in said.splitlines() if line.startswith("more_data"))
    # 118.5 of 400 wrong in the mean of n = 120 … 123 is 30.375 %, against 38.5 of 400, which is 9.625 %.
    assert "90.38" in row
    assert "+20.75" in row
    assert "better" in row
    assert "SYNTHETIC DATA" in said


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_accuracy_is_that_of_the_split_and_in_per_cent(split, tmp_path, capsys):
    folders = [evaluation(tmp_path / name, range(100), split) for name in ("a", "b")]
    assert main(["compare", f"one={folders[0]}", f"other={folders[1]}"]) == 0
    said = capsys.readouterr().out
    assert f"{split}/acc %" in said
    assert "75.00" in said


def test_single_runs_are_judged_over_the_images(tmp_path, capsys):
    first, second = evaluation(tmp_path / "a", range(100)), evaluation(tmp_path / "b", range(60))
    assert main(["compare", f"one={first}", f"five={second}"]) == 0
    said = capsys.readouterr().out
    row = next(line for line in said.splitlines() if line.startswith("five"))
    assert "+10.00" in row
    assert "not enough seeds" in row
    # Forty faces that only the second has right, none that only the first has: p = 2 / 2^40.
    assert "exact McNemar test p <0.001" in " ".join(said.split())


def test_the_same_evaluation_is_no_second_seed(tmp_path, capsys):
    first, second = evaluation(tmp_path / "a", range(100)), evaluation(tmp_path / "b", range(60))
    twice = listed([first, tmp_path / "b" / ".." / "a"])
    assert main(["compare", f"one={twice}", f"other={second}"]) == 2
    assert "one: " in (said := capsys.readouterr().err)
    assert "is given more than once; expected a folder of its own for each seed" in said


def with_copies(folder: Path, copied: range, nearly: range) -> Path:
    marks = np.zeros((2, IMAGES), bool)
    marks[0, copied] = marks[1, nearly] = True
    write_copies(folder / "test_copies.npz", marks[0], marks[0] | marks[1])
    return folder


def test_verdicts_without_the_faces_that_training_has_seen(tmp_path, capsys):
    # Faces 0 to 99 are right in the second alone; 0 to 79 have copies and 80 to 99 near copies in its training.
    one = with_copies(evaluation(tmp_path / "a", range(200)), range(0), range(0))
    other = with_copies(evaluation(tmp_path / "b", range(100, 200)), range(80), range(80, 100))
    expected = {
        "all": ("+25.00", "75.00", "400 images", "p <0.001"),
        "no_copy": ("+6.25", "68.75", "320 images", "p <0.001"),
        "no_near_copy": ("+0.00", "66.67", "300 images", "p 1.000"),
    }
    for faces, words in expected.items():
        assert main(["compare", f"one={one}", f"other={other}", f"faces={faces}"]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert all(word in said for word in words), (faces, said)
        assert ("without faces that have a copy" in said) == (faces != "all")


def test_what_comparing_without_copies_needs_is_said(tmp_path, capsys):
    words = [f"{name}={evaluation(tmp_path / name, range(9))}" for name in ("a", "b")]
    assert main(["compare", *words, "faces=some"]) == 2
    assert "faces=some: expected one of all, no_copy, no_near_copy" in capsys.readouterr().err
    assert main(["compare", *words, "faces=no_copy"]) == 2
    assert "a/test_copies.npz: no such file; faces=no_copy needs what evaluate" in capsys.readouterr().err
    (tmp_path / "a" / "test_copies.npz").write_bytes(b"PK")
    assert main(["compare", *words, "faces=no_copy"]) == 2
    assert "a/test_copies.npz: cannot be read; expected a whole file" in capsys.readouterr().err
    write_copies(tmp_path / "a" / "test_copies.npz", np.zeros(3, bool), np.zeros(3, bool))
    assert main(["compare", *words, "faces=no_copy"]) == 2
    assert "expected bool, one for each of 400 faces" in capsys.readouterr().err
    for name in ("a", "b"):
        with_copies(tmp_path / name, range(IMAGES), range(0))
    assert main(["compare", *words, "faces=no_copy"]) == 2
    assert "each of the faces has a copy in training" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a=x"], "expected at least two names"),
        (["a=x", "b"], "b: expected NAME=DIR"),
        (["a=x", "b=[x,,y]"], "b=[x,,y]: expected NAME=DIR"),
        (["a=x", "a=y"], "a: is given twice"),
        (
            ["a=[0.6,0.7]", "b=y"],
            "0.6 is a number; expected NAME=[DIR,DIR,…], or a CSV file of arm,seed,value",
        ),
        (["a=x", "b=y", "confidence=abc"], "confidence=abc: expected a number"),
        (["a=x", "b=y", "min_seeds=2.5"], "min_seeds=2.5: expected a whole number"),
        (["a=x", "power=[y,z]"], "power is a setting, not a name for evaluations"),
        (
            ["a=nowhere", "b=y"],
            "nowhere/evaluation.json: no such file; expected a folder written by evaluate",
        ),
    ],
)
def test_a_mistake_is_one_line(words, message, capsys):
    assert main(["compare", *words]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_faces_that_only_some_models_were_trained_on_are_refused(tmp_path, capsys):
    seen, unseen = (evaluation(tmp_path / str(each), range(9), trained_on=each) for each in (True, False))
    other = evaluation(tmp_path / "other", range(8), trained_on=True)
    assert main(["compare", f"a={seen}", f"b={unseen}"]) == 2
    assert "some of the models were trained on these test faces, others not" in capsys.readouterr().err
    assert main(["compare", f"a={seen}", f"b={other}"]) == 0
    assert "TRAINED ON these images" in capsys.readouterr().out


def test_different_splits_are_refused(tmp_path, capsys):
    first, second = evaluation(tmp_path / "a", range(9)), evaluation(tmp_path / "b", range(9), split="val")
    assert main(["compare", f"a={first}", f"b={second}"]) == 2
    assert "test of faces, val of faces: expected one split of the same data" in capsys.readouterr().err
