"""A trial's configuration from parts is what Hydra composes, to the last flag, or Hydra composes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import initialize_config_dir, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from fer_lightning.sweeps.composer import TrialComposer
from fer_lightning.sweeps.config_files import read_files_once
from fer_lightning.sweeps.same_config import same_config
from fer_lightning.sweeps.space.override import override

PLACES = ["hydra.sweep.subdir=trial_0007", "hydra.job.env_set.FER_TRIAL='7'", "hydra.sweeper.study_name=s"]


class Watched(TrialComposer):
    """Counts what Hydra composes."""

    asked = 0

    def _by_hydra(self, words: list[str]):  # type: ignore[no-untyped-def]
        self.asked += 1
        return super()._by_hydra(words)


def composer_of(fixed: list[str]) -> Watched:
    loader = GlobalHydra.instance().hydra.config_loader  # type: ignore[union-attr]
    read_files_once(loader)
    master = loader.load_configuration("config", fixed, RunMode.MULTIRUN)
    task = list(master.hydra.overrides.task)
    return Watched(loader, master, task)


def by_hydra(composer: TrialComposer, words: list[str]):  # type: ignore[no-untyped-def]
    return composer._loader.load_sweep_config(composer._master, words)


@pytest.fixture(scope="module")
def search() -> Iterator[Watched]:
    GlobalHydra.instance().clear()
    with initialize_config_module("fer_lightning.conf", version_base="1.3"):
        yield composer_of(
            ["+experiment=search", "hydra/sweeper/sampler=random", "threads=1", "optimizer.lr=0.003"]
        )


trials = st.fixed_dictionaries(
    {},
    optional={
        "normalization": st.sampled_from(["none", "unit", "symmetric", "standard", "per_image"]),
        "augmentation": st.sampled_from(["none", "flip", "r0", "r2", "strong"]),
        "optimizer": st.sampled_from(["adam", "adamw", "sgd"]),
        "scheduler": st.sampled_from(["constant", "cosine", "one_cycle"]),
        "model": st.sampled_from(["small", "cnn", "dnn"]),
        "trainer.max_epochs": st.integers(1, 99),
        "optimizer.lr": st.floats(1e-8, 1.0),
        "note": st.text(st.characters(codec="utf-8", categories=["L", "N", "Z", "P", "S"]), max_size=8),
        "loss": st.just({"label_smoothing": 0.1}),
        "loss.class_weights": st.sampled_from(["balanced", [1, 2, 3.5]]),
        "seed": st.integers(0, 9),
        "data.path": st.none(),
        "data.cache_dir": st.just("${oc.env:HOME}"),
    },
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=trials)
def test_what_is_put_together_is_what_hydra_composes(search: Watched, chosen: dict[str, object]) -> None:
    own = [override(key, value) for key, value in chosen.items()]
    words = [*search._fixed, *own, *PLACES]
    expected = by_hydra(search, words)
    assert search._from_parts(words) is not None
    found = search.compose(words)
    assert same_config(found, expected)
    assert OmegaConf.to_yaml(found) == OmegaConf.to_yaml(expected)
    assert OmegaConf.get_cache(found) == OmegaConf.get_cache(expected)
    # What a job does to its configuration reaches no other.
    OmegaConf.update(found, "data.name", "changed", force_add=True)
    found.hydra.overrides.task.append("changed")
    assert same_config(search.compose(words), expected)


def test_hydra_composes_each_option_once_not_each_trial(search: Watched) -> None:
    words = [*search._fixed, "normalization=unit", "augmentation=r0", *PLACES]
    search.compose(words)
    before = search.asked
    for lr in (0.1, 0.2, 0.3):
        assert search.compose([*words, f"optimizer.lr={lr}"]).optimizer.lr == lr
    assert search.asked == before


@pytest.mark.parametrize(
    "own",
    [
        ["+added=1"],
        ["~note"],
        ["++seed=3"],
        ["callbacks=[default,explain]"],
        ["normalization=unit", "normalization=none"],
        ["hydra.verbose=true"],
        ["debug=quick"],
    ],
)
def test_what_is_not_plainly_so_is_left_to_hydra(search: Watched, own: list[str]) -> None:
    words = [*search._fixed, *own, *PLACES]
    assert search._from_parts(words) is None
    assert same_config(search.compose(words), by_hydra(search, words))


@pytest.mark.parametrize(
    "own", ["model.no_such_key=1", "normalization=no_such_option", "no_such=1", "seed=[1", "+debug=quick"]
)
def test_a_mistake_is_said_by_hydra(search: Watched, own: str) -> None:
    words = [*search._fixed, own]
    with pytest.raises(HydraException) as expected:
        by_hydra(search, words)
    with pytest.raises(HydraException) as found:
        search.compose(words)
    assert (type(found.value), str(found.value)) == (type(expected.value), str(expected.value))


FILES = {
    "config.yaml": "defaults: [_self_, {size: small}, {colour: red}, {shape: round}]\nname: x\nedge: {wide: 1}\n",
    "size/small.yaml": "width: 1\n",
    "size/large.yaml": "width: 2\nheight: ${.width}\n",
    "colour/red.yaml": "rgb: [1, 0, 0]\n",
    "colour/packed.yaml": "# @package _global_\nname: packed\nsize: {width: 1}\n",
    "colour/listed.yaml": "defaults: [red, _self_]\nrgb: [0, 1, 0]\n",
    "shape/round.yaml": "corners: 0\n",
    "shape/square.yaml": "corners: 4\n",
}


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Path]:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        yield tmp_path


@pytest.mark.parametrize(
    ("own", "from_parts"),
    [
        (["size=large", "colour=red", "shape=square"], True),
        (["size=large", "edge={wide:2}", "edge.wide=3"], True),
        # Its package reaches into another group's node, here with the value that is there anyway.
        (["colour=packed", "size=large"], False),
        (["colour=listed"], False),
    ],
)
def test_only_an_option_that_fills_its_own_node_is_put_in(
    files: Path, own: list[str], from_parts: bool
) -> None:
    composer = composer_of([])
    assert (composer._from_parts(own) is not None) == from_parts
    assert same_config(composer.compose(own), by_hydra(composer, own))


def test_a_defaults_list_that_asks_for_a_choice_is_left_to_hydra(files: Path) -> None:
    lines = "defaults: [_self_, {size: small}, {shape: round}, {optional both: '${size}_${shape}'}]\n"
    (files / "config.yaml").write_text(lines)
    (files / "both").mkdir()
    (files / "both" / "large_square.yaml").write_text("special: true\n")
    composer = composer_of([])
    words = ["size=large", "shape=square"]
    assert composer._from_parts(words) is None
    assert composer.compose(words).both.special


def test_other_overrides_than_the_commands_are_left_to_hydra(files: Path) -> None:
    composer = composer_of(["size=large"])
    assert composer._from_parts(["size=small"]) is None
    assert composer.compose(["size=small"]).size.width == 1


def test_the_same_is_more_than_equal() -> None:
    one = OmegaConf.create({"a": 1, "b": {"c": "${a}"}, "d": [1, None]})
    assert same_config(one, OmegaConf.create({"a": 1, "b": {"c": "${a}"}, "d": [1, None]}))
    others = [
        {"a": 1, "b": {"c": 1}, "d": [1, None]},
        {"b": {"c": "${a}"}, "a": 1, "d": [1, None]},
        {"a": 1.0, "b": {"c": "${a}"}, "d": [1, None]},
        {"a": 1, "b": {"c": "${a}"}, "d": [1, None, 2]},
        {"a": 1, "b": None, "d": [1, None]},
    ]
    assert not any(same_config(one, OmegaConf.create(other)) for other in others)
    closed = OmegaConf.create({"a": 1, "b": {"c": "${a}"}, "d": [1, None]})
    OmegaConf.set_struct(closed.b, True)
    assert closed == one
    assert not same_config(one, closed)
