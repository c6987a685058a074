"""What a foreign program's job returns or raises: a result, or a failure with its reason."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import optuna
import pytest
import torch
from hydra.experimental.callback import Callback
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig

from fer_lightning.errors import RunsFailedError
from fer_lightning.sweeps.study.objective_values import choose
from foreign_program import PRIMARY, Program

FOUR = "x=1,2,3,4"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    found = Program(tmp_path, monkeypatch)
    found.write("x: 0")
    return found


FORMS: dict[str, Callable[[float], Any]] = {
    "number": float,
    "int": int,
    "text": str,
    "tensor": torch.tensor,
    "tensor of one": lambda value: torch.tensor([value]),
    "numpy": np.float32,
    "array": lambda value: np.array([value]),
    "list": lambda value: [value],
    "tuple": lambda value: (torch.tensor(value),),
    "mapping": lambda value: {"cost": 3, "objective": np.float64(value)},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_result_is_whatever_float_takes(form: str) -> None:
    assert choose(FORMS[form](2.0), ["objective"]) == [2.0]


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=4))
def test_several_results_in_any_container(values: list[float]) -> None:
    names = [f"m{index}" for index in range(len(values))]
    tensors = [torch.tensor(value) for value in values]
    for found in (values, tuple(values), np.array(values, np.float32), torch.tensor(values), tensors):
        assert choose(found, names) == values
    assert choose(dict(zip(names, tensors, strict=True)), names) == values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0], r"1 objective values were given for \['a', 'b'\]"),
        ((1.0, 2.0, 3.0), "3 objective values were given"),
        (1.0, "1 objective values were given"),
        ({"a": 1.0}, r"objective b is not among the metrics \['a'\]"),
        ((1.0, None), "objective b is None, expected a number"),
        ((1.0, "high"), "objective b is 'high', expected a number"),
        ((1.0, [2.0, 3.0]), r"objective b is \[2.0, 3.0\], expected a number"),
        ((float("nan"), 1.0), "objective a is nan"),
        ((1.0, 1j), r"objective b is 1j, expected a number"),
    ],
)
def test_what_is_no_result_is_named(values: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose(values, ["a", "b"])


def test_a_tensor_that_a_job_returns_is_its_result(program: Program) -> None:
    records = program.run(lambda config: torch.tensor(config.x / 2), FOUR)
    assert sorted(record.values for record in records) == [(0.5,), (1.0,), (1.5,), (2.0,)]


def test_a_wrong_number_of_values_fails_its_trial_and_spoils_no_study(program: Program) -> None:
    def two_of_them(config: DictConfig) -> Any:
        return (1.0, 2.0) if config.x == 2 else float(config.x)

    # TPE learns from all that was told, from the tenth trial on.
    tpe = ["hydra/sweeper/sampler=tpe", "hydra.sweeper.n_trials=14"]
    records = program.run(two_of_them, "x=range(1,5)", *tpe)
    assert {r.params["x"]: (r.state, r.reason) for r in records} == {
        1: ("COMPLETE", None),
        2: ("FAIL", "2 objective values were given for ['objective']"),
        3: ("COMPLETE", None),
        4: ("COMPLETE", None),
    }
    assert len(records) == 14


def test_a_pruned_job_is_pruned(program: Program) -> None:
    def hopeless(config: DictConfig) -> float:
        if config.x == 2:
            raise optuna.TrialPruned("no hope")
        return 1.0

    program.write("x: 0", job_logging="default")
    states = {r.params["x"]: (r.state, r.reason) for r in program.run(hopeless, "x=1,2")}
    assert states == {1: ("COMPLETE", None), 2: ("PRUNED", "no hope")}
    logs = [path.read_text() for path in program.folder.glob("sweep/**/*.log")]
    assert logs
    assert "Traceback" not in "".join(logs)


def test_a_job_that_returns_nothing_has_failed(program: Program) -> None:
    with pytest.raises(
        RunsFailedError, match="all of its 2 trials failed; the last: the job returned no result"
    ):
        program.run(lambda config: None, "x=1,2")


class Counting(Callback):
    ends: ClassVar[list[str]] = []

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        self.ends.append(config.hydra.sweeper.study_name)


@pytest.mark.parametrize("value", [1.0, None])
def test_a_callback_is_called_once_when_a_study_ends_well_or_not(
    program: Program, value: float | None
) -> None:
    Counting.ends.clear()
    with pytest.raises(RunsFailedError) if value is None else nullcontext():
        program.run(lambda config: value, "x=1,2", f"+hydra.callbacks.counting._target_={__name__}.Counting")
    assert len(Counting.ends) == 1


def fails_at_two(config: DictConfig) -> float:
    if config.x == 2:
        raise RuntimeError(f"no x of {config.x}: token=abc123")
    return 1.0


def test_a_failing_job_leaves_its_traceback_in_its_folder_and_its_log(
    program: Program, capfd: pytest.CaptureFixture[str]
) -> None:
    program.write("x: 0", job_logging="default")
    records = program.run(fails_at_two, "x=1,2")
    (failed,) = [r for r in records if r.state == "FAIL"]
    assert failed.run.folder is not None
    text = (failed.run.folder / "error.txt").read_text()
    assert "in fails_at_two" in text
    assert text.rstrip().endswith("RuntimeError: no x of 2: token=***")
    logged = "".join(path.read_text() for path in failed.run.folder.glob("*.log"))
    assert f"trial {failed.number} failed\n" in logged
    assert "in fails_at_two" in logged
    assert "abc123" not in logged
    (line,) = [line for line in "".join(capfd.readouterr()).splitlines() if "failed: RuntimeError" in line]
    assert f"(traceback: {failed.run.folder.name}/error.txt)" in line


PROGRAM = """
import hydra

@hydra.main(config_path="conf", config_name="config", version_base="1.3")
def main(config):
    if config.x in config.bad:
        raise RuntimeError("cannot")
    return float(config.x)

main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "status", "last"),
    [
        (["bad=[2]"], 0, "1 failed"),
        (["bad=[1,2,3]"], 1, "all of its 3 trials failed; the last: RuntimeError: cannot"),
        (
            ["bad=[1,2,3]", "hydra.sweeper.max_failures=1"],
            1,
            "stopped: 1 of 1 trials failed (max_failures=1)",
        ),
        (["hydra.sweeper.n_jobs=0"], 1, "hydra.sweeper.n_jobs=0: expected a whole number of at least 1"),
        (["y=1,2"], 1, "y: no such key; expected one of bad, x (+y would add it)"),
    ],
)
def test_the_status_of_a_foreign_program_and_its_one_line(
    tmp_path: Path, words: list[str], status: int, last: str
) -> None:
    (tmp_path / "conf").mkdir()
    text = PRIMARY.format(defaults="", job_logging="none", values="x: 0\nbad: []")
    (tmp_path / "conf" / "config.yaml").write_text(
        text.replace("hydra_logging: none", "hydra_logging: default")
    )
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "program.py", "x=1,2,3", *words]
    environment = {key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    assert last in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
