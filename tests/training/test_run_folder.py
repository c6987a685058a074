"""A run's folder is one run's alone, and whole."""

from __future__ import annotations

import json

import pytest
from filelock import FileLock

from fer_lightning.errors import ConfigError
from fer_lightning.runs.best_epoch import best_epoch
from fer_lightning.runs.metrics_csv import read_metrics
from fer_lightning.training.checkpoints import read_checkpoint
from training_runs import StopAfter, measured, run, weights


@pytest.mark.parametrize("later", [(), ("seed=7", "optimizer.lr=1e30"), ("data.batch_size=1", "model=fast")])
def test_a_folder_that_holds_a_run_is_refused_and_stays_as_it_is(tmp_path, tiny, later):
    run(tmp_path, tiny)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(
        ConfigError, match=r"hydra\.run\.dir=.*holds a run that is complete; resume=true goes on"
    ):
        run(tmp_path, tiny, *later)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_another_run_that_goes_on_elsewhere_is_refused_too(tmp_path, tiny):
    for name in ("one", "two"):
        run(tmp_path / name, tiny)
    with pytest.raises(ConfigError, match="holds a run that is complete"):
        run(tmp_path / "two", tiny, f"resume={tmp_path}/one")


def test_a_folder_in_which_a_run_trains_is_refused(tmp_path, tiny):
    with (
        FileLock(tmp_path / ".run.lock"),
        pytest.raises(ConfigError, match="another run is training in this"),
    ):
        run(tmp_path, tiny, "resume=true")
    assert run(tmp_path, tiny).record["status"] == "complete"


def test_a_run_that_was_stopped_in_its_first_epoch_begins_again_and_says_so(tmp_path, tiny, caplog):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, tiny, callbacks=[StopAfter(0, within=True)])
    said = "resume=true: this folder holds no checkpoint to go on with; the run begins anew"
    with caplog.at_level("INFO"):
        assert run(tmp_path, tiny, "resume=true").epochs == 1
    assert said in caplog.messages


def test_a_run_that_goes_on_in_a_new_folder_has_the_best_of_all_its_epochs(tmp_path, tiny):
    # At this rate no answer changes, and of equal epochs the first is the best.
    options = ["trainer.max_epochs=3", "scheduler=constant", "optimizer.lr=1e-12"]
    run(tmp_path / "whole", tiny, *options)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "first", tiny, *options, callbacks=[StopAfter(2)])
    found = run(tmp_path / "second", tiny, *options, f"resume={tmp_path}/first")
    whole = json.loads((tmp_path / "whole" / "run.json").read_text())
    rows = read_metrics(tmp_path / "second" / "metrics.csv")
    assert measured(tmp_path / "second") == measured(tmp_path / "whole")
    best = best_epoch(rows, "val/acc", "max")
    assert best is not None
    assert found.record["best"]["epoch"] == whole["best"]["epoch"] == best["epoch"] == 0
    assert read_checkpoint(tmp_path / "second/checkpoints/best.ckpt")["epoch"] == best["epoch"]
    for name in ("val_logits.npz", "confusion.json"):
        assert (tmp_path / "second" / name).is_file()
    confusion = [json.loads((tmp_path / name / "confusion.json").read_text()) for name in ("whole", "second")]
    assert confusion[0]["counts"] == confusion[1]["counts"]
    assert all(
        (weights(tmp_path / "second")[key] == value).all()
        for key, value in weights(tmp_path / "whole").items()
    )
