from __future__ import annotations

import logging
from types import SimpleNamespace

import torch

from fer_lightning.callbacks.progress import RunProgress
from fer_lightning.config.metric_table import METRICS, SHARE, Metric
from fer_lightning.config.objective import Objective, is_known_share, known_direction
from fer_lightning.report.page.columns import metric_columns
from fer_lightning.runs.listing import listing_columns
from fer_lightning.runs.metrics_csv import MetricsCsv
from fer_lightning.training import metrics


def test_a_metric_that_is_added_to_the_table_is_found_everywhere(monkeypatch, tmp_path, caplog):
    def wrong(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return (logits.argmax(1) != labels).float().mean()

    monkeypatch.setattr(metrics, "wrong", wrong, raising=False)
    monkeypatch.setitem(METRICS, "wrong", Metric(f"{metrics.__name__}.wrong", SHARE, higher_is_better=False))
    measured = metrics.classification_metrics(torch.eye(4), torch.tensor([0, 1, 2, 2]), "abcd")
    assert measured["wrong"] == 0.25
    row = {f"val/{name}": value for name, value in measured.items()} | {"epoch": 0, "train/acc": 0.5}

    csv = MetricsCsv(tmp_path)
    csv.log_metrics(row, 0)
    header = (tmp_path / "metrics.csv").read_text().splitlines()[0]
    assert header.startswith("epoch,step,train/acc,val/loss,val/acc,val/wrong,val/ece,val/f1,")

    columns = metric_columns(Objective(), [0.75], [row])
    assert [column.name for column in columns] == ["val/acc", "val/f1", "val/ece", "val/wrong", "val/loss"]
    assert (columns[3].unit, columns[3].scale, columns[3].higher) == ("%", 100.0, False)

    with caplog.at_level(logging.INFO):
        trainer = SimpleNamespace(callback_metrics=row, current_epoch=0, max_epochs=1)
        RunProgress().on_train_epoch_end(trainer, None)
    assert "val acc 0.750  val wrong 0.250  val loss " in caplog.text

    best = {f"best/{name}": value for name, value in row.items()}
    assert "best/val/wrong" in listing_columns([{"run": "a", **best}, {"run": "b", **best}])
    assert known_direction("val/wrong") is False
    assert is_known_share("test/wrong")
