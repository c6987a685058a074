"""The objective of a study: direction, unit, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fer_lightning.config.compose import compose_config
from fer_lightning.config.objective import Objective, is_known_share, known_direction, study_objective
from fer_lightning.config.schema import check_config
from fer_lightning.errors import ConfigError
from fer_lightning.study.earlier_verdicts import earlier_note, earlier_objective
from fer_lightning.sweeps.study.judgement import JUDGED_BY, settle_judgement
from fer_lightning.training.metrics import classification_metrics


def settled(metric: Any = None, mode: Any = None, **options: Any) -> tuple[Any, Any]:
    """Objective and direction of a study in a program with these keys."""
    found = settle_judgement(
        {"objective": None, "direction": None, **options}, {"metric": metric, "mode": mode}.get
    )
    return found["objective"], found["direction"]


def test_every_measured_metric_has_a_direction_and_is_a_share_but_the_loss() -> None:
    measured = classification_metrics(torch.eye(3), torch.arange(3), ["a", "b", "c"])
    assert set(measured) == {"loss", "acc", "f1", "ece", "recall/a", "recall/b", "recall/c"}
    for name in measured:
        for split in ("train/", "val/", "test/", ""):
            assert known_direction(split + name) is (name not in ("loss", "ece"))
            assert is_known_share(split + name) is (name != "loss")
    assert known_direction("error") is None
    assert known_direction("val/acc/own") is None


@pytest.mark.parametrize(
    ("name", "higher", "unit", "values", "shown"),
    [
        ("val/acc", True, None, [0.0, 0.6, 1.0], "60.00 %"),
        ("val/acc", True, None, [0.6, 60.0], "0.6000 "),
        ("val/acc", False, None, [0.6], "0.6000 "),
        ("val/ece", False, None, [0.6], "60.00 %"),
        ("error", False, None, [0.6], "0.6000 "),
        ("error", False, "share", [0.6], "60.00 %"),
        ("error", False, "share", [0.6, 1.5], "0.6000 "),
        ("val/acc", True, "share", [float("nan"), 0.6], "60.00 %"),
        ("time", False, "s", [0.6], "0.6000 s"),
        ("accuracy", True, "%", [70.0, 71.0], "0.600 %"),
        ("error", False, None, [0.6, 0.7, 12345.0], "0.6000 "),
        ("error", False, None, [12345.0], "1 "),
        ("error", False, None, [0.00012], "6.00e-01 "),
    ],
)
def test_a_percentage_is_for_shares_only(
    name: str, higher: bool, unit: str | None, values: list[float], shown: str
) -> None:
    objective = Objective.of(name, higher, unit, values)
    assert f"{objective.text(0.6)} {objective.symbol}" == shown
    assert objective.difference_unit == (
        " points" if shown.endswith("%") else f" {unit}" if unit == "s" else ""
    )
    assert objective.sort_key(2.0) < objective.sort_key(1.0) if higher else objective.sort_key(1.0) < 2.0


@given(st.lists(st.floats(-1e300, 1e300), max_size=5), st.booleans())
def test_any_values_have_a_text(values: list[float], higher: bool) -> None:
    objective = Objective.of("error", higher, values=values)
    largest = max(map(abs, values), default=0.0)
    assert float(objective.text(largest)) == pytest.approx(largest, rel=0.01)


def test_objective_and_direction_follow_the_configuration() -> None:
    assert settled("val/loss", "min") == ("val/loss", ["min"])
    assert settled("val/acc", "max") == ("val/acc", ["max"])
    assert settled() == ("objective", ["max"])
    assert settled(objective="val/loss") == ("val/loss", ["min"])
    assert settled(objective="error", direction="min") == ("error", "min")
    # A foreign program's own `mode` and `metric`.
    assert settled(mode="train") == ("objective", ["max"])
    assert settled(mode="min") == ("objective", ["max"])
    assert settled("rmse", "train", direction="min") == ("rmse", "min")
    assert settled({"name": "rmse"}, "min") == ("objective", ["max"])
    assert settled("rmse", "train", objective="seconds") == ("seconds", ["max"])
    several = {"objective": ["val/acc", "seconds"], "direction": ["max", "min"]}
    assert settled("val/acc", "max", **several) == (["val/acc", "seconds"], ["max", "min"])
    assert settled("val/acc", "max", objective=["val/acc", "val/loss"])[1] == ["max", "min"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "val/loss"}, r"^hydra.sweeper.objective=val/loss with metric=val/acc: .*=val/loss mode=min"),
        ({"objective": ["val/f1", "seconds"], "direction": ["max", "min"]}, r"=\[val/f1,seconds\] with metric=val/acc"),
        ({"direction": "min"}, r"^hydra\.sweeper\.direction=min with mode=max: val/acc cannot be both; leave"),
        ({"objective": ["seconds", "val/acc"], "direction": ["min", "minimize"]}, r"=\[min,minimize\] with mode=max"),
        ({"objective": ["val/acc", "seconds"]}, r"direction=null: expected one of max and min for each"),
    ],
)  # fmt: skip
def test_an_objective_that_the_runs_contradict_is_refused_in_one_line(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        settled("val/acc", "max", **options)
    assert "\n" not in str(caught.value)


def test_a_known_metric_has_one_direction() -> None:
    check_config(compose_config(["metric=val/loss", "mode=min"]))
    check_config(compose_config(["metric=val/recall/happy"]))
    with pytest.raises(
        ConfigError, match=r"^mode=max with metric=val/loss: lower is better; expected mode=min$"
    ):
        check_config(compose_config(["metric=val/loss"]))
    with pytest.raises(
        ConfigError, match=r"^mode=min with metric=val/acc: higher is better; expected mode=max$"
    ):
        check_config(compose_config(["mode=min"]))


def make(direction: str = "minimize", **attrs: Any) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction=direction)
    for name, value in attrs.items():
        study.set_user_attr(name, value)
    study.add_trial(optuna.create_trial(value=0.5, intermediate_values={0: 0.7}))
    return study


def test_the_study_says_what_it_is_judged_by() -> None:
    assert study_objective(make()) == Objective("objective", False, "")
    assert study_objective(make(), fallback="val/loss").name == "val/loss"
    assert study_objective(make("maximize", objectives=["val/acc"])) == Objective()
    assert study_objective(make(objectives=["error"], unit="mm")) == Objective("error", False, "mm")
    study = make("maximize", objectives=["val/acc"])
    study.add_trial(optuna.create_trial(state=optuna.trial.TrialState.FAIL, intermediate_values={0: 71.0}))
    assert study_objective(study).unit == ""
    both = optuna.create_study(directions=["maximize", "minimize"])
    both.set_user_attr("objectives", ["val/acc", "seconds"])
    both.add_trial(optuna.create_trial(values=[0.5, 20.0]))
    assert study_objective(both) == Objective()
    assert study_objective(both, 1) == Objective("seconds", False, "", 3)


def test_what_an_earlier_report_judged_is_told(tmp_path: Path) -> None:
    loss = Objective.of("val/loss", False)
    old = make(objectives=["val/loss"])
    assert earlier_objective(old, loss, tmp_path, {}) == ("val/acc", True)
    assert earlier_objective(old, loss, tmp_path, {"metric": "val/loss", "mode": "min"}) is None
    # The command `report` took higher for better whatever the runs said: the report itself knows.
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"metric": "val/loss", "rules": {"higher_is_better": True}}))
    earlier = earlier_objective(old, loss, tmp_path, {"metric": "val/loss", "mode": "min"})
    assert earlier == ("val/loss", True)
    assert earlier_note(earlier, loss).endswith(
        "judged val/loss, higher is better; this study minimises val/loss, and the verdicts here follow that"
    )
    # A new report keeps what it replaced.
    report.write_text(json.dumps({"objective": {}, "earlier": ["val/acc", True]}))
    assert earlier_objective(old, loss, tmp_path, {"metric": "val/loss", "mode": "min"}) == ("val/acc", True)
    report.write_text("{")
    assert earlier_objective(old, loss, tmp_path, {}) == ("val/acc", True)
    new = make(objectives=["val/loss"], **{JUDGED_BY: "objectives"})
    assert earlier_objective(new, loss, tmp_path, {}) is None
