from __future__ import annotations

import csv
import io
import json
import sqlite3
import time
from pathlib import Path

import optuna
import pytest
import yaml
from optuna.trial import TrialState, create_trial

from fer_lightning.commands.runs import main
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.runs.groups import group_rows
from fer_lightning.runs.listing import render_groups
from fer_lightning.runs.table import collect, sort_rows
from fer_lightning.sweeps.study.storage import open_storage
from fer_lightning.tracking.log_reader import read_wandb_log
from fer_lightning.tracking.logger import WandbRun

CONFIG = {
    "seed": 0,
    "normalization": {"_target_": "fer_lightning.data.normalization.Unit"},
    "augmentation": {},
    "model": {"_target_": "fer_lightning.models.Small", "activation": "selu", "dropout_scale": 1.0},
    "optimizer": {"lr": 0.01},
}


def write_run(folder: Path, status: str, accuracy: float | None, seed: int = 0) -> None:
    folder.mkdir(parents=True)
    best = None if accuracy is None else {"epoch": 1, "val/acc": accuracy, "val/loss": 1.5}
    record = {
        "status": status,
        "seed": seed,
        "seconds": 2.5,
        "train_seconds": 1.5,
        "epochs": 0 if best is None else 2,
        "parameters": {"total": 100},
        "data": {"name": "synthetic", "synthetic": True},
        "started": "2026-01-31T12:00:00Z",
        "note": "",
        "metric": "val/acc",
        "mode": "max",
        "best": best,
    }
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"seed": seed}))


def write_log(folder: Path, epochs: int, state: str | None) -> None:
    run = WandbRun(folder, mode="offline", run_id=f"id-{folder.name}", group="study", run_config=CONFIG)
    for epoch in range(epochs):
        run.log_metrics({"epoch": epoch, "val/acc": [0.2, 0.6, 0.4][epoch], "train/acc": 0.5})
    if state is not None:
        run.conclude(state, {"best": {"val/acc": 0.6}, "seconds": 3.0, "epochs": epochs}, "why")
    else:
        run.close(exit_code=1)
    (log,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    for _ in range(100):
        if read_wandb_log(log).exit_code is not None:
            return
        time.sleep(0.1)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of every kind: with and without a W&B log, of a study, killed, and known to W&B alone."""
    root = tmp_path_factory.mktemp("tree")
    write_run(root / "runs/one", "complete", 0.7, seed=4)
    write_run(root / "study/trial_0000", "complete", 0.5)
    write_log(root / "study/trial_0000", 3, "complete")
    write_run(root / "study/trial_0001", "running", None, seed=1)
    (root / "study/trial_0001/metrics.csv").write_text(
        "epoch,step,val/acc,val/loss\n0,10,0.3,1.9\n1,20,0.4,1.8\n2,30,0.35,1.7\n"
    )
    study = optuna.create_study(study_name="s", storage=open_storage(f"sqlite:///{root}/study/study.db"))
    study.set_user_attr("directory", str(root / "study"))
    for number, (state, value) in enumerate([(TrialState.COMPLETE, 0.5), (TrialState.FAIL, None)]):
        attrs = {"directory": f"trial_{number:04d}", "arm": f"arm {number}", "seed": number, "seconds": 9.0}
        reason = {"reason": "out of memory"} if value is None else {}
        study.add_trial(create_trial(state=state, value=value, user_attrs=attrs | reason))
    write_log(root / "elsewhere", 3, None)
    return root


def rows_of(root: Path, *words: str, capsys: pytest.CaptureFixture[str]) -> list[dict]:
    capsys.readouterr()
    assert main([str(root), "format=json", *words]) == 0
    found: list[dict] = json.loads(capsys.readouterr().out)
    return found


def test_every_run_of_a_tree_is_a_row(tree, capsys):
    rows = {row["run"]: row for row in rows_of(tree, capsys=capsys)}
    alone = next(name for name in rows if name.startswith("elsewhere/wandb/offline-run-"))
    assert set(rows) == {"runs/one", "study/trial_0000", "study/trial_0001", alone}
    assert rows["runs/one"]["best/val/acc"] == 0.7
    assert rows["runs/one"]["seed"] == 4
    whole = rows["study/trial_0000"]
    assert (whole["arm"], whole["trial"], whole["state"], whole["study"]) == ("arm 0", 0, "complete", "s")
    assert (whole["activation"], whole["normalization"], whole["dropout"]) == ("selu", "unit", 1.0)
    assert whole["best/val/acc"] == 0.5  # run.json's, not W&B's
    assert whole["seconds"] == 9.0  # of all attempts
    assert whole["wandb"].endswith("run-id-trial_0000.wandb")
    killed = rows["study/trial_0001"]
    assert (killed["state"], killed["reason"], killed["arm"]) == ("failed", "out of memory", "arm 1")
    assert (killed["best/val/acc"], killed["best/epoch"], killed["epochs"]) == (0.4, 1, 3)
    assert (rows[alone]["state"], rows[alone]["best/val/acc"], rows[alone]["epochs"]) == ("failed", 0.6, 3)
    assert rows[alone]["activation"] == "selu"


def test_one_run_and_one_study_are_trees_too(tree, capsys):
    (row,) = rows_of(tree / "runs/one", capsys=capsys)
    assert (row["run"], row["best/val/acc"]) == (".", 0.7)
    assert row["epoch_seconds"] == 0.75
    assert [row["run"] for row in rows_of(tree / "study", capsys=capsys)] == ["trial_0000", "trial_0001"]
    (row,) = rows_of(tree / "study/trial_0001", capsys=capsys)
    assert row["arm"] == "arm 1"


def test_the_table_says_what_differs_and_what_is_synthetic(tree, capsys):
    main([str(tree), "sort=-best/val/acc"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["run", "state", "arm"]
    assert lines[1].startswith("runs/one")
    assert "0.7000" in lines[1]
    assert "4 runs: 2 complete, 2 failed; 3 on SYNTHETIC DATA" in lines[-1]
    # As everywhere in words the second epoch is 2; CSV and JSON have the 1 of metrics.csv.
    assert "best epoch" in lines[0]
    killed = next(line for line in lines if line.startswith("study/trial_0001"))
    assert killed[lines[0].index("best epoch") :].split()[:2] == ["2", "3"]
    assert lines[-1].endswith("values are of each run's best epoch; epochs count from 1")
    assert main([str(tree), "by=run", "columns=best/epoch"]) == 0


def test_a_log_is_not_read_where_the_run_has_its_own_record(tmp_path, capsys):
    write_run(tmp_path / "run", "failed", 0.5)
    record = json.loads((tmp_path / "run/run.json").read_text()) | {"reason": "ValueError: no faces"}
    (tmp_path / "run/run.json").write_text(json.dumps(record))
    log = tmp_path / "run/wandb/offline-run-x/run-x.wandb"
    log.parent.mkdir(parents=True)
    log.write_text("no log at all")
    (row,) = rows_of(tmp_path, capsys=capsys)
    assert (row["state"], row["reason"], row["best/val/acc"]) == ("failed", "ValueError: no faces", 0.5)
    assert row["wandb"] == "run/wandb/offline-run-x/run-x.wandb"
    (tmp_path / "run/run.json").unlink()
    with pytest.raises(DataError, match=r"run-x\.wandb: cannot be read"):
        collect(tmp_path)


def test_half_written_files_are_left_out(tmp_path, capsys):
    write_run(tmp_path / "run", "running", None)
    (tmp_path / "run/config.yaml").write_text("model: {activation")
    (tmp_path / "run/metrics.csv").write_text("epoch,val/acc\n0,0.")
    (row,) = rows_of(tmp_path, capsys=capsys)
    assert (row["state"], row["epochs"], row["best/val/acc"]) == ("running", 1, 0.0)
    assert "activation" not in row


def test_csv_and_files(tree, capsys, tmp_path):
    assert main([str(tree / "study"), f"output={tmp_path / 'runs.csv'}"]) == 0
    assert "2 runs written to" in capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO((tmp_path / "runs.csv").read_text())))
    assert [row["best/val/acc"] for row in rows] == ["0.5", "0.4"]
    assert list(rows[0])[:3] == ["run", "state", "study"]


def test_runs_of_a_kind_are_averaged(tmp_path, capsys):
    for number, value in enumerate([0.5, 0.7, 0.6, None]):
        write_run(tmp_path / f"{number}", "running" if value is None else "complete", value, seed=number)
    config = tmp_path / "2" / "config.yaml"
    config.write_text(config.read_text().replace("selu", "relu"))
    assert main([str(tmp_path), "by=activation", "columns=[val/acc,seed]"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["activation", "runs", "val/acc", "seed"]
    assert lines[1].split() == ["selu", "2", "0.6", "±", "0.14", "0.5", "±", "0.71"]
    assert lines[2].split() == ["relu", "1", "0.6", "2"]
    assert "SYNTHETIC" in lines[-1]
    assert main([str(tmp_path), "by=activation", "columns=val/*", "format=csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert float(rows[0]["best/val/acc"]) == pytest.approx(0.6)
    assert float(rows[0]["best/val/acc sd"]) == pytest.approx(0.02**0.5)
    assert rows[1]["best/val/acc sd"] == ""
    assert rows[0]["synthetic"] == "True"
    assert main([str(tmp_path), "by=activation", f"output={tmp_path / 'groups.csv'}"]) == 0
    assert "2 groups of 3 runs written to" in capsys.readouterr().out


def test_groups_of_several_studies_are_not_mixed():
    rows = [
        {"study": study, "arm": "baseline", "state": "complete", "val/acc": value}
        for study, value in (("a", 0.2), ("a", 0.4), ("b", 0.9))
    ]
    groups = group_rows(rows, "arm", ["val/acc"])
    assert [(g["study"], g["arm"], g["runs"], g["val/acc"]) for g in groups] == [
        ("a", "baseline", 2, pytest.approx(0.3)),
        ("b", "baseline", 1, 0.9),
    ]
    table = render_groups(groups, "table", "arm", ["val/acc"]).splitlines()
    assert table[0].split() == ["study", "arm", "runs", "val/acc"]
    assert table[2].split() == ["b", "baseline", "1", "0.9"]
    assert "study" not in group_rows(rows[:2], "arm", ["val/acc"])[0]


def test_columns_are_chosen_by_pattern(tree, capsys):
    assert main([str(tree), "columns=[seed,val/a*]", "format=csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "seed,best/val/acc"
    with pytest.raises(DataError, match=r"columns=val/accuracy: no such column; expected one of run, state"):
        main([str(tree), "columns=[val/accuracy]"])
    with pytest.raises(DataError, match=r"by=arms: no such column; expected one of run, state"):
        main([str(tree), "by=arms"])


def test_rows_are_sorted_with_unknown_values_last():
    rows = [{"run": "a", "x": 2}, {"run": "b"}, {"run": "c", "x": 10}, {"run": "d", "x": 1.5}]
    assert [row["run"] for row in sort_rows(rows, "x")] == ["d", "a", "c", "b"]
    assert [row["run"] for row in sort_rows(rows, "-x")] == ["c", "a", "d", "b"]
    with pytest.raises(DataError, match="sort=y: no such column; expected one of run, x"):
        sort_rows(rows, "y")


def test_runs_of_a_study_of_another_optuna_are_shown_with_a_word_on_what_is_missing(tmp_path, capsys):
    write_run(tmp_path / "study" / "trial_0000", "complete", 0.5)
    optuna.create_study(storage=f"sqlite:///{tmp_path}/study/study.db")
    with sqlite3.connect(tmp_path / "study" / "study.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num='v2.6.0.a'")
    assert main([str(tmp_path)]) == 0
    written = capsys.readouterr()
    assert "trial_0000" in written.out
    assert written.err.count("\n") == 1
    assert "optuna storage upgrade --storage" in written.err


def test_mistakes_are_said(tmp_path):
    with pytest.raises(ConfigError, match="expected one folder with runs"):
        main([])
    with pytest.raises(DataError, match="nowhere: no such folder"):
        main([str(tmp_path / "nowhere")])
    with pytest.raises(DataError, match="holds no run"):
        collect(tmp_path)
    with pytest.raises(ConfigError, match="format=xml: expected one of table, csv, json"):
        main([str(tmp_path), "format=xml"])
