from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fer_lightning.cli import main
from fer_lightning.config.compose import compose_config
from fer_lightning.data.class_folders import PICTURE_ENDINGS
from fer_lightning.data.pictures import find_pictures, read_pictures
from fer_lightning.data.reading import Reading
from fer_lightning.runs.predictions import Predictions, write_predictions
from fer_lightning.runs.record import portable_config
from fer_lightning.training.build import build_data, build_module
from fer_lightning.training.module import CHECKPOINT_KEY, ExpressionClassifier

NAMES = ("calm", "cross", "glad")


def save_untrained(path: Path, *, seed: int = 0, size: int = 20, names: tuple[str, ...] = NAMES) -> None:
    """A checkpoint as training leaves it, of a net for `size`×`size` pictures and the classes `names`."""
    config = compose_config(["model=small", "normalization=symmetric", "channels_last=false"])
    torch.manual_seed(seed)
    from fer_lightning.training.construct import build
    from fer_lightning.training.network import build_model

    module = ExpressionClassifier(
        build_model(config.model, image_size=size, num_classes=len(names)),
        build(config.normalization),
        torch.nn.Identity(),
        class_names=names,
    )
    record = {
        "config": portable_config(config),
        "class_names": list(names),
        "image_size": size,
        "data": {"name": "mine", "synthetic": False},
    }
    torch.save({CHECKPOINT_KEY: record, "state_dict": module.state_dict()}, path)


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    save_untrained(tmp_path / "net.ckpt")
    return str(tmp_path / "net.ckpt")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A grey picture of the net's size, a large one in colour, a transparent one, a broken one, and a text."""
    random = np.random.default_rng(0)
    folder = tmp_path / "mine"
    (folder / "more").mkdir(parents=True)
    Image.fromarray(random.integers(0, 256, (20, 20), dtype=np.uint8)).save(folder / "grey.png")
    Image.fromarray(random.integers(0, 256, (90, 60, 3), dtype=np.uint8)).save(folder / "more" / "colour.jpg")
    Image.fromarray(random.integers(0, 256, (30, 30, 4), dtype=np.uint8)).save(folder / "see.webp")
    (folder / "broken.png").write_bytes((folder / "grey.png").read_bytes()[:90])
    (folder / "notes.txt").write_text("no picture")
    return folder


def by_hand(checkpoint: str, path: Path) -> np.ndarray:
    """Second way to a picture's probabilities: Pillow's own conversion, the net's layers, NumPy's softmax."""
    from fer_lightning.training.checkpoints import load_classifier

    image = Image.open(path)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    grey = np.asarray(image.convert("RGB").convert("L").resize((20, 20), Image.Resampling.BILINEAR))
    scaled = torch.from_numpy(grey / 127.5 - 1.0).float()[None, None]
    with torch.no_grad():
        logits = load_classifier(checkpoint).model(scaled)[0].numpy().astype(np.float64)
    return np.exp(logits) / np.exp(logits).sum()


def test_csv_holds_the_nets_own_probabilities_of_pictures_of_any_size_and_colour(
    checkpoint, pictures, capsys
):
    assert main(["predict", f"checkpoint={checkpoint}", "format=csv", str(pictures)]) == 0
    written = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(written.out)))
    expected = [pictures / "grey.png", pictures / "more" / "colour.jpg", pictures / "see.webp"]
    assert [row["picture"] for row in rows] == [str(path) for path in expected]
    for row, path in zip(rows, expected, strict=True):
        found = np.array([float(row[name]) for name in NAMES])
        assert found == pytest.approx(by_hand(checkpoint, path), abs=2e-6)
        assert row["predicted"] == NAMES[int(found.argmax())]
    skipped, grey, squeezed = written.err.strip().splitlines()
    assert f"skipped {pictures}/broken.png: " in skipped
    assert grey.endswith(
        f"{pictures}/more/colour.jpg: is in colour and read as grey, as the model takes pictures"
    )
    assert "are squeezed to squares" in squeezed


def test_json_table_and_csv_agree_and_files_take_their_form_from_their_ending(
    checkpoint, pictures, tmp_path, capsys
):
    words = ["predict", f"checkpoint={checkpoint}", str(pictures / "*.png"), str(pictures / "see.webp")]
    assert main([*words, f"output={tmp_path}/found.json"]) == 0
    assert main([*words, f"output={tmp_path}/found.csv"]) == 0
    assert capsys.readouterr().out == ""
    assert main(words) == 0
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    found = json.loads((tmp_path / "found.json").read_text())
    rows = list(csv.DictReader((tmp_path / "found.csv").open()))
    assert found["class_names"] == list(NAMES)
    assert len(found["predictions"]) == len(rows) == 2
    assert found["skipped"][0].startswith(f"{pictures}/broken.png: ")
    assert table[0] == ["picture", "predicted", *NAMES]
    for line, row, prediction in zip(table[1:], rows, found["predictions"], strict=True):
        assert line[:2] == [row["picture"], row["predicted"]]
        for column, name in enumerate(NAMES, start=2):
            assert float(row[name]) == prediction["probabilities"][name]
            assert line[column] == f"{float(row[name]):.3f}"


def test_several_models_are_averaged(checkpoint, pictures, tmp_path, capsys):
    save_untrained(tmp_path / "other.ckpt", seed=1)
    both = f"checkpoint=[{checkpoint},{tmp_path}/other.ckpt]"
    assert main(["predict", both, "format=json", str(pictures / "grey.png")]) == 0
    found = json.loads(capsys.readouterr().out)["predictions"][0]["probabilities"]
    one, other = (by_hand(path, pictures / "grey.png") for path in (checkpoint, str(tmp_path / "other.ckpt")))
    assert abs(one - other).max() > 1e-3
    assert list(found.values()) == pytest.approx((one + other) / 2, abs=2e-6)


def test_models_of_other_classes_are_not_averaged(checkpoint, pictures, tmp_path, capsys):
    save_untrained(tmp_path / "other.ckpt", names=("a", "b"))
    both = f"checkpoint=[{checkpoint},{tmp_path}/other.ckpt]"
    assert main(["predict", both, str(pictures)]) == 2
    assert "its class_names is ['a', 'b']; expected ['calm', 'cross', 'glad']" in capsys.readouterr().err


def test_nothing_readable_is_a_mistake_and_every_problem_has_its_line(checkpoint, pictures, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    words = [str(pictures / "broken.png"), str(tmp_path / "empty"), "/no/such.png", str(tmp_path / "*.bmp")]
    assert main(["predict", f"checkpoint={checkpoint}", *words]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert [line.removeprefix("fer_lightning: ") for line in lines[:4]] == [
        f"skipped {tmp_path}/empty: no picture in this folder; expected {', '.join(PICTURE_ENDINGS)}",
        "skipped /no/such.png: no such file or folder",
        f"skipped {tmp_path}/*.bmp: no file has a name like this",
        lines[3].removeprefix("fer_lightning: "),
    ]
    assert "broken.png: cannot be " in lines[3]
    assert lines[4:] == ["fer_lightning: predict: none of the pictures could be read"]


def test_a_file_whose_name_holds_an_equals_sign_is_a_picture(
    checkpoint, pictures, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.png").write_bytes((pictures / "grey.png").read_bytes())
    assert main(["predict", f"checkpoint={checkpoint}", "format=csv", "a=b.png"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("a=b.png,")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.png"], "checkpoint=…: expected a checkpoint"),
        (["checkpoint=/no/such.ckpt", "a.png"], "/no/such.ckpt: no such checkpoint"),
        (["checkpoint=x"], "expected at least one picture, folder or pattern"),
        (["checkpoint=x", "formt=csv", "a.png"], "formt: no such key; did you mean format?"),
        (["checkpoint=x", "threads=0", "a.png"], "threads=0: expected a whole number from 1 to 1024"),
        (["checkpoint=x", "format=xml", "a.png"], "format=xml: expected one of table, csv, json"),
    ],
)
def test_a_mistake_gets_one_line(words, message, capsys):
    assert main(["predict", *words]) == 2
    assert message in capsys.readouterr().err


def test_as_many_threads_are_used_as_asked(checkpoint, pictures, monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    assert main(["predict", f"checkpoint={checkpoint}", "threads=1", str(pictures / "grey.png")]) == 0
    assert asked == [1]


def test_pictures_are_found_once_in_the_order_of_the_words(pictures):
    found, problems = find_pictures([pictures / "see.webp", pictures, str(pictures / "**" / "*.jpg")])
    names = [path.name for path in found]
    assert names == ["see.webp", "broken.png", "grey.png", "colour.jpg"]
    assert problems == []


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("**", ["broken.png", "grey.png", "more/colour.jpg", "notes.txt", "other/far.png", "see.webp"]),
        ("**/*.png", ["broken.png", "grey.png", "other/far.png"]),
        ("*/**/c*.jpg", ["more/colour.jpg"]),
        ("m?re/**/", ["more/colour.jpg"]),
    ],
)
def test_a_pattern_leaves_out_links_that_lead_back(pictures, tmp_path, pattern, names):
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "far.png").write_bytes((pictures / "grey.png").read_bytes())
    (pictures / "other").symlink_to(tmp_path / "beside")
    for place in ("here", "more/up", "more/again"):
        (pictures / place).symlink_to(pictures)
    found, problems = find_pictures([f"{pictures}/{pattern}"])
    assert (sorted(str(path.relative_to(pictures)) for path in found), problems) == (names, [])


def test_pictures_are_read_as_the_image_folder_reads_them(tmp_path):
    from fer_lightning.data.image_folder import read_image_folder
    from fer_lightning.data.members import FolderMembers
    from fer_lightning.data.splits import Splitting

    random = np.random.default_rng(1)
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number in range(8):
            colours = random.integers(0, 256, (33, 47, 3), dtype=np.uint8)
            Image.fromarray(colours).save(tmp_path / label / f"{number}.png")
    raw = read_image_folder(FolderMembers(tmp_path), Reading(24, Splitting(0.2, 0.2, 0)))
    pictures = read_pictures([tmp_path], 24)
    by_id = {str(name): image for name, image in zip(raw.ids, raw.images, strict=True)}
    assert len(pictures.paths) == 16
    for path, image in zip(pictures.paths, pictures.images, strict=True):
        assert np.array_equal(image, by_id[str(path.relative_to(tmp_path))])


def test_training_leaves_a_checkpoint_that_predicts_its_own_faces(tmp_path, tiny, capsys):
    config = compose_config([*tiny])
    data = build_data(config)
    module = build_module(config, data, {})
    Image.fromarray(data.faces.images[0]).save(tmp_path / "face.png")
    stored = {
        "config": portable_config(config),
        "class_names": list(data.faces.class_names),
        "image_size": 48,
        "data": {"synthetic": True},
    }
    torch.save({CHECKPOINT_KEY: stored, "state_dict": module.state_dict()}, tmp_path / "net.ckpt")
    assert main(["predict", f"checkpoint={tmp_path}/net.ckpt", str(tmp_path / "face.png")]) == 0
    assert "by a model trained on SYNTHETIC DATA" in capsys.readouterr().out


def in_a_run(folder: Path, logits: np.ndarray, labels: np.ndarray) -> str:
    """A run's best checkpoint beside the logits of its validation faces."""
    (folder / "checkpoints").mkdir(parents=True)
    save_untrained(folder / "checkpoints" / "best.ckpt")
    ids = np.arange(len(labels)).astype(str)
    write_predictions(folder / "val_logits.npz", Predictions(logits, labels, ids, NAMES))
    return f"{folder}/checkpoints/best.ckpt"


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """By hand: the power of each probability, brought to a sum of 1."""
    found = probabilities ** (1 / temperature)
    return found / found.sum()


def test_probabilities_at_a_temperature_are_those_of_the_divided_logits(checkpoint, pictures, capsys):
    grey = pictures / "grey.png"
    assert main(["predict", f"checkpoint={checkpoint}", "temperature=0.25", "format=json", str(grey)]) == 0
    written = capsys.readouterr()
    found = json.loads(written.out)
    plain = by_hand(checkpoint, grey)
    assert list(found["predictions"][0]["probabilities"].values()) == pytest.approx(
        at_temperature(plain, 0.25), abs=2e-6
    )
    assert abs(at_temperature(plain, 0.25) - plain).max() > 1e-3
    assert found["temperatures"] == [0.25]
    assert "probabilities at temperature 0.25" in written.err


def test_a_fitted_temperature_is_that_of_each_checkpoints_own_run(tmp_path, pictures, capsys):
    labels = np.tile([0, 1, 2], 60)
    sure = np.eye(3, dtype=np.float32)[np.where(np.arange(180) % 5 == 0, (labels + 1) % 3, labels)]
    # Right in 80 %: the least loss is at logits of log(0.8 / 0.1), so at a temperature of 6 / log(8).
    paths = [
        in_a_run(tmp_path / name, scale * sure, labels) for name, scale in (("one", 6.0), ("other", 3.0))
    ]
    words = [f"checkpoint=[{','.join(paths)}]", "temperature=fitted", "format=json", f"{pictures}/grey.png"]
    assert main(["predict", *words]) == 0
    found = json.loads(capsys.readouterr().out)
    one, other = found["temperatures"]
    assert one == pytest.approx(2 * other, rel=1e-3)
    assert one == pytest.approx(6 / np.log(8), rel=0.15)  # one half of the faces need not have 80 % right
    plain = by_hand(paths[0], pictures / "grey.png")
    expected = (at_temperature(plain, one) + at_temperature(plain, other)) / 2
    assert list(found["predictions"][0]["probabilities"].values()) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize(
    ("temperature", "message"),
    [
        ("0", "temperature=0: expected a number above 0"),
        ("-1.5", "temperature=-1.5: expected a number above 0"),
        ("inf", "temperature=inf: expected a number above 0"),
        ("warm", "temperature=warm: expected a number above 0, or fitted"),
        ("fitted", "net.ckpt is not of the epoch of val_logits.npz; expected checkpoints/best.ckpt"),
    ],
)
def test_a_temperature_that_cannot_be_is_one_line(checkpoint, pictures, temperature, message, capsys):
    assert main(["predict", f"checkpoint={checkpoint}", f"temperature={temperature}", str(pictures)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert message in lines[-1]


def test_a_run_without_validation_logits_has_no_fitted_temperature(tmp_path, pictures, capsys):
    path = in_a_run(tmp_path / "one", np.eye(3, dtype=np.float32), np.arange(3))
    (tmp_path / "one" / "val_logits.npz").unlink()
    assert main(["predict", f"checkpoint={path}", "temperature=fitted", f"{pictures}/grey.png"]) == 2
    assert "no val_logits.npz beside the checkpoints of" in capsys.readouterr().err
