"""What benchmarks/accuracy_per_minute.py reads from a run's epochs, against cases worked out by hand."""

from __future__ import annotations

import accuracy_per_minute as benchmark
import pytest


def epochs(*values: float | None) -> list[dict[str, float]]:
    """Epochs of 54 s of training and, where there is a value, 6 s of validation."""
    return [
        {"seconds/train": 54.0} | ({} if value is None else {"seconds/val": 6.0, "val/acc": value})
        for value in values
    ]


def test_time_counts_training_and_validation_and_epochs_without_one():
    curve = benchmark.curve_of(epochs(None, 0.5, None, 0.66))
    assert curve.minutes == pytest.approx((1.9, 3.8))
    assert curve.accuracy == pytest.approx((50.0, 66.0))
    assert curve.minutes_to(60) == pytest.approx(3.8)
    assert curve.minutes_to(50) == pytest.approx(1.9)
    assert curve.minutes_to(66.1) is None


def test_an_accuracy_that_was_only_repeated_is_no_new_measurement():
    rows = epochs(0.5, 0.6)
    repeated = {"seconds/train": 54.0, "seconds/val": 0.0, "val/acc": 0.5}
    assert benchmark.curve_of([rows[0], repeated, rows[1]]).minutes == pytest.approx((1.0, 2.9))


def test_epochs_of_equal_accuracy_and_those_after_the_last_validation_count_in_all():
    curve = benchmark.curve_of(epochs(0.5, 0.6, 0.6, None))
    assert curve.minutes == pytest.approx((1.0, 2.0, 3.0))
    assert curve.total == pytest.approx(3.9)
    (row,) = benchmark.table({"net": [curve]})
    assert row["minutes"] == "3.9"


def test_several_seeds_are_one_row():
    curves = [benchmark.curve_of(epochs(*values)) for values in ((0.5, 0.61), (0.62, 0.7), (0.3, 0.4))]
    (row,) = benchmark.table({"net": curves})
    assert row["runs"] == "3"
    assert row["best val/acc %"] == "57.00"
    assert row["to 60 %"] == "1.5 (2 of 3)"
    assert row["to 70 %"] == "2.0 (1 of 3)"
    assert row["to 65 %"] == "2.0 (1 of 3)"
    assert row["to 69.3 %"] == "2.0 (1 of 3)"


def test_a_target_that_no_run_reached_is_a_dash():
    (row,) = benchmark.table({"net": [benchmark.curve_of(epochs(0.5))]})
    assert {row[f"to {target:g} %"] for target in benchmark.TARGETS} == {"–"}


def test_a_file_without_times_is_named(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,val/acc\n0,0.5\n")
    with pytest.raises(SystemExit, match=r"metrics\.csv: expected the columns seconds/train"):
        benchmark.read_runs([f"net={tmp_path}"])
    with pytest.raises(SystemExit, match=r"net: expected NAME=METRICS\.csv"):
        benchmark.read_runs(["net"])
