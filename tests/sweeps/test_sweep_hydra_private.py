"""A sweep reads its configuration files once, and composes the same as without."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigSource
from omegaconf import OmegaConf

from fer_lightning.sweeps.hydra_private import ReadOnce, read_files_once


def source_of(folder: Path) -> ConfigSource:
    # Hydra loads its plugins' modules once more when it looks for them; only the class it knows can be pickled.
    Plugins.instance()
    (folder / "model.yaml").write_text(
        "# @package _global_\nmodel: {width: 8, names: [a, b]}\nlast: ${model.width}\n"
    )
    return SourcesRegistry.instance().resolve("file")(provider="test", path=f"file://{folder}")


def test_each_call_gives_its_own_configuration_with_the_same_content(tmp_path: Path) -> None:
    source = source_of(tmp_path)
    plain = source.load_config("model")
    read = ReadOnce(source)
    for _ in range(3):
        found = read("model")
        assert found.config == plain.config
        assert found.config.last == 8
        assert (found.header, found.path, found.provider) == (plain.header, plain.path, plain.provider)
        found.config.model.width = 9
        found.config.model.names.append("c")


def test_a_file_is_read_once_also_by_copies(tmp_path: Path) -> None:
    read = ReadOnce(source_of(tmp_path))
    read("model")
    (tmp_path / "model.yaml").unlink()
    assert copy.deepcopy(read)("model").config.model.width == 8
    assert pickle.loads(pickle.dumps(read))("model").config.model.names == ["a", "b"]


def test_compositions_share_sources_and_are_those_of_hydra_alone(tmp_path: Path) -> None:
    source_of(tmp_path)
    (tmp_path / "main.yaml").write_text("defaults: [model, _self_]\nvalue: 1\n")
    with initialize_config_dir(str(tmp_path), version_base=None):
        plain = OmegaConf.to_yaml(compose("main", ["value=2"], return_hydra_config=True))
        loader = GlobalHydra.instance().config_loader()
        read_files_once(loader)
        sources = loader.repository.get_sources()
        twin = copy.deepcopy(loader.repository)
        assert all(one is other for one, other in zip(sources, twin.get_sources(), strict=True))
        assert twin.get_sources() is not sources  # Hydra gives a copy other sources
        assert len({type(pickle.loads(pickle.dumps(source))) for source in sources}) > 1
        for _ in range(2):
            assert OmegaConf.to_yaml(compose("main", ["value=2"], return_hydra_config=True)) == plain
        assert compose("main", ["value=3"]) == {
            "model": {"width": 8, "names": ["a", "b"]},
            "last": 8,
            "value": 3,
        }
