"""A run on faces in colour: trained, read back from its checkpoint, evaluated, and asked for own pictures."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
import torch
from PIL import Image

from fer_lightning.api.predicted import predict
from fer_lightning.cli import main
from fer_lightning.config.compose import compose_config
from fer_lightning.data.synthetic import draw_faces
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.evaluation.evaluate import evaluate
from fer_lightning.models import count_parameters, model_summary, packaged_model, packaged_models
from fer_lightning.training.checkpoints import load_classifier
from fer_lightning.training.train import train
from training_runs import save

COLOUR = ["data.channels=3", "augmentation=strong", "augmentation.saturation=0.3", "augmentation.hue=0.1"]


def test_a_run_in_colour_from_the_faces_to_own_pictures(tmp_path, tiny, capsys):
    train(compose_config([*tiny, *COLOUR, "normalization=standard"]), tmp_path)
    path = tmp_path / "checkpoints" / "last.ckpt"
    module = load_classifier(path)
    assert module.record["channels"] == 3
    assert module.normalization.mean.shape == (3,)
    assert next(module.model.parameters()).shape[1] == 3
    assert evaluate([path], "val", flip=True).metrics["faces"] == 48
    with pytest.raises(ConfigError, match=r"data\.channels=1: the net was trained on 3; expected the same"):
        evaluate([path], "val", {"data.channels": 1})

    image = draw_faces(1, 5, channels=3)[0]
    Image.fromarray(image[0]).save(tmp_path / "face.png")
    capsys.readouterr()
    assert main(["predict", f"checkpoint={path}", "format=csv", str(tmp_path / "face.png")]) == 0
    written = capsys.readouterr()
    (row,) = csv.DictReader(io.StringIO(written.out))
    with torch.no_grad():
        expected = module(torch.from_numpy(image).permute(0, 3, 1, 2)).softmax(1)[0].numpy()
    assert np.array([float(row[name]) for name in module.class_names]) == pytest.approx(expected, abs=2e-6)
    assert "grey" not in written.err

    # Grey levels are taken as a grey file is, without a word.
    grey = draw_faces(2, 5)[0]
    Image.fromarray(grey[0]).save(tmp_path / "grey.png")
    found = predict(path, grey[:1])
    assert np.array_equal(found.probabilities, predict(path, tmp_path / "grey.png").probabilities)
    assert found.notes == ()
    with pytest.raises(DataError, match=r"uint8 of shape \[2, 40, 40\]; expected uint8 \[N, 48, 48, 3\]"):
        predict(path, grey[:, :40, :40])


def test_colour_is_refused_by_a_model_of_grey_faces(tmp_path, tiny):
    save(tmp_path / "grey.ckpt", tiny)
    with pytest.raises(DataError, match=r"uint8 of shape \[2, 48, 48, 3\]; expected uint8 \[N, 48, 48\]$"):
        predict(tmp_path / "grey.ckpt", draw_faces(2, 5, channels=3)[0])


def test_an_ensemble_of_grey_and_colour_is_refused(tmp_path, tiny):
    save(tmp_path / "grey.ckpt", tiny)
    save(tmp_path / "colour.ckpt", [*tiny, "data.channels=3"])
    from fer_lightning.evaluation.picture_predictions import load_ensemble

    paths = [str(tmp_path / name) for name in ("grey.ckpt", "colour.ckpt")]
    with pytest.raises(ConfigError, match=r"colour\.ckpt: its channels is 3; expected 1 as in .*grey\.ckpt"):
        load_ensemble(paths)


@pytest.mark.parametrize("name", packaged_models())
def test_every_packaged_net_takes_colour(name):
    grey, colour = (packaged_model(name, image_size=48, num_classes=7, in_channels=n) for n in (1, 3))
    assert colour(torch.zeros(2, 3, 48, 48, device="meta")).shape == (2, 7)
    first, more = (next(model.parameters()) for model in (grey, colour))
    added = count_parameters(colour).total - count_parameters(grey).total
    assert added == more.numel() - first.numel() == 2 * first.numel()
    before, after = (
        model_summary(model, 48, channels).multiply_adds for model, channels in ((grey, 1), (colour, 3))
    )
    assert after > before


def test_a_dense_net_is_matched_at_the_same_channels(capsys):
    main(["summary", "model=dnn", "model.match=small", "data.channels=3"])
    out = capsys.readouterr().out
    assert "DNN, one image in colour of 48×48 pixels" in out
    total = int(out.split("parameters, with")[0].split()[-1].replace(",", ""))
    goal = count_parameters(packaged_model("small", image_size=48, num_classes=7, in_channels=3)).total
    assert total == pytest.approx(goal, rel=0.01)
