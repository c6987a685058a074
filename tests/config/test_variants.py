"""A variant is what Hydra composes from all overrides at once."""

from __future__ import annotations

import pytest

from fer_lightning.config import variants as module
from fer_lightning.config.compose import compose_config
from fer_lightning.config.variants import Variants
from fer_lightning.errors import ConfigError

BASE = ["model=vgg16", "augmentation=keras_like", "+model.extra={a: 1}"]


@pytest.fixture(scope="module", params=[False, True], ids=["", "composed before"])
def vgg(request: pytest.FixtureRequest) -> Variants:
    return Variants(BASE, composed=compose_config(BASE, with_hydra=True) if request.param else None)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["model.activation=selu", "optimizer.lr=1e-3"],
        ["model.activation='leaky_relu'", "model.dropout=null"],
        ["data.exclude=[a,'b c',1]", "trainer.max_epochs=${seed}"],
        ["model.extra={a: [1, {c: d}]}"],
        ["model=dnn", "model.dropout=0.1"],
        ["augmentation=none", "+trainer.profiler=simple", "~data.exclude"],
    ],
    ids=" ".join,
)
def test_it_is_what_hydra_composes(vgg: Variants, words: list[str]) -> None:
    assert vgg(words) == compose_config([*BASE, *words])
    assert vgg([]) == compose_config(BASE)  # the one that it begins with stays as it is


def test_only_groups_and_new_keys_are_composed_again(vgg: Variants, monkeypatch: pytest.MonkeyPatch) -> None:
    vgg([])

    def refuse(*_: object) -> None:
        raise AssertionError("composed again")

    monkeypatch.setattr(module, "compose_config", refuse)
    assert vgg(["model.dropout=0.25"]).model.dropout == 0.25
    with pytest.raises(AssertionError):
        vgg(["model=dnn"])


def test_an_unknown_key_is_said_as_always(vgg: Variants) -> None:
    with pytest.raises(ConfigError, match=r"model\.dropot: no such key; did you mean model\.dropout"):
        vgg(["model.dropot=0.1"])
