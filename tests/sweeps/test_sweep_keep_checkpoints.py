"""`keep_checkpoints` bounds a study's disk: the best trials, and those that will go on, keep their checkpoints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from optuna import TrialPruned

from fer_lightning.api.evaluated import evaluate
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.runs.removed_checkpoints import find_checkpoints, remove_checkpoints, why_removed
from fer_lightning.runs.run import Run
from fer_lightning.sweeps import attach
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.queue.kept_checkpoints import kept_numbers
from fer_lightning.sweeps.study.results import Trial
from fer_lightning.training.checkpoints import read_checkpoint
from fer_lightning.training.resume import find_checkpoint
from foreign_program import Program
from frozen_trials import frozen_trial

SEARCH = (
    "hydra/sweeper/sampler=random",
    "hydra.sweeper.n_trials=6",
    "x=interval(0.0,4.0)",
    "hydra.sweeper.direction=max",
)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    found = Program(tmp_path, monkeypatch)
    found.write("x: 1.0\nseed: 0")
    return found


def job(config: DictConfig) -> float:
    folder = Path(HydraConfig.get().runtime.output_dir)
    (folder / "checkpoints").mkdir()
    for name in ("last.ckpt", "best.ckpt", "notes.txt"):
        (folder / "checkpoints" / name).write_text(str(config.x))
    trial = attach()
    if config.x > 3.5 and trial is not None:
        raise TrialPruned
    return float(config.x)


def having(trials: list[Trial]) -> set[int]:
    folders = {trial.number: trial.run.folder for trial in trials if trial.run.folder is not None}
    return {number for number, folder in folders.items() if find_checkpoints(folder)}


def test_the_best_keep_theirs_and_the_others_say_that_they_are_gone(program: Program) -> None:
    elsewhere = program.folder / "mine.ckpt"
    elsewhere.touch()
    trials = program.run(job, *SEARCH, "hydra.sweeper.keep_checkpoints=best:2")
    done = [trial for trial in trials if trial.state == "COMPLETE"]
    best = {trial.number for trial in sorted(done, key=lambda trial: -(trial.value or 0.0))[:2]}
    assert having(trials) == best
    assert elsewhere.exists()
    gone = next(trial.run.folder for trial in trials if trial.number not in best)
    assert gone is not None
    assert (gone / "checkpoints" / "notes.txt").exists()
    note = json.loads((gone / "checkpoints_removed.json").read_text())
    assert note == {
        "because": "hydra.sweeper.keep_checkpoints=best:2",
        "files": ["checkpoints/best.ckpt", "checkpoints/last.ckpt"],
    }
    # It is no part of what a study is: fewer are kept on demand, and none.
    words = (*SEARCH, "hydra.sweeper.keep_checkpoints=none")
    assert having(program.run(job, *words)) == set()


def test_all_are_kept_unless_asked_otherwise(program: Program) -> None:
    trials = program.run(job, *SEARCH, "hydra.sweeper.n_trials=2")
    assert having(trials) == {0, 1}


def test_who_goes_on_is_kept_and_each_part_of_a_search_has_its_best() -> None:
    trials = [
        frozen_trial(0, value=0.5),
        frozen_trial(1, value=0.9),
        frozen_trial(2, value=0.95, constraints={"a<1": 1.0}),
        frozen_trial(3, "RUNNING"),
        frozen_trial(4, "WAITING"),
        frozen_trial(5, "PRUNED", 0.99),
        frozen_trial(6, "FAIL"),
        frozen_trial(7, value=0.99, stage="confirm", arm="setting 1", seed=1),
        frozen_trial(8, value=0.98, stage="confirm", arm="default", seed=1),
    ]
    assert kept_numbers(trials, 1, maximize=True) == {1, 3, 4, 7}
    assert kept_numbers(trials, 1, maximize=False) == {0, 3, 4, 8}
    assert kept_numbers(trials, 0, maximize=True) == {3, 4}


def test_nothing_is_removed_outside_of_a_trials_own_folder(tmp_path: Path) -> None:
    outside, folder, inner = tmp_path / "outside", tmp_path / "trial", tmp_path / "trial" / "other"
    for place in (outside, folder, inner):
        place.mkdir(parents=True)
        (place / "a.ckpt").touch()
    (folder / "link").symlink_to(outside)
    (folder / "b.ckpt").symlink_to(outside / "a.ckpt")
    (folder / ".last.ckpt.part").touch()
    found = find_checkpoints(folder, {inner})
    assert sorted(found) == [folder / ".last.ckpt.part", folder / "a.ckpt"]
    remove_checkpoints(folder, found, "a test")
    assert (outside / "a.ckpt").exists()
    assert (inner / "a.ckpt").exists()
    assert (folder / "b.ckpt").is_symlink()


@pytest.mark.parametrize("subdir", ["../beside_${hydra.job.num}", "."])
def test_a_trial_outside_of_the_studys_folder_or_that_is_it_keeps_its_files(
    program: Program, subdir: str
) -> None:
    words = (*SEARCH, "hydra.sweeper.n_trials=1", f"hydra.sweep.subdir={subdir}")
    (trial,) = program.run(job, *words, "hydra.sweeper.keep_checkpoints=none")
    assert trial.run.folder is not None
    assert len(find_checkpoints(trial.run.folder)) == 2


def test_killed_between_the_note_and_the_removal_it_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.json").write_text('{"status": "complete"}')
    for name in ("best.ckpt", "last.ckpt"):
        (tmp_path / name).touch()

    def killed(path: Path, missing_ok: bool = False) -> None:
        raise SystemExit

    paths = find_checkpoints(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(SystemExit):
            remove_checkpoints(tmp_path, paths, "a test")
    (tmp_path / "best.ckpt").unlink()
    remove_checkpoints(tmp_path, find_checkpoints(tmp_path), "a test")
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["status"] == "complete"
    assert record["checkpoints_removed"] == {"because": "a test", "files": ["best.ckpt", "last.ckpt"]}
    assert find_checkpoints(tmp_path) == []


def test_a_removed_checkpoint_is_named_wherever_one_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "best.ckpt"
    path.parent.mkdir()
    path.touch()
    (tmp_path / "run.json").write_text("{}")
    remove_checkpoints(tmp_path, [path], "hydra.sweeper.keep_checkpoints=best:5")
    said = re.escape("; the study has removed it (hydra.sweeper.keep_checkpoints=best:5)")
    with pytest.raises(DataError, match=f"no such checkpoint{said}"):
        read_checkpoint(path)
    with pytest.raises(DataError, match=f"no checkpoint{said}"):
        evaluate(Run(tmp_path))
    with pytest.raises(ConfigError, match=f"no such checkpoint or run folder{said}"):
        find_checkpoint(str(path), tmp_path)
    assert why_removed(tmp_path / "checkpoints" / "other.ckpt") == ""


@pytest.mark.parametrize("given", ["best", "best:0", "best:-1", "some"])
def test_another_word_is_refused(given: str) -> None:
    said = f"hydra.sweeper.keep_checkpoints={given}: expected all, none, or best:5"
    with pytest.raises(ConfigError, match=re.escape(said)):
        SweepOptions(sampler={"_target_": "…"}, keep_checkpoints=given)


def test_several_objectives_have_no_best() -> None:
    with pytest.raises(ConfigError, match="several objectives have no best trial; expected all or none"):
        SweepOptions(
            sampler={"_target_": "…"},
            keep_checkpoints="best:2",
            objective=["a", "b"],
            direction=["max", "min"],
        )
