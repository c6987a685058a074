from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_predict import by_hand, save_untrained

from fer_lightning.cli import main
from fer_lightning.config.compose import compose_config
from fer_lightning.data.labelled_pictures import SplitPictures
from fer_lightning.explain.page.page import render
from fer_lightning.explain.page.parts import PARTS, chosen_parts
from fer_lightning.explain.page.regions import balanced_rows
from fer_lightning.explain.page.section import Picture, Section
from fer_lightning.explain.subject import Subject
from fer_lightning.runs.confusion_counts import confusion
from fer_lightning.training.build import build_data
from fer_lightning.training.module import CHECKPOINT_KEY
from training_runs import save


def text_of(folder: Path) -> str:
    return (folder / "explanations.html").read_text(encoding="utf-8")


def test_confusion_and_dead_units_are_those_of_the_checkpoint_on_the_split(tmp_path, tiny, capsys):
    module = save(tmp_path / "net.ckpt", tiny)
    words = [f"checkpoint={tmp_path}/net.ckpt", f"output={tmp_path}/out", "split=test"]
    assert main(["explain", *words, "only=[confusion,dead_units]"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("1/2 confusion: ")
    assert said[1].startswith("2/2 dead_units: 1 figure, ")
    subject = Subject(module, SplitPictures(build_data(compose_config(tiny)), "test"))
    found = json.loads((tmp_path / "out" / "confusion" / "confusion.json").read_text())
    assert found["counts"] == confusion(subject.predictions).counts.tolist()
    assert np.sum(found["counts"]) == 48
    page = text_of(tmp_path / "out")
    assert "SYNTHETIC DATA" in page
    assert len(re.findall("<img ", page)) == len(list((tmp_path / "out").rglob("*.png")))
    layers = json.loads((tmp_path / "out" / "dead_units" / "dead_units.json").read_text())
    assert [layer["units"] for layer in layers] == [16, 32, 64, 64]


def test_a_dense_net_says_what_it_has_not_and_shows_the_rest(tmp_path, tiny, capsys):
    dense = [*tiny, "model=dnn", "model.widths=[24,16]"]
    save(tmp_path / "net.ckpt", dense)
    words = [
        f"checkpoint={tmp_path}/net.ckpt",
        f"output={tmp_path}/out",
        "trust=false",
        "method=[gradient,grad_cam]",
    ]
    assert main(["explain", *words, "only=[saliency,feature_maps,filters]"]) == 0
    said = capsys.readouterr().out
    assert "filters: left out (the network has no convolution" in said
    page = text_of(tmp_path / "out")
    assert "grad_cam: needs a convolution, and this network has none" in page
    assert "gradient: not checked" in page
    assert (tmp_path / "out" / "saliency" / "gradient_right.png").is_file()
    assert main(["explain", *words, "only=filters"]) == 2
    said = capsys.readouterr().err
    assert "nothing could be made of" in said
    assert "net.ckpt: filters: the network has no convolution" in said
    name = next(name for name, each in _modules(tmp_path / "net.ckpt") if isinstance(each, torch.nn.Linear))
    assert main(["explain", *words, "only=filters", f"layer={name}"]) == 0
    assert (tmp_path / "out" / "filters" / f"filters_{name}.png").is_file()


def _modules(path: Path):
    from fer_lightning.training.checkpoints import load_classifier

    return load_classifier(path).model.named_modules()


def test_own_pictures_are_explained_by_a_model_of_another_size_whose_data_are_not_there(tmp_path, capsys):
    save_untrained(tmp_path / "net.ckpt")
    stored = torch.load(tmp_path / "net.ckpt", weights_only=True)
    stored[CHECKPOINT_KEY]["config"]["data"] |= {"name": "image_folder", "path": "/no/such/faces"}
    stored[CHECKPOINT_KEY]["config"]["data"].pop("drawing")
    torch.save(stored, tmp_path / "net.ckpt")
    random = np.random.default_rng(0)
    (tmp_path / "mine").mkdir()
    for name in ("<b>one", "two"):
        colours = random.integers(0, 256, (50, 40, 3), dtype=np.uint8)
        Image.fromarray(colours).save(tmp_path / "mine" / f"{name}.png")
    (tmp_path / "mine" / "broken.png").write_bytes(b"no picture")
    words = [f"checkpoint={tmp_path}/net.ckpt", f"output={tmp_path}/out", f"image={tmp_path}/mine"]
    settings = ["method=smoothgrad", "saliency.smoothgrad.samples=3"]
    assert main(["explain", *words, "only=[own,confusion]", *settings]) == 0
    said = capsys.readouterr().out
    assert "without the data that the model was trained on (" in said
    assert "confusion: left out (needs the images that the model was trained on" in said
    page = text_of(tmp_path / "out")
    assert "&lt;b&gt;one.png" in page
    assert "<b>one" not in page
    assert "broken.png: not an image" in page
    for name in ("<b>one", "two"):
        for share in by_hand(str(tmp_path / "net.ckpt"), tmp_path / "mine" / f"{name}.png"):
            assert f"<td>{100 * share:.1f}</td>" in page
    for name in ("own_smoothgrad", "own_lime", "own_feature_maps"):
        assert (tmp_path / "out" / "own" / f"{name}.png").is_file()


def test_the_page_loads_nothing_and_allows_its_style_alone(tmp_path, tiny):
    module = save(tmp_path / "net.ckpt", tiny)
    Image.new("L", (30, 20)).save(tmp_path / "a.png")
    section = Section(
        "confusion", "A <title>", tmp_path, pictures=[Picture(tmp_path / "a.png", "says <i>", "good & true")]
    )
    page = render(
        Subject(module, SplitPictures(build_data(compose_config(tiny)), "val")),
        "runs/x.ckpt",
        [section],
        tmp_path,
    )
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    assert style
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    policy = re.search('Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy.group(1).replace("&#39;", "'") == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"https?://|<script|<link|style=", page)
    assert 'width="30" height="20"' in page
    assert "A &lt;title&gt;" in page
    assert "good &amp; true" in page


def test_rows_are_balanced_over_the_classes():
    labels = np.array([0] * 50 + [1] * 3 + [2] * 20)
    rows = balanced_rows(labels, 30, seed=0)
    assert np.bincount(labels[rows]).tolist() == [10, 3, 10]
    assert len(set(rows.tolist())) == len(rows)


def test_parts_are_made_in_the_order_of_the_page():
    assert chosen_parts(["lime", "confusion"]) == ["confusion", "lime"]
    assert chosen_parts("regions") == ["regions"]
    assert chosen_parts(None) == list(PARTS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "explain checkpoint=… output=DIR: expected one checkpoint and a folder"),
        (
            ["checkpoint=x", "output=y", "only=confusoin"],
            "only=confusoin: no such part; did you mean confusion?",
        ),
        (
            ["checkpoint=x", "output=y", "method=gradcam"],
            "no such saliency method; did you mean grad_cam?",
        ),
        (["checkpoint=x", "output=y", "only=own"], "only=own: needs image=…, a picture, folder or pattern"),
        (["checkpoint=x", "output=y", "split=all"], "split=all: expected one of train, val, test"),
        (["checkpoint=x", "output=y", "faces=0"], "faces=0: expected a whole number of at least 1"),
        (
            ["checkpoint=x", "output=y", "trust.max_class_similarty=1"],
            "did you mean trust.max_class_similarity?",
        ),
        (
            ["checkpoint=x", "output=y", "saliency.smoothgrad.sample=9"],
            "saliency.smoothgrad.sample: no such key; did you mean saliency.smoothgrad.samples?",
        ),
        (
            ["checkpoint=x", "output=y", "saliency.samples=9"],
            "saliency.samples: expected saliency.METHOD.SETTING; the methods are gradient, smoothgrad",
        ),
        (["checkpoint=x", "output=y", "saliency.smoothgrad.samples=0"], "samples=0: expected a whole number"),
        (
            ["checkpoint=x", "output=y", "lime.target=odds"],
            "lime.target=odds: expected one of probability, logit",
        ),
        (
            ["checkpoint=x", "output=y", "region_faces=1"],
            "region_faces=1: expected a whole number of at least 14",
        ),
        (["checkpoint=x", "output=y", "threads=-1"], "threads=-1: expected a whole number from 1 to 1024"),
        (["checkpoint=x", "output=y", "trust=1"], "trust=1: expected true or false"),
        (["checkpoint=/no/such.ckpt", "output=y"], "/no/such.ckpt: no such checkpoint"),
        (["checkpoint=x", "outptu=y"], "outptu: no such key; did you mean output?"),
    ],
)
def test_a_mistake_gets_one_line(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["explain", *words]) == 2
    assert message in capsys.readouterr().err


def test_an_unknown_layer_is_named_before_any_work(tmp_path, tiny, capsys):
    save(tmp_path / "net.ckpt", tiny)
    words = [f"checkpoint={tmp_path}/net.ckpt", f"output={tmp_path}/out", "layer=features.blok1.conv"]
    assert main(["explain", *words]) == 2
    assert "did you mean" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_faces_of_the_split_are_asked_for_by_their_ids(tmp_path, tiny, capsys):
    module = save(tmp_path / "net.ckpt", tiny)
    data = build_data(compose_config(tiny))
    subject = Subject(module, SplitPictures(data, "test"))
    last, first = (str(data.faces.ids[position]) for position in data.faces.indices("test")[[-1, 0]])
    assert subject.rows_of([last, first]).tolist() == [47, 0]
    assert np.array_equal(
        subject.images(subject.rows_of([last])), data.faces.images[data.faces.indices("test")[-1:]]
    )
    words = [f"checkpoint={tmp_path}/net.ckpt", f"output={tmp_path}/out", "split=test", "only=saliency"]
    few = ["method=gradient", "trust=false", f"ids=['{last}','{first}']"]
    assert main(["explain", *words, *few]) == 0
    assert (tmp_path / "out" / "saliency" / "gradient_asked.png").is_file()
    page = text_of(tmp_path / "out")
    assert "The images that were asked for" in page
    logits, labels = subject.predictions.logits, subject.predictions.labels
    missing = [
        name for k, name in enumerate(subject.class_names) if k not in labels[logits.argmax(1) == labels]
    ]
    assert missing
    assert f"Classes without a correctly classified image: {', '.join(missing)}." in page
    assert main(["explain", *words, f"ids='{last}x'"]) == 2
    said = capsys.readouterr().err
    assert f"ids={last}x: the test split has no such face; did you mean {last}?" in said
