"""The packaged models, built without cost to be counted."""

from __future__ import annotations

from importlib import resources

import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from torch import nn

from fer_lightning.config.values import check_value, one_of


def packaged_models() -> list[str]:
    """Return the names that `model=` accepts, sorted."""
    folder = resources.files("fer_lightning.conf").joinpath("model")
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def packaged_model(name: str, *, image_size: int, num_classes: int, in_channels: int = 1) -> nn.Module:
    """Build the packaged model `name` on the meta device: its layers and sizes, but no values.

    No memory is taken and no random number drawn, so a run's numbers do not depend on it.

    Raises
    ------
    ConfigError
        If there is no such model, or it does not fit the image size.
    """
    check_value(name, one_of(packaged_models()), "model.match")
    text = resources.files("fer_lightning.conf").joinpath("model", f"{name}.yaml").read_text(encoding="utf-8")
    options = OmegaConf.to_container(OmegaConf.create(text))
    if not isinstance(options, dict):
        raise TypeError(f"model/{name}.yaml is no mapping")
    target = get_class(str(options.pop("_target_")))
    with torch.device("meta"):
        # Called directly: hydra's instantiate would wrap a ConfigError in one of its own.
        data = {"image_size": image_size, "num_classes": num_classes, "in_channels": in_channels}
        model = target(**{str(k): v for k, v in options.items()} | data)
    if not isinstance(model, nn.Module):
        raise TypeError(f"model/{name}.yaml builds no nn.Module")
    return model
