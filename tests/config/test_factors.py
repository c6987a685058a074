"""Settings of a run that no factor of the reports names: arguments of own parts, and changed keys of an option."""

from __future__ import annotations

from pathlib import Path

from omegaconf import OmegaConf

from fer_lightning.config.compose import compose_config
from fer_lightning.config.factors import own_settings
from fer_lightning.runs.listing import listing_columns


def settings(*overrides: str) -> dict[str, object]:
    return own_settings(OmegaConf.to_container(compose_config(list(overrides)), resolve=True))  # type: ignore[arg-type]


def test_arguments_of_own_parts_and_changed_keys(tmp_path: Path, monkeypatch) -> None:
    code = "from torch import nn\n\nclass Net(nn.Module):\n    def __init__(self, num_classes, width=8):\n        ...\n"
    (tmp_path / "nets_of_factors.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    assert settings() == {}
    assert settings("model=cnn", "augmentation=r0") == {}
    assert settings("augmentation.brightness=0.2") == {"augmentation.brightness": 0.2}
    found = settings("model=custom", "model._target_=nets_of_factors.Net", "model.width=32")
    assert {key: value for key, value in found.items() if value is not None} == {"model.width": 32}


def test_settings_that_differ_are_columns_of_a_table() -> None:
    rows = [
        {"run": f"r{width}", "model.width": width, "model.depth": 2, "best/val/acc": 0.5} for width in (8, 16)
    ]
    assert listing_columns(rows) == ["run", "model.width", "best/val/acc"]
