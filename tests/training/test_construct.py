"""This project's own classes are built as Hydra builds them, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from fer_lightning.config.compose import compose_config
from fer_lightning.config.signatures import parted
from fer_lightning.errors import ConfigError
from fer_lightning.training.construct import build, plain_node


def described(value: Any) -> Any:
    """An object by its class and what it holds."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, torch.nn.Module):
        return type(value), {key: tensor.tolist() for key, tensor in value.state_dict().items()}
    if isinstance(value, dict):
        return {str(key): described(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [described(item) for item in value]
    if type(value).__module__.startswith("fer_lightning."):
        return type(value), described(getattr(value, "__dict__", {}))
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(type(value))


def test_every_part_is_what_hydra_builds() -> None:
    config = compose_config(["callbacks=[default,explain]", "normalization=standard"])
    nodes = [config.data, config.normalization, config.augmentation, config.logger]
    nodes += [model := OmegaConf.create(parted(config.model, "model")[0])]
    nodes += [node for node in config.callbacks.values() if node.get("_target_")]
    more = {"image_size": 48, "num_classes": 7}
    own = 0
    for node in nodes:
        options: dict[str, Any] = more if node is model else {}
        options |= {"folder": "runs/x"} if node is config.logger else {}
        plain = plain_node(node)
        own += plain is not None
        torch.manual_seed(3)
        found = build(node, **options)
        torch.manual_seed(3)
        expected = instantiate(node, _convert_="all", **options)
        assert repr(described(found)) == repr(described(expected))  # nan is not equal to itself
    assert own >= len(nodes) - 1


@pytest.mark.parametrize(
    "node",
    [
        {"_target_": "os.getcwd"},
        {"_target_": "torch.nn.ReLU"},
        {"_target_": "fer_lightning.training.train.Path"},
        {"_target_": "fer_lightning.runs.files.os.getcwd"},
        {"_target_": "fer_lightning.runs.files.json_text", "value": 1},
        {"_target_": "fer_lightning.runs.best_epoch.BestEpoch", "_partial_": True},
        {"_target_": "fer_lightning.runs.best_epoch.BestEpoch", "_args_": ["val/acc"]},
        {"_target_": "fer_lightning.runs.best_epoch.BestEpoch", "monitor": {"_target_": "torch.nn.ReLU"}},
        {"_target_": "fer_lightning.runs.best_epoch.BestEpoch", "monitor": [{"_target_": "os.getcwd"}]},
        {"_target_": "fer_lightning.runs.best_epoch.BestEpoch", "monitor": "???"},
        {"_target_": "fer_lightning.runs.best_epoch.Nothing"},
        {"_target_": None},
        {"monitor": "val/acc"},
        {},
    ],
)
def test_whatever_else_is_left_to_hydra(node: dict[str, Any]) -> None:
    assert plain_node(OmegaConf.create(node)) is None


def test_interpolations_are_resolved_and_nested_nodes_built() -> None:
    config = compose_config(["callbacks=[default,explain]", "metric=val/f1"])
    assert build(config.callbacks.confusion).best.monitor == "val/f1"
    lime = build(config.callbacks.lime, when=3, folder="runs/x")
    assert (lime.folder, lime.when) == ("runs/x", 3)
    assert lime.options.lime.samples_per_superpixel == 10


def test_a_users_mistake_is_one_line() -> None:
    node = OmegaConf.create({"_target_": "fer_lightning.runs.best_epoch.BestEpoch", "mode": "most"})
    with pytest.raises(ConfigError, match="mode=most: expected one of max, min"):
        build(node)
    node = OmegaConf.create({"_target_": "fer_lightning.runs.best_epoch.BestEpoch", "no_such": 1})
    with pytest.raises(ConfigError, match=r"BestEpoch: .*unexpected keyword argument 'no_such'"):
        build(node)
