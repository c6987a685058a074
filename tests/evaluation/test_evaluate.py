from __future__ import annotations

import numpy as np
import pytest
import torch

from fer_lightning.config.compose import compose_config
from fer_lightning.data.near_copies import nearest_correlation
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.evaluation.evaluate import evaluate, measure, predict_split
from fer_lightning.evaluation.evaluation import evaluation_text, write_evaluation
from fer_lightning.evaluation.test_time_augmentation import check_views, views
from fer_lightning.models import Fast, Small
from fer_lightning.runs.leakage import WITHOUT, read_kept
from fer_lightning.runs.predictions import Predictions
from training_runs import save


def test_faces_that_leak_are_left_out_of_the_second_accuracy(tmp_path):
    logits = np.array([[2.0, 0], [2.0, 0], [0, 2.0], [2.0, 0]], np.float32)
    predictions = Predictions(logits, np.array([0, 0, 1, 1]), np.array(list("abcd")), ("x", "y"))
    copied, nearly = np.array([True, True, False, False]), np.array([True, True, False, True])
    found = measure(predictions, copied, nearly, "test")
    assert found.metrics["acc"] == pytest.approx(0.75)
    assert found.metrics["faces"] == 4
    assert found.unleaked["acc"] == pytest.approx(0.5)
    assert found.unleaked["faces"] == 2
    assert found.unrelated["acc"] == pytest.approx(1.0)
    assert found.unrelated["faces"] == 1
    assert found.confusion.tolist() == [[2, 0], [1, 1]]
    write_evaluation(found, [], {}, tmp_path)
    kept = {faces: read_kept(tmp_path / "test_copies.npz", faces, 4).tolist() for faces in WITHOUT}
    assert kept["all"] == [True] * 4
    assert kept["no_copy"] == [False, False, True, True]
    assert kept["no_near_copy"] == [False, False, True, False]
    # A blank face correlates with none, its exact copy neither: what is copied counts as nearly copied too.
    blank = measure(predictions, np.array([True, False, False, False]), np.zeros(4, bool), "test")
    assert blank.nearly.tolist() == [True, False, False, False]


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
    assert ids[data.nearly_copied_from_training("test")].tolist() == ["test/b/2.png"]
    without = FaceDataModule("image_folder", str(tmp_path / "faces"), exclude=["leaked"])
    assert len(data.train_indices) - len(without.train_indices) == 1


def test_near_copies_are_told_at_one_size_whatever_the_model_sees(tmp_path):
    from PIL import Image

    from fer_lightning.data.datamodule import FaceDataModule

    # One coarse picture under fine grain of its own: alike only where the grain is averaged away.
    random = np.random.default_rng(0)
    coarse = np.kron(random.integers(80, 176, (6, 6)), np.ones((8, 8)))
    for split in ("train", "val", "test"):
        for label in ("a", "b"):
            folder = tmp_path / "faces" / split / label
            folder.mkdir(parents=True)
            grain = random.integers(-40, 41, (48, 48))
            Image.fromarray((coarse + grain).astype(np.uint8)).save(folder / "0.png")
    for size in (6, 48):
        data = FaceDataModule("image_folder", str(tmp_path / "faces"), image_size=size)
        images = data.faces.images
        chosen = images[data.faces.indices("test")], images[data.faces.indices("train")]
        assert (nearest_correlation(*chosen) > 0.9).all() == (size == 6)
        assert not data.nearly_copied_from_training("test").any()
        kept = FaceDataModule(
            "image_folder", str(tmp_path / "faces"), image_size=size, exclude=["nearly_leaked"]
        )
        assert len(kept.train_indices) == 2


def test_no_face_of_a_split_that_any_model_was_trained_on_counts_as_unseen(tmp_path, tiny):
    # The first of an ensemble says which faces there are, but the others have their own training faces.
    save(tmp_path / "train.ckpt", tiny)
    save(tmp_path / "both.ckpt", [*tiny, "data.train_on=train_val"])
    for names in (["both"], ["train", "both"], ["both", "train"]):
        found = evaluate([tmp_path / f"{name}.ckpt" for name in names], "val")
        assert found.trained_on
        assert found.metrics["faces"] == 48
        assert found.unleaked == found.unrelated == {"faces": 0}
        assert "TRAINED ON these images" in evaluation_text(found)
        assert "nan" in evaluation_text(found)
    found = evaluate([tmp_path / "train.ckpt", tmp_path / "both.ckpt"], "test")
    assert not found.trained_on
    assert found.unleaked["faces"] == 48


def test_faces_that_no_model_knows_are_not_called_trained_on(tmp_path, tiny):
    from fer_lightning.training.train import train

    train(compose_config(tiny), tmp_path)
    path = tmp_path / "checkpoints" / "last.ckpt"
    assert evaluate([path], "train").trained_on
    found = evaluate([path], "train", {"data.drawing.seed": 9})
    assert not found.trained_on
    assert found.unleaked["faces"] == found.metrics["faces"] == 96


def test_models_of_other_sizes_are_refused_unless_a_size_is_asked_for(tmp_path, tiny):
    for size in (48, 40):
        save(
            tmp_path / f"{size}.ckpt", [*tiny, "model=fast", "model.widths=[4,8]", f"data.image_size={size}"]
        )
    paths = [tmp_path / "48.ckpt", tmp_path / "40.ckpt"]
    with pytest.raises(ConfigError, match=r"40\.ckpt: was trained on faces of 40 pixels, .*48\.ckpt of 48;"):
        evaluate(paths, "val")
    assert evaluate(paths, "val", {"data.image_size": 44}).metrics["faces"] == 48


def test_other_classes_than_the_models_are_refused(tiny):
    from fer_lightning.training.build import build_data, build_module

    config = compose_config(tiny)
    data = build_data(config)
    module = build_module(config, data, {})
    module.class_names = ("a", "b", "c", "d", "e", "f", "g")
    with pytest.raises(DataError, match="the model knows a, b, c"):
        predict_split(module, data, "val")


def test_mirrored_predictions_do_not_depend_on_the_side(tiny):
    from dataclasses import replace

    from fer_lightning.training.build import build_data, build_module

    config = compose_config(tiny)
    data = build_data(config)
    module = build_module(config, data, {})
    straight = predict_split(module, data, "val", flip=True).logits
    mirrored = np.ascontiguousarray(np.asarray(data.faces.images)[:, :, ::-1])
    data._faces, data._tensors = replace(data.faces, images=mirrored), None
    assert predict_split(module, data, "val", flip=True).logits == pytest.approx(straight, abs=1e-5)
    assert predict_split(module, data, "val").logits != pytest.approx(straight, abs=1e-3)


def test_views_are_the_corners_and_the_middle_each_with_its_mirror_image():
    face = torch.arange(36.0).view(1, 1, 6, 6)
    seen = [view[0, 0].tolist() for view in views(face, crop=2, flip=True)]
    corners = [[[0, 1], [6, 7]], [[4, 5], [10, 11]], [[24, 25], [30, 31]], [[28, 29], [34, 35]]]
    squares = [*corners, [[14, 15], [20, 21]]]
    assert seen[::2] == squares
    assert seen[1::2] == [[row[::-1] for row in square] for square in squares]
    assert [view.shape[-1] for view in views(face)] == [6]


def test_crops_are_averaged_over_log_probabilities(tiny):
    from fer_lightning.training.build import build_data, build_module

    config = compose_config([*tiny, "model=fast", "model.widths=[4,8]"])
    data = build_data(config)
    module = build_module(config, data, {}).eval()
    side = data.image_size - 8
    found = predict_split(module, data, "val", crop=side).logits
    images = torch.from_numpy(data.faces.images[data.faces.indices("val")]).unsqueeze(1)
    places = [(0, 0), (0, 8), (8, 0), (8, 8), (4, 4)]
    with torch.no_grad():
        each = [module(images[..., y : y + side, x : x + side]).log_softmax(1) for y, x in places]
    assert found == pytest.approx(torch.stack(each).mean(0).numpy(), abs=1e-5)
    assert found != pytest.approx(predict_split(module, data, "val").logits, abs=1e-3)


@pytest.mark.parametrize(
    ("model", "crop", "message"),
    [
        (Fast(), 49, "crop=49: expected null or pixels, a whole number from 1 to 48"),
        (Fast(), 2.5, "crop=2.5: expected null or pixels"),
        (Small(), 40, "crop=40: Small takes images of 48 pixels only; expected a net for any size"),
    ],
)
def test_crops_that_a_net_cannot_see_are_refused(model, crop, message):
    with pytest.raises(ConfigError, match=message):
        check_views(model, 48, crop)


def test_the_levels_of_guessing_and_a_collapsed_net_are_named(tmp_path, tiny):
    module = save(tmp_path / "net.ckpt", tiny)
    honest = evaluation_text(evaluate([tmp_path / "net.ckpt"], "val"))
    assert "guessing: chance 14.29 %, majority class (happy) " in honest
    stored = torch.load(tmp_path / "net.ckpt", weights_only=True)
    last = [name for name in module.state_dict() if name.endswith("bias")][-1]
    stored["state_dict"][last][3] = 1e6
    torch.save(stored, tmp_path / "stuck.ckpt")
    assert evaluation_text(evaluate([tmp_path / "stuck.ckpt"], "val")).endswith(
        "\ncollapsed: happy is predicted for every image"
    )
