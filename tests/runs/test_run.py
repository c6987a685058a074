"""The reader of a run's folder, on folders that are whole, half written and missing."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest

from fer_lightning.errors import DataError
from fer_lightning.runs.predictions import Predictions, write_predictions
from fer_lightning.runs.run import Run, best_numbers

ROOT = Path(__file__).parents[2]
PREDICTIONS = Predictions(np.eye(2, dtype=np.float32)[[0, 1, 1]], np.array([0, 1, 0]), None, ("a", "b"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run.json").write_text(json.dumps({"status": "running", "metric": "val/loss", "mode": "min"}))
    (tmp_path / "config.yaml").write_text("model: {width: 8}\nseed: 3\n")
    (tmp_path / "metrics.csv").write_text("epoch,val/loss,val/acc\n0,0.5,0.1\n1,0.25,\n2,0.75,0.3\n")
    write_predictions(tmp_path / "val_logits.npz", PREDICTIONS)
    (tmp_path / "saliency.png").write_bytes(b"")
    (tmp_path / "saliency.json").write_text('{"method": "gradient"}')
    (tmp_path / "saliency_mistakes.png").write_bytes(b"")
    return tmp_path


def test_each_file_is_read_once(folder: Path) -> None:
    run = Run(folder)
    assert run.record["status"] == "running"
    assert run.config == {"model": {"width": 8}, "seed": 3}
    assert run.metrics[1] == {"epoch": 1, "val/loss": 0.25}
    assert run.best == {"epoch": 1, "val/loss": 0.25}
    assert run.predictions is not None
    assert run.predictions.class_names == ("a", "b")
    assert run.confusion is not None
    assert run.confusion.counts.tolist() == [[1, 1], [0, 1]]
    assert run.sheets == {
        "correct": (folder / "saliency.png", {"method": "gradient"}),
        "mistakes": (folder / "saliency_mistakes.png", {}),
    }
    for path in folder.iterdir():
        path.unlink()
    assert run.record["status"] == "running"
    assert run.predictions is run.predictions
    assert Run(folder) == run  # the same folder


def test_the_record_of_a_finished_run_has_its_best_numbers(folder: Path) -> None:
    (folder / "run.json").write_text('{"best": {"epoch": 7, "val/acc": 0.5}}')
    assert Run(folder).best == {"epoch": 7, "val/acc": 0.5}


@pytest.mark.parametrize("content", [b"", b'{"status": "run', b"[1, 2]", b"\xff\xfe", b"a: [b: c\n"])
def test_half_written_files_are_empty_and_named_where_they_are_needed(folder: Path, content: bytes) -> None:
    for name in ("run.json", "config.yaml", "metrics.csv", "val_logits.npz", "saliency.json"):
        (folder / name).write_bytes(content)
    run = Run(folder)
    assert (run.record, run.config, run.metrics, run.best) == ({}, {}, [], {})
    assert run.confusion is None
    assert run.sheets["correct"][1] == {}
    for name in ("run.json", "config.yaml"):
        with pytest.raises(DataError, match=name.replace(".", r"\.")) as error:
            run.read(name)
        assert "\n" not in str(error.value)
    with pytest.raises(DataError, match=r"val_logits\.npz: cannot be read"):
        _ = run.predictions


@pytest.mark.parametrize("missing", [None, Path("no/such/folder")])
def test_a_run_that_never_began_is_empty(missing: Path | None) -> None:
    run = Run(missing)
    assert (run.record, run.config, run.metrics, run.sheets, run.pictures) == ({}, {}, [], {}, [])
    assert run.predictions is None
    assert run.confusion is None
    with pytest.raises(DataError, match=r"its run\.json cannot be read"):
        run.read("run.json")


def test_the_best_epoch_is_one_that_was_measured() -> None:
    rows = [
        {"epoch": 0, "x": 0.1},
        {"epoch": 1},
        {"epoch": 2, "x": float("nan")},
        {"epoch": 3, "x": 0.3, "_y": 1},
    ]
    assert best_numbers(rows, "x", "max") == {"epoch": 3, "x": 0.3}
    assert best_numbers(rows, "x", "min") == {"epoch": 0, "x": 0.1}
    assert best_numbers(rows, "y", "max") == {}


def test_no_other_module_names_the_record() -> None:
    """``run.json`` is read by `Run` and written by `RunRecord`; docstrings may speak of it."""
    naming = {
        path.relative_to(ROOT).as_posix()
        for room in ("fer_lightning", "callbacks", "sweeps")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value == "run.json"
    }
    assert naming == {"fer_lightning/runs/run.py"}
