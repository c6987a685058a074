"""Several processes that train one model: real ones, on the CPU."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl

from fer_lightning.callbacks.pruning import TrialPruning
from fer_lightning.cli import main
from fer_lightning.config.compose import compose_config
from fer_lightning.errors import ConfigError, DataError, TrainingDivergedError
from fer_lightning.runs.metrics_csv import read_metrics
from fer_lightning.runs.predictions import read_predictions
from fer_lightning.runs.record import RECORD_FILE
from fer_lightning.signals import Terminated
from fer_lightning.study import trial
from fer_lightning.sweeps.jobs.session import TrialSession
from fer_lightning.sweeps.study.results import load_trials
from fer_lightning.training.ranks import RankLostError, check_strategy
from fer_lightning.training.train import train
from training_runs import run
from wandb_server import fresh_client, wandb_server  # noqa: F401  (fixtures)

# ruff: noqa: F811

TWO = (
    "trainer.devices=2",
    *(f"callbacks.{name}=null" for name in ("saliency", "dead_units", "history")),
)


class Session:
    """A trial's session that does something when an epoch is reported, and prunes after the second one."""

    def __init__(self, action: Callable[[], object] = lambda: None, at: int = 1) -> None:
        self.action, self.at = action, at
        self.reports: list[tuple[int, float]] = []

    def report(self, value: float, step: int) -> None:
        self.reports.append((step, value))
        if step == self.at:
            self.action()

    def should_prune(self) -> bool:
        return self.reports[-1][0] == 1


class FailInSecond(pl.Callback):
    """Fails in one process while the other waits for it."""

    def on_train_batch_start(self, trainer: pl.Trainer, *args: object) -> None:
        if trainer.global_rank == 1:
            raise DataError("process 2 has had enough")


def train_two(folder: Path, tiny: list[str], session: Session, *overrides: str):
    words = [*TWO, "trainer.max_epochs=3", *overrides]
    try:
        return run(folder, tiny, *words, callbacks=[TrialPruning(session)])
    finally:
        assert not multiprocessing.active_children()


def record_of(folder: Path) -> dict:
    return json.loads((folder / RECORD_FILE).read_text())


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("trainer.strategy=ddp_spawn", "ddp_spawn"),
        ("trainer.strategy=ddp_notebook_find_unused_parameters_true", "ddp_notebook"),
        ("trainer.strategy=fsdp", "fsdp"),
        ("trainer.strategy={_target_: pytorch_lightning.strategies.DDPStrategy, start_method: fork}", "fork"),
    ],
)
def test_a_strategy_that_starts_processes_otherwise_or_parts_the_model_is_refused(word, named):
    with pytest.raises(ConfigError, match=f"trainer.strategy=.*{named}.*: expected auto, ddp or"):
        check_strategy(compose_config([word]))


@pytest.mark.parametrize(
    "word",
    [
        "trainer=ddp",
        "trainer.strategy=auto",
        "trainer.strategy=ddp_find_unused_parameters_true",
        "trainer.strategy={_target_: pytorch_lightning.strategies.DDPStrategy, static_graph: true}",
    ],
)
def test_a_whole_model_in_each_process_is_allowed(word):
    check_strategy(compose_config([word]))


@pytest.mark.slow
def test_a_pruned_trial_stops_in_all_processes_and_every_face_counts_once(tmp_path, tiny):
    session = Session()
    # 21 faces of 2 processes in batches of 5: one would have a batch less than the other.
    result = train_two(tmp_path, tiny, session, "data.drawing.n_val=21", "data.eval_batch_size=5")
    assert (result.record["status"], result.record["reason"]) == ("pruned", "after epoch 2")
    assert [step for step, _ in session.reports] == [0, 1]
    assert result.epochs == len(read_metrics(tmp_path / "metrics.csv")) == 2
    kept = read_predictions(tmp_path / "val_logits.npz")
    assert len(set(kept.ids)) == len(kept.ids) == 21
    assert result.value == pytest.approx(max(value for _, value in session.reports))
    assert result.value == pytest.approx(kept.correct.mean())


@pytest.mark.slow
def test_each_trial_trains_in_processes_of_its_own_and_goes_on_after_one_was_killed(
    tmp_path, tiny, monkeypatch, wandb_server
):
    tell, records, epochs = TrialSession.report, [], []

    def report(session: TrialSession, value: float, step: int) -> None:
        tell(session, value, step)
        epochs.append(step)
        if epochs == [0, 1]:
            os.kill(max(each.pid or 0 for each in multiprocessing.active_children()), signal.SIGKILL)

    def watched(config, folder, **options):
        try:
            return train(config, folder, **options)
        except RankLostError:
            assert not multiprocessing.active_children()
            records.append(record_of(folder))
            raise

    monkeypatch.setattr(TrialSession, "report", report)
    monkeypatch.setattr(trial, "train", watched)
    words = [*tiny, *TWO, "trainer.max_epochs=3", f"hydra.sweep.dir={tmp_path}", "study.page=false"]
    words[words.index("logger=csv")] = "logger=wandb"
    words += [f"~search_space.{name}" for name in ("dropout", "activation", "normalization", "augmentation")]
    words += ["hydra/sweeper/pruner=none", "study.workers=1"]
    assert main(["+experiment=search", "hydra.sweeper.n_trials=2", *words]) == 0
    assert [record["status"] for record in records] == ["failed"]
    assert "process 2 of the 2 that train together ended with SIGKILL" in records[0]["reason"]
    trials = load_trials(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("trial_*")) == ["trial_0000", "trial_0001"]
    for found in trials:
        assert (found.state, found.reason) == ("COMPLETE", None)
        assert sorted(found.intermediate) == [row["epoch"] for row in found.run.metrics] == [0, 1, 2]
        assert found.run.record["best"]["val/acc"] == pytest.approx(found.value)
    # The second epoch's checkpoint may be written.
    assert [found.run.record["continued_after_epochs"] in (1, 2) for found in trials] == [True, False]
    # Both processes and both attempts are one W&B run, in which the epoch that was cut off stands once and whole.
    of_trials = {name: run for name, run in wandb_server.runs.items() if run["jobType"] != "study"}
    assert len(of_trials) == 2
    for name, sent in of_trials.items():
        rows = [row for row in wandb_server.history(name) if "val/acc" in row]
        assert [row["epoch"] for row in rows] == [0, 1, 2]
        assert all("train/acc" in row for row in rows)
        assert sent["ended"] == 0


@pytest.mark.slow
def test_a_killed_first_process_takes_the_other_along_and_is_named(tmp_path, tiny):
    """The second one is killed in the test of trials."""

    def kill() -> None:
        os.kill(min(each.pid or 0 for each in multiprocessing.active_children()), signal.SIGKILL)

    with pytest.raises(RankLostError, match=r"process 1 of the 2 .* ended with SIGKILL"):
        train_two(tmp_path, tiny, Session(kill))
    record = record_of(tmp_path)
    assert record["status"] == "failed"
    assert "process 1 of the 2" in record["reason"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)]
)
def test_an_interrupted_run_goes_on_from_its_last_checkpoint(tmp_path, tiny, number, error):
    with pytest.raises(error):
        train_two(tmp_path, tiny, Session(lambda: signal.raise_signal(number)))
    assert record_of(tmp_path)["status"] == "interrupted"
    result = train_two(tmp_path, tiny, Session(at=9), "resume=true")
    assert result.record["continued_after_epochs"] == 1
    assert [row["epoch"] for row in read_metrics(tmp_path / "metrics.csv")] == [0, 1]


@pytest.mark.slow
def test_an_error_of_the_study_or_of_all_processes_arrives_as_it_is(tmp_path, tiny):
    def fail() -> None:
        raise DataError("the study is gone")

    with pytest.raises(DataError, match="the study is gone"):
        train_two(tmp_path / "study", tiny, Session(fail, at=0))
    with pytest.raises(DataError, match="process 2 has had enough"):
        run(tmp_path / "second", tiny, *TWO, callbacks=[FailInSecond()])
    with pytest.raises(TrainingDivergedError, match="the training loss is"):
        train_two(tmp_path / "training", tiny, Session(), "optimizer.lr=1e30", "scheduler=constant")
