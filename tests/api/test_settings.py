"""Settings from Python: they become the configuration that was meant, whatever characters a value has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from fer_lightning.api.settings import data_keys, read_settings
from fer_lightning.config.compose import compose_config
from fer_lightning.errors import ConfigError
from fer_lightning.models.small import Small


def composed(*words: Any, **named: Any) -> Any:
    return compose_config(read_settings(words, named).overrides)


def test_texts_mappings_and_keywords_are_one_configuration():
    config = composed(
        "optimizer=sgd", {"trainer": {"max_epochs": 3}, "data.batch_size": np.int64(8)}, model="cnn", seed=4
    )
    typed = compose_config(
        ["optimizer=sgd", "trainer.max_epochs=3", "data.batch_size=8", "model=cnn", "seed=4"]
    )
    assert OmegaConf.to_container(config) == OmegaConf.to_container(typed)


def test_later_settings_win():
    assert composed({"seed": 1}, "seed=2").seed == 2
    assert composed({"seed": 1}, "seed=2", seed=3).seed == 3


@settings(max_examples=10, deadline=None)
@given(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00\n\r"), min_size=1, max_size=12)
)
def test_a_text_is_itself(text):
    assert composed(note=text).note == text


@pytest.mark.parametrize(
    "text", ["a,b", "${seed}", r"\${seed}", "null", "true", "3", "it's", "[a]", " x ", "a=b"]
)
def test_a_text_that_looks_like_something_else_is_itself(text):
    assert composed(note=text).note == text


def test_a_group_takes_a_part_of_ones_own_or_none():
    config = composed(model={"_target_": Small, "dropout_scale": 0.5}, scheduler=None)
    assert OmegaConf.to_container(config.model) == {
        "_target_": "fer_lightning.models.small.Small",
        "dropout_scale": 0.5,
        "weights": None,  # what training adds to any net
        "freeze": None,
    }
    assert "scheduler" not in config
    own = OmegaConf.create({"optimizer": {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.1}})
    assert composed(own).optimizer == {**own.optimizer, "layer_decay": None}
    # Beside an experiment that chooses an option of the group.
    assert composed("+experiment=r0_cnn", model={"_target_": "my.Net"}).model._target_ == "my.Net"
    assert composed(experiment="r0_cnn").model._target_.endswith("CNNPad")
    assert composed(callbacks=["default", "early_stopping"]).callbacks.early_stopping


@pytest.mark.parametrize("group", ["model", "augmentation"])
def test_a_part_of_ones_own_takes_further_keys_as_custom_does(group):
    part = {"_target_": "my_nets.Net", "note": "a,b ${c}", "inner": {"_target_": "my.Part", "depth": [1, 2]}}
    config = composed({group: part}, f"{group}.width=4", **{f"{group}.slope": 0.1})
    expected = {**part, "width": 4, "slope": 0.1}
    assert {key: config[group][key] for key in expected} == expected
    assert composed("+experiment=r0_cnn", {group: part}, f"{group}.width=4")[group].width == 4


class Local:
    """A class that only this test module has."""


def test_what_cannot_be_written_is_refused():
    def inner() -> None: ...

    with pytest.raises(ConfigError, match="note: <object object"):
        read_settings([], {"note": object()})
    with pytest.raises(ConfigError, match="inner: is defined in a function; expected one of a module"):
        read_settings([], {"model": {"_target_": inner}})
    with pytest.raises(ConfigError, match="3: int; expected an override"):
        read_settings([3], {})  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="--cfg: is a flag of the command line"):
        read_settings(["--cfg=job"], {})
    with pytest.raises(ConfigError, match="modell: no such key; did you mean model"):
        composed(modell="cnn")


def test_keys_of_the_data_have_their_place():
    assert data_keys({"path": Path("x.zip"), "data.seed": 1, "drawing": {"noise": 2}}) == {
        "data.path": "x.zip",
        "data.seed": 1,
        "data.drawing.noise": 2,
    }
