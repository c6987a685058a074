"""One callback makes any Lightning training a part of a study."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch.utils.data import DataLoader, TensorDataset

from fer_lightning.callbacks.pruning import StudyPruning
from fer_lightning.errors import RunsFailedError
from foreign_program import Program

MEDIAN = [
    "hydra/sweeper/pruner=median",
    "hydra.sweeper.pruner.n_startup_trials=1",
    "hydra.sweeper.pruner.n_warmup_steps=0",
    "hydra.sweeper.pruner.n_min_trials=1",
    "hydra.sweeper.objective=error",
    "hydra.sweeper.direction=min",
]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    found = Program(tmp_path, monkeypatch)
    found.write("x: 0")
    return found


def fit(lightning: Any, x: float, where: str, monitor: str = "error", **options: Any) -> Any:
    """Train a module that logs `x` minus the epoch, in validation or in training."""

    class Module(lightning.LightningModule):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def training_step(self, batch: Any, _: int) -> torch.Tensor:
            if where == "training":
                self.log("error", torch.tensor(float(x - self.current_epoch)), on_step=False, on_epoch=True)
            return self.layer(batch[0]).sum()

        def validation_step(self, batch: Any, _: int) -> None:
            if where == "validation":
                self.log("error", torch.tensor(float(x - self.current_epoch)))

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.0)

    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = lightning.Trainer(
        max_epochs=4,
        accelerator="cpu",
        enable_checkpointing=False,
        callbacks=[StudyPruning(monitor)],
        **quiet,
        **options,
    )
    batches = DataLoader(TensorDataset(torch.ones(2, 1)))
    trainer.fit(Module(), batches, batches)
    return trainer


@pytest.mark.parametrize("name", ["pytorch_lightning", "lightning.pytorch"])
@pytest.mark.parametrize("where", ["validation", "training"])
def test_it_reports_prunes_and_ends_the_job(program: Program, name: str, where: str) -> None:
    lightning = pytest.importorskip(name)
    after = []

    def job(config: DictConfig) -> float:
        trainer = fit(lightning, config.x, where)
        after.append(config.x)
        return float(trainer.callback_metrics["error"])

    plan = "+ablation={factors:{x:{key:x,levels:[7],baseline:5}}}"  # the better one first
    trials = program.run(job, plan, "+seeds=[0]", "hydra.sweeper.seed_key=+seed", *MEDIAN)
    assert [(t.state, t.value, dict(t.intermediate)) for t in trials] == [
        ("COMPLETE", 2.0, {0: 5.0, 1: 4.0, 2: 3.0, 3: 2.0}),
        ("PRUNED", 7.0, {0: 7.0}),
    ]
    assert after == [5]
    assert trials[1].reason == "pruned after epoch 1"


def test_a_validation_every_other_epoch_is_reported_once(program: Program) -> None:
    lightning = importlib.import_module("pytorch_lightning")
    run = "hydra.sweeper.n_trials=1"
    (trial,) = program.run(
        lambda config: float(fit(lightning, 5, "validation", check_val_every_n_epoch=2).current_epoch),
        "x=1,2",
        run,
    )
    assert dict(trial.intermediate) == {1: 4.0, 3: 2.0}


def test_a_run_that_is_no_part_of_a_study_is_left_alone() -> None:
    trainer = fit(importlib.import_module("pytorch_lightning"), 5, "validation", "no_such_metric")
    assert trainer.current_epoch == 4


def test_a_metric_that_is_not_logged_is_named(program: Program) -> None:
    lightning = importlib.import_module("pytorch_lightning")
    with pytest.raises(
        RunsFailedError, match=r"StudyPruning\('loss'\): the module logs no such metric; .* error$"
    ):
        program.run(
            lambda config: fit(lightning, 5, "validation", "loss"), "x=1,2", "hydra.sweeper.n_trials=1"
        )
