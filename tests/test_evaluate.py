from __future__ import annotations

import numpy as np
import pytest

from fer_lightning.errors import DataError
from fer_lightning.evaluate import measure, predict_split
from fer_lightning.predictions import Predictions


def test_faces_that_leak_are_left_out_of_the_second_accuracy():
    logits = np.array([[2.0, 0], [2.0, 0], [0, 2.0], [2.0, 0]], np.float32)
    predictions = Predictions(logits, np.array([0, 0, 1, 1]), np.array(list("abcd")), ("x", "y"))
    found = measure(predictions, np.array([True, True, False, False]), "test")
    assert found.metrics["acc"] == pytest.approx(0.75)
    assert found.metrics["faces"] == 4
    assert found.unleaked["acc"] == pytest.approx(0.5)
    assert found.unleaked["faces"] == 2
    assert found.confusion.tolist() == [[2, 0], [1, 1]]


def test_copies_of_training_faces_are_found_in_the_data(tmp_path):
    from PIL import Image

    from fer_lightning.data.datamodule import FaceDataModule

    random = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for label in ("a", "b"):
            folder = tmp_path / "faces" / split / label
            folder.mkdir(parents=True)
            for number in range(3):
                Image.fromarray(random.integers(0, 255, (48, 48), dtype=np.uint8)).save(
                    folder / f"{number}.png"
                )
    copied = tmp_path / "faces" / "train" / "a" / "1.png"
    (tmp_path / "faces" / "test" / "b" / "2.png").write_bytes(copied.read_bytes())
    data = FaceDataModule("image_folder", str(tmp_path / "faces"))
    ids = np.asarray(data.faces.ids)[data.faces.indices("test")]
    assert ids[data.copied_from_training("test")].tolist() == ["test/b/2.png"]
    assert not data.copied_from_training("val").any()
    without = FaceDataModule("image_folder", str(tmp_path / "faces"), exclude=["leaked"])
    assert len(data.train_indices) - len(without.train_indices) == 1


def test_other_classes_than_the_models_are_refused(tiny):
    from fer_lightning.build import build_data, build_module
    from fer_lightning.compose import compose_config

    config = compose_config(tiny)
    data = build_data(config)
    module = build_module(config, data, {})
    module.class_names = ("a", "b", "c", "d", "e", "f", "g")
    with pytest.raises(DataError, match="the model knows a, b, c"):
        predict_split(module, data, "val")


def test_mirrored_predictions_do_not_depend_on_the_side(tiny):
    from dataclasses import replace

    from fer_lightning.build import build_data, build_module
    from fer_lightning.compose import compose_config

    config = compose_config(tiny)
    data = build_data(config)
    module = build_module(config, data, {})
    straight = predict_split(module, data, "val", flip=True).logits
    mirrored = np.ascontiguousarray(np.asarray(data.faces.images)[:, :, ::-1])
    data._faces, data._tensors = replace(data.faces, images=mirrored), None
    assert predict_split(module, data, "val", flip=True).logits == pytest.approx(straight, abs=1e-5)
    assert predict_split(module, data, "val").logits != pytest.approx(straight, abs=1e-3)
