"""A configuration may name the user's own classes under every Hydra, and not what Hydra lets none call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hydra.utils
import optuna
import pytest
from hydra.errors import InstantiationException
from omegaconf import OmegaConf
from torch import nn

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.study.algorithms import build_pruner, build_sampler
from fer_lightning.training.construct import build

OWN = """
import os
import optuna
from torch import nn

class Net(nn.Module):
    def __init__(self, size, activation=None):
        super().__init__()
        self.size, self.activation = size, activation

class Sampler(optuna.samplers.RandomSampler):
    pass

def sequence(size):
    return nn.Sequential(nn.Linear(size, 1))

def refuses():
    raise MisconfigurationError("no such device")

class MisconfigurationError(Exception):
    pass
"""
RELU = {"_target_": "torch.nn.ReLU"}


@pytest.fixture(autouse=True)
def _own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_nets").mkdir()
    (tmp_path / "own_nets/nets.py").write_text(OWN)
    (tmp_path / "own_nets/__init__.py").write_text("from own_nets.nets import *")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("own_nets.nets.Net", "Net"),
        ("own_nets.Net", "Net"),
        ("own_nets.sequence", "Sequential"),
        ("torch.nn.Identity", "Identity"),
    ],
)
def test_own_classes_and_functions_and_other_libraries_are_built(target: str, name: str) -> None:
    whole, given_later = (
        OmegaConf.create({"_target_": target, "size": 3}),
        OmegaConf.create({"_target_": target}),
    )
    assert type(build(whole)).__name__ == type(build(given_later, size=3)).__name__ == name


@pytest.mark.parametrize(
    ("activation", "kind"),
    [
        (RELU, nn.ReLU),
        ({"_target_": "own_nets.Net", "size": 1}, nn.Module),
        ({"_target_": "hydra.utils.get_class", "path": "torch.nn.ReLU"}, type),
        ({"_target_": "collections.OrderedDict", "a": 1}, dict),
    ],
)
def test_what_a_node_nests_is_built(activation: dict[str, Any], kind: type) -> None:
    net = build(OmegaConf.create({"_target_": "own_nets.Net", "size": 3, "activation": activation}))
    assert isinstance(net.activation, kind)
    partial = build(OmegaConf.create({**activation, "_partial_": True}))
    assert isinstance(partial(), kind)


@pytest.mark.parametrize("target", ["os.remove", "own_nets.nets.os.remove"])
def test_what_hydra_refuses_is_not_called(target: str, tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(InstantiationException, match=r"'os\.remove'.* is bl(o|a)cklisted"):
        build(OmegaConf.create({"_target_": target, "path": str(tmp_path / "kept")}))
    assert (tmp_path / "kept").exists()


def test_what_a_library_says_of_its_values_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^own_nets\.refuses: no such device$"):
        build(OmegaConf.create({"_target_": "own_nets.refuses"}))


def test_a_programs_list_of_what_may_be_called_leaves_optunas_own() -> None:
    own = {"_target_": "own_nets.Sampler"}
    patient = {"_target_": "optuna.pruners.PatientPruner", "patience": 1, "wrapped_pruner": None}
    if not hasattr(hydra.utils, "execution_whitelist"):  # Hydra 1.3 knows no list
        assert isinstance(build_pruner(patient), optuna.pruners.PatientPruner)
        assert type(build_sampler(own, None, 1)).__name__ == "Sampler"
        return
    with hydra.utils.execution_whitelist(["torch.*"]):
        tpe = build_sampler({"_target_": "optuna.samplers.TPESampler"}, None, 1)
        assert isinstance(tpe, optuna.samplers.TPESampler)
        assert isinstance(build_pruner(patient), optuna.pruners.PatientPruner)
        with pytest.raises(ConfigError, match=r"own_nets\.Sampler.*is not in the Hydra execution whitelist"):
            build_sampler(own, None, 1)
    assert type(build_sampler(own, None, 1)).__name__ == "Sampler"
