"""Whatever a command will run is checked before any of it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_lightning.cli import main
from fer_lightning.config.flags import read_command_line
from fer_lightning.errors import ConfigError
from fer_lightning.study import preflight as module
from fer_lightning.study.preflight import preflight

OTHERS = [f"~ablation.factors.{name}" for name in ("dropout", "activation", "normalization", "augmentation")]
FACTOR = "+ablation.factors.norm={key: model.norm, levels: [batch], baseline: none}"
PLAN = ["+experiment=ablation", *OTHERS, FACTOR]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["model.norm=batch,none", "data.batch_size=1"],
            "data.batch_size=1: model: Small cannot be trained on it",
        ),
        (["trainer.accelerator=tpu,cpu"], "trainer.accelerator=tpu .*"),
        (["metric=val/recall/hapy,val/acc"], "metric=val/recall/hapy: no run measures it"),
        (["data.drawing.n_val=0,48"], "data.drawing.n_val=0: expected"),
        (
            ["seeds=[0,1]", "seed=0,1"],
            r"seeds=\[0,1\]: only an ablation runs over seeds; expected seed=0,1,2 for .* each; a search is .*",
        ),
    ],
)
def test_an_alternative_that_is_not_the_last_is_checked_too(
    here: Path, tiny: list[str], words: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        preflight(read_command_line(["-m", *tiny, *words]))
    assert not list(here.iterdir())


def test_seeds_of_a_single_run_are_refused(tiny: list[str]) -> None:
    with pytest.raises(
        ConfigError, match=r"^seeds=\[0\]: only an ablation runs over seeds; expected seed=0, or with -m"
    ):
        preflight(read_command_line([*tiny, "seeds=[0]"]))
    preflight(read_command_line([*tiny, *PLAN, "seeds=[0]"]))


def test_each_set_of_parts_is_tried_once_and_data_are_read_where_they_differ(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, called = [], []

    def build_data(config, original=module.build_data):
        read.append(config.data.drawing.n_train)
        return original(config)

    def rehearse(classifier, data, original=module.rehearse):
        called.append((len(data.train_indices), classifier.record))
        original(classifier, data)

    monkeypatch.setattr(module, "build_data", build_data)
    monkeypatch.setattr(module, "rehearse", rehearse)
    words = ["seed=0,1,2", "model.activation=relu,selu", "data.drawing.n_train=96,80"]
    preflight(read_command_line(["-m", *tiny, *words]))
    assert read == [96, 80]
    assert [faces for faces, _ in called] == [96, 96, 80]


@pytest.mark.parametrize("worker", [False, True])
def test_every_level_of_a_plan_is_tried_before_any_run(
    here: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch, worker: bool
) -> None:
    if worker:
        monkeypatch.setenv("FER_WORKER", "1")
    with pytest.raises(
        ConfigError,
        match=r"ablation, arm norm=batch: data.batch_size=1: model: Small cannot be trained on it",
    ):
        preflight(read_command_line([*PLAN, *tiny, "data.batch_size=1"]))
    preflight(read_command_line([*PLAN, *tiny, "data.batch_size=2"]))
    assert not list(here.iterdir())


@pytest.mark.parametrize("launcher", ["slurm", "submitit_slurm"])
def test_a_cluster_that_is_not_there_is_one_line(
    here: Path,
    tiny: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    launcher: str,
) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    monkeypatch.setenv("PATH", str(here))
    words = [*tiny, f"hydra/launcher={launcher}"]
    assert main(["-m", *words, "seed=0,1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"hydra/launcher={launcher}: this machine has no srun; expected one of a SLURM cluster" in line
    preflight(read_command_line(words))  # a single run is trained here
    (here / "srun").write_text("#!/bin/sh\n")
    (here / "srun").chmod(0o755)
    preflight(read_command_line(["-m", *words, "seed=0,1", "trainer.accelerator=tpu"]))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "trainer.max_time=abc",
            "trainer.max_time=abc: expected days:hours:minutes:seconds, such as 00:01:30:00",
        ),
        ("trainer.profiler=quick", "trainer.profiler=quick: When passing string value for the `profiler`"),
        ("trainer.accelerator=nosuch", "trainer.accelerator=nosuch trainer.devices=1 trainer.strategy=auto "),
    ],
)
def test_the_key_at_which_the_trainer_takes_offence_is_named(
    tiny: list[str], word: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        preflight(read_command_line([*tiny, word]))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["trainer.overfit_batches=0.5"],
            r"trainer\.overfit_batches=0\.5: is less than one of the 1 batches of val",
        ),
        (
            ["trainer.limit_train_batches=0.1", "data.batch_size=48"],
            r"trainer\.limit_train_batches=0\.1: .* the 2 batches of train images; expected 1, or .* at least 0\.5$",
        ),
    ],
)
def test_a_share_of_less_than_a_batch_names_the_given_key(
    tiny: list[str], words: list[str], message: str
) -> None:
    words = [*words, "data.drawing.n_train=96", "data.drawing.n_val=48", "seed=0,1"]
    with pytest.raises(ConfigError, match=message):
        preflight(read_command_line(["-m", *tiny, *words]))


@pytest.mark.parametrize("own", [["model=custom", "model._target_=my_nets.Net"], []])
def test_a_misspelt_argument_in_a_plan_is_refused_before_the_study(
    here: Path, tiny: list[str], own: list[str]
) -> None:
    key = "model.widht" if own else "model.drpout_scale"
    factor = f"+ablation.factors.mine={{key: {key}, levels: [8], baseline: 4}}"
    with pytest.raises(ConfigError, match=f"{key}: no such key|{key} is not a key"):
        preflight(read_command_line(["+experiment=ablation", *OTHERS, factor, *tiny, *own]))
    assert not list(here.iterdir())


SEARCH = [
    "+experiment=search",
    "~search_space.augmentation",
    "~search_space.activation",
    "~search_space.normalization",
]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["+search_space.hue={key: augmentation.hue, type: float, low: 0, high: 0.1}"],
            r"^search, augmentation\.hue=0\.1: augmentation\.hue=0\.1 with data\.channels=1: grey images have no",
        ),
        (
            ["augmentation.hue=interval(0.01,0.1)"],
            r"^search, augmentation\.hue=0\.01: .* grey images have no colour",
        ),
        (
            ["hydra.sweeper.params={augmentation.hue: 'interval(0.01,0.1)'}"],
            r"^search, augmentation\.hue=0\.01: .* grey images have no colour",
        ),
        (
            ["+search_space.size={key: data.batch_size, choices: [32, 1]}", "model.norm=batch"],
            r"^search, data\.batch_size=1: data\.batch_size=1: model: Small cannot be trained on it",
        ),
        # Each for itself could be searched, together no trial could run.
        (
            ["model.dropout=interval(0,0.5)"],
            r"^search: model\.dropout_scale=.*: scales the model's own rates",
        ),
    ],
)
def test_values_of_a_search_space_are_tried_before_any_trial(
    here: Path, tiny: list[str], words: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        preflight(read_command_line([*SEARCH, *tiny, *words]))
    assert not list(here.iterdir())


def test_a_range_is_meant_without_an_end_that_no_trial_could_have(tiny: list[str]) -> None:
    words = ["~search_space.dropout", "model.dropout=interval(0,1)", "optimizer.lr=interval(0,0.1)"]
    preflight(read_command_line([*SEARCH, *tiny, *words]))
