"""Models of timm through the adapter, with the real package."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning  # noqa: F401  (before torchvision, which it would import)
import torch

from fer_lightning.config.compose import compose_config
from fer_lightning.config.schema import check_config
from fer_lightning.errors import ConfigError
from fer_lightning.explain.layer_outputs import feature_maps
from fer_lightning.explain.saliency_methods import attributions
from fer_lightning.explain.unit_watch import dead_units
from fer_lightning.training.build import build_data, build_module
from fer_lightning.training.checkpoints import load_classifier
from fer_lightning.training.network import build_model
from fer_lightning.training.rehearsal import rehearse
from training_runs import run, save

FOLDER = Path(sys.prefix) / "timm"


@pytest.fixture(scope="module")
def timm() -> Iterator[None]:
    """timm, of the environment or of CI's folder, with the operators that torchvision's other build has not."""
    patch = pytest.MonkeyPatch()
    patch.setenv("HF_HUB_OFFLINE", "1")
    patch.syspath_prepend(str(FOLDER))
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    pytest.importorskip("timm", reason="timm is not installed; make ci-extras")
    yield
    patch.undo()


def node(*words: str):
    config = compose_config(["model=timm", *words])
    check_config(config)
    return config


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("name", "kind"), [("test_resnet", "ResNet"), ("test_vit", "VisionTransformer")])
def test_a_model_has_the_size_the_colours_and_the_classes_of_the_data(timm, name, kind, channels):
    config = node(f"model.name={name}", "model.drop_rate=0.25")
    net = build_model(config.model, image_size=48, num_classes=5, in_channels=channels).eval()
    assert type(net).__name__ == kind
    assert net(torch.rand(2, channels, 48, 48)).shape == (2, 5)
    assert net.drop_rate == 0.25 if kind == "ResNet" else net.head_drop.p == 0.25


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.name=test_resnte"], "model.name=test_resnte: timm has no such model; did you mean test_resnet?"),
        (["model.name=test_resnet", "model.drop_rat=0.1"], "unexpected keyword argument 'drop_rat'"),
        (["model.name=test_resnet", "model.pretrained=true"], "model.pretrained=true: the weights of test_resnet are"),
        (["model.name=3"], "model.name=3: expected a text"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(timm, words, message):
    def begun() -> None:
        build_model(node(*words).model, image_size=48, num_classes=7)

    with pytest.raises(ConfigError) as caught:
        begun()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_a_connection_the_weights_are_asked_for_once(timm, monkeypatch):
    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{address}/{{repo_id}}/{{revision}}/{{filename}}"
    )
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"waits {seconds} s to ask again"))
    with pytest.raises(ConfigError, match=r"the weights of test_resnet are not at hand .*onnect"):
        build_model(
            node("model.name=test_resnet", "model.pretrained=true").model, image_size=48, num_classes=7
        )


def test_the_normalization_is_that_of_the_weights(timm, tiny):
    config = node(*tiny, "model.name=resnet18", "normalization=timm")
    data = build_data(config)
    module = build_module(config, data, {})
    rehearse(module, data)
    images = torch.full((1, 3, 2, 2), 255.0)
    expected = [(1 - mean) / std for mean, std in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
    np.testing.assert_allclose(module.normalization(images)[0, :, 0, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_a_checkpoint_is_reloaded_without_timms_weights_and_explained(timm, tiny, tmp_path, name):
    made = save(tmp_path / "a.ckpt", [*tiny, "model=timm", f"model.name={name}"])
    stored = torch.load(tmp_path / "a.ckpt", weights_only=True)
    stored["fer_lightning"]["config"]["model"]["pretrained"] = True
    torch.save(stored, tmp_path / "a.ckpt")
    module = load_classifier(tmp_path / "a.ckpt")
    faces = torch.rand(2, 1, 48, 48) * 255
    torch.testing.assert_close(module(faces), made(faces))
    maps = feature_maps(module, faces[:1])
    expected = {
        "test_resnet": {f"model.layer{number}" for number in (1, 2, 3, 4)},
        "test_vit": {"model.patch_embed.proj"},
    }
    assert expected[name] <= set(maps)
    assert np.isfinite(attributions(module, faces, method="grad_cam").signed).all()
    layers = {layer.layer: layer.units for layer in dead_units(module, [faces])}
    if name == "test_vit":
        assert {layers[f"model.blocks.{number}.mlp.act"] for number in range(2)} == {
            module.model.blocks[0].mlp.fc1.out_features
        }


def test_a_run_trains_with_rates_by_depth(timm, tiny, tmp_path):
    words = [
        "model=timm",
        "model.name=test_vit",
        "optimizer.layer_decay=0.7",
        "model.freeze=1",
        "normalization=timm",
    ]
    assert run(tmp_path / "run", tiny, *words).record["status"] == "complete"


def test_without_timm_a_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(
        ConfigError, match=r'model=timm: timm cannot be imported .*pip install "fer-lightning\[timm\]"'
    ):
        build_model(node().model, image_size=48, num_classes=7)
