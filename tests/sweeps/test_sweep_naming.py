from __future__ import annotations

from typing import Any

import pytest

from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.jobs.environment import given_threads
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.study.identity import fixed_part, require_same, study_name

CONFIG = {
    "seed": 0,
    "seeds": [0, 1],
    "note": "first try",
    "logger": {"_target_": "x", "project": "p"},
    "model": {"_target_": "m", "activation": "relu", "dropout": 0.5},
    "normalization": {"_target_": "n", "mean": 0.5},
    "trainer": {"max_epochs": 3, "enable_progress_bar": True},
}


def test_what_is_free_or_varied_is_not_fixed() -> None:
    assert fixed_part(CONFIG, ["model.activation", "normalization"]) == {
        "model._target_": "m",
        "model.dropout": 0.5,
        "trainer.max_epochs": 3,
    }


def test_a_key_that_only_begins_alike_is_kept() -> None:
    assert fixed_part({"seed_everything": 1, "notes": 2, "model": {"act": 3}}, ["model.activation"]) == {
        "seed_everything": 1,
        "notes": 2,
        "model.act": 3,
    }


def test_the_name_depends_on_what_is_fixed_and_on_nothing_else() -> None:
    fixed = fixed_part(CONFIG, [])
    name = study_name("ablation", "fer2013", fixed)
    other_order = dict(reversed(list(fixed.items())))
    assert name == study_name("ablation", "fer2013", other_order)
    label, data, digest = name.split("-")
    assert (label, data) == ("ablation", "fer2013")
    assert len(digest) == 8
    assert int(digest, 16) >= 0
    assert name == study_name("ablation", "fer2013", fixed_part({**CONFIG, "note": "x", "seed": 9}, []))
    longer = {**CONFIG, "trainer": {"max_epochs": 4}}
    assert name != study_name("ablation", "fer2013", fixed_part(longer, []))


def test_a_name_is_safe_as_a_folder() -> None:
    assert study_name("my label", "a/b", {}).startswith("my_label-a_b-")


@pytest.mark.parametrize(
    ("present", "message"),
    [
        ({"a": {"b": 2}, "c": 1}, r"study s exists with a\.b=1, this command has a\.b=2: "),
        ({"a": {"b": 1}}, r"c=1, this command has c=nothing"),
        ({"a": {"b": 1}, "c": 1, "d": "x"}, r'd=nothing, this command has d="x"'),
    ],
)
def test_the_first_difference_is_named_with_the_way_out(present: dict[str, Any], message: str) -> None:
    require_same("s", {"a": {"b": 1}, "c": 1}, {"c": 1, "a": {"b": 1}})
    with pytest.raises(ConfigError, match=message) as caught:
        require_same("s", {"a": {"b": 1}, "c": 1}, present)
    assert "hydra.sweeper.study_name=<another name>" in str(caught.value)


SAMPLER = {"_target_": "optuna.samplers.RandomSampler"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_trials": 0}, r"hydra\.sweeper\.n_trials=0: expected a whole number of at least 1"),
        ({"n_trials": True}, r"n_trials=true"),
        ({"workers": 1.5}, r"hydra\.sweeper\.workers=1\.5"),
        ({"max_failures": -1}, r"max_failures=-1"),
        ({"direction": "up"}, r"direction=\['up'\]: expected max or min, or a list of them"),
        ({"objective": ["a", "b"]}, r"direction=\['maximize'\]: expected one for each of \['a', 'b'\]"),
        (
            {"objective": ["a", "b"], "direction": ["max", "min"], "pruner": {"_target_": "x"}},
            r"pruner: trials with several objectives cannot be pruned",
        ),
        ({"sampler": {}}, r"hydra\.sweeper\.sampler=\{\}: expected a mapping with _target_"),
        ({"pruner": {"n": 1}}, r"hydra\.sweeper\.pruner=\{'n': 1\}"),
        ({"n_trails": 3}, r"hydra\.sweeper\.n_trails: no such key; did you mean hydra\.sweeper\.n_trials\?"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SweepOptions.from_config({"_target_": "t", "sampler": SAMPLER, **options})


def test_options_are_read() -> None:
    options = SweepOptions.from_config(
        {"_target_": "t", "sampler": SAMPLER, "pruner": {}, "objective": "val/acc", "direction": "min"}
    )
    assert options.objective == ("val/acc",)
    assert options.direction == ("minimize",)
    spelt = ["max", "maximize", "maximise", "min", "minimize", "minimise"]
    names = [str(number) for number in range(6)]
    several = SweepOptions.from_config({"sampler": SAMPLER, "objective": names, "direction": spelt})
    assert several.direction == ("maximize",) * 3 + ("minimize",) * 3
    assert options.pruner is None


def test_threads_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)))
    counts = {
        (workers, n_jobs): SweepOptions(sampler=SAMPLER, workers=workers, n_jobs=n_jobs).threads
        for workers, n_jobs in [(1, 1), (2, 1), (3, 1), (2, 2), (16, 1)]
    }
    assert counts == {(1, 1): 8, (2, 1): 4, (3, 1): 2, (2, 2): 2, (16, 1): 1}


def test_a_task_of_slurm_has_the_threads_that_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FER_THREADS", raising=False)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    assert given_threads() is None
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "12")
    assert given_threads() == 12
    assert SweepOptions(sampler=SAMPLER, workers=4).threads == 3
    monkeypatch.setenv("FER_THREADS", "")  # a job that SLURM runs
    assert given_threads() == 12
    monkeypatch.setenv("FER_THREADS", "3")  # one that shares the task with others
    assert given_threads() == 3


def test_systems_that_bind_no_process_to_processors_have_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    assert SweepOptions(sampler=SAMPLER, workers=2).threads == 3
