"""Own code as part of a study: changed code is refused, or accepted and written down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest

from fer_lightning.errors import ConfigError
from fer_lightning.runs.run import Run
from fer_lightning.study.code_notes import code_notes
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.space.parse_space import parse_space
from fer_lightning.sweeps.study.code import check_code, code_versions, keep_code, searched_targets
from fer_lightning.sweeps.study.results import Trial, load_study, load_trials
from frozen_trials import frozen_trial

if TYPE_CHECKING:
    pass

OLD, NEW = {"nets.py": "1"}, {"nets.py": "2"}


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    """A study kept in the folder of the test."""
    return optuna.create_study(study_name="mine", storage=f"sqlite:///{tmp_path}/study.db")


def versions(study: optuna.Study) -> list[tuple[int, dict[str, str]]]:
    return [(version["trials"], version["files"]) for version in code_versions(study)]


def test_changed_code_is_refused_in_one_line_with_both_ways_out(study: optuna.Study) -> None:
    keep_code(study, OLD)
    check_code(study, OLD, accept=False)
    with pytest.raises(ConfigError) as caught:
        check_code(study, NEW, accept=False)
    assert str(caught.value) == (
        "study mine was made with other code: nets.py has changed; hydra.sweeper.study_name=<another name> starts "
        "anew, hydra.sweeper.changed_code=accept goes on with this one"
    )
    assert versions(study) == [(0, OLD)]


def test_accepted_code_is_kept_beside_the_earlier_with_the_trials_that_had_finished(study) -> None:  # type: ignore[no-untyped-def]
    keep_code(study, OLD)
    study.optimize(lambda trial: 0.0, n_trials=2)
    study.enqueue_trial({})
    check_code(study, NEW, accept=True)
    assert versions(study) == [(0, OLD), (2, NEW)]
    # From then on this is the study's code, and the earlier is refused.
    check_code(study, NEW, accept=False)
    check_code(study, NEW, accept=True)
    assert len(versions(study)) == 2
    with pytest.raises(ConfigError):
        check_code(study, OLD, accept=False)


def test_a_study_of_an_earlier_version_takes_the_code_it_is_met_with(study: optuna.Study) -> None:
    study.optimize(lambda trial: 0.0, n_trials=3)
    check_code(study, NEW, accept=False)
    assert versions(study) == [(3, NEW)]
    with pytest.raises(ConfigError, match=r"nets\.py has changed"):
        check_code(study, OLD, accept=False)


def test_the_switch_is_checked() -> None:
    with pytest.raises(
        ConfigError, match=r"hydra\.sweeper\.changed_code=yes: expected one of refuse, accept"
    ):
        SweepOptions(sampler={"_target_": "x"}, changed_code="yes")


@pytest.mark.parametrize(
    ("later", "note"),
    [
        ([], None),
        ([(2, NEW)], "nets.py changed after 2 trials"),
        ([(1, {**OLD, "b.py": "7"})], "b.py changed after 1 trial"),
        ([(1, NEW), (3, {**NEW, "b.py": "7"})], "nets.py changed after 1 trial; b.py changed after 3 trials"),
        # No trial was finished with the second.
        ([(2, NEW), (2, OLD)], None),
        ([(4, NEW)], None),
    ],
)  # fmt: skip
def test_a_report_says_after_how_many_trials_code_changed(study, tmp_path, later, note: str | None) -> None:  # type: ignore[no-untyped-def]
    study.optimize(lambda trial: 0.0, n_trials=4)
    kept = [(0, OLD), *later]
    study.set_user_attr("code", [{"trials": count, "files": files} for count, files in kept])
    found = code_notes(load_study(tmp_path), load_trials(tmp_path))
    expected = () if note is None else (f"runs of this study were made with different code ({note})",)
    assert found == expected


def test_a_study_of_an_earlier_version_is_reported_without_a_note(study, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    study.optimize(lambda trial: 0.0, n_trials=2)
    assert code_notes(load_study(tmp_path), load_trials(tmp_path)) == ()


def test_a_report_says_if_the_jobs_of_a_cluster_read_different_code(study, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    keep_code(study, OLD)

    def notes(*records: dict[str, object]) -> tuple[str, ...]:
        trials = []
        for number, record in enumerate(records):
            folder = tmp_path / f"trial_{number:04d}"
            folder.mkdir(exist_ok=True)
            (folder / "run.json").write_text(json.dumps(record))
            trials.append(Trial(frozen_trial(number, value=0.5), Run(folder)))
        return code_notes(load_study(tmp_path), trials)

    start = "runs of this study were made with different code"
    # An arm may have files that others do not have; runs of earlier versions say nothing.
    assert notes({"code": OLD}, {"code": {**OLD, "arm.py": "7"}}, {}) == ()
    assert notes({"code": OLD}, {"code": NEW}) == (f"{start} (nets.py changed while the study ran)",)
    assert notes({"code": NEW, "code_changed": ["nets.py"]}, {"code": NEW, "code_changed": []}) == (
        f"{start} (trial 0 was continued after nets.py had changed)",
    )


def test_what_a_search_may_choose_by_name_counts_too() -> None:
    space = parse_space(
        {
            "loss": {"key": "loss._target_", "choices": ["mine.loss", "torch.nn.NLLLoss"]},
            "parts": {"choices": [[{"_target_": "mine.Part"}], [{"_target_": "mine.Other"}]]},
            "logger": {"choices": [{"_target_": "mine.Logger"}]},
            "lr": {"type": "float", "low": 0.0, "high": 1.0},
        }
    )
    assert searched_targets(space) == {"mine.loss", "torch.nn.NLLLoss", "mine.Part", "mine.Other"}


PROGRAM = """
import hydra
from hydra.core.config_store import ConfigStore
from fer_lightning.errors import UserError
from parts.score import score
store = ConfigStore.instance()
defaults = ["_self_", {"net": "one"}, {"override hydra/sweeper": "fer_optuna"}]
sweeper = {"n_trials": 2, "direction": "min", "study_name": "mine"}
store.store(name="program", node={"defaults": defaults, "hydra": {
    "mode": "MULTIRUN", "sweeper": sweeper, "job_logging": {"root": {"level": "ERROR"}}}})
for name in ("one", "two"):
    store.store(group="net", name=name, node={"_target_": f"net_{name}.build"})

@hydra.main(version_base="1.3", config_path="pkg://fer_lightning.conf", config_name="program")
def main(config):
    return score(hydra.utils.instantiate(config.net))

if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}")
"""


def write_program(folder: Path) -> None:
    (folder / "parts").mkdir()
    (folder / "program.py").write_text(PROGRAM)
    (folder / "parts" / "__init__.py").write_text("")
    (folder / "parts" / "score.py").write_text("from .scale import SCALE\ndef score(x): return x * SCALE\n")
    (folder / "parts" / "scale.py").write_text("SCALE = 1.0\n")
    (folder / "parts" / "unrelated.py").write_text("")
    (folder / "net_one.py").write_text("def build(): return 1.0\n")
    (folder / "net_two.py").write_text("def build(): return 2.0\n")


def run_program(folder: Path, *words: str) -> str:
    """Run the program to its end; return its message if it refuses, else nothing."""
    command = [sys.executable, "program.py", "net=one,two", *words]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "HYDRA_FULL_ERROR": "1"}, capture_output=True, text=True
    )
    assert done.returncode in (0, 1), done.stderr
    assert (done.returncode == 1) == ("error: " in done.stderr), done.stderr
    return done.stderr.partition("error: ")[2].strip()


@pytest.mark.slow
def test_another_program_is_refused_when_a_file_that_it_runs_has_changed(tmp_path: Path) -> None:
    write_program(tmp_path)
    mine = tmp_path / "studies" / "mine"
    assert run_program(tmp_path) == ""
    files = [
        "net_one.py",
        "net_two.py",
        "parts/__init__.py",
        "parts/scale.py",
        "parts/score.py",
        "program.py",
    ]
    assert list(code_versions(load_study(mine))[0]["files"]) == files
    (tmp_path / "parts" / "unrelated.py").write_text("changed = 1\n")
    assert run_program(tmp_path) == ""

    # A module that the script's import imports, an option that is only searched, and the script itself.
    for name in ("parts/scale.py", "net_two.py", "program.py"):
        path = tmp_path / name
        before = path.read_text()
        path.write_text(before + "# changed\n")
        message = run_program(tmp_path)
        assert message.startswith(f"study mine was made with other code: {name} has changed; "), message
        path.write_text(before)
    (tmp_path / "parts" / "scale.py").write_text("SCALE = 10.0\n")
    # Both ways out work as they are written.
    assert run_program(tmp_path, "hydra.sweeper.study_name=other") == ""
    assert {trial.value for trial in load_trials(tmp_path / "studies" / "other")} <= {10.0, 20.0}
    more = ["hydra.sweeper.n_trials=6", "hydra.sweeper.workers=2"]
    assert run_program(tmp_path, "hydra.sweeper.changed_code=accept", *more) == ""
    values = [trial.value for trial in load_trials(mine)]
    assert set(values[:2]) <= {1.0, 2.0}
    assert set(values[2:]) <= {10.0, 20.0}
    assert [version["trials"] for version in code_versions(load_study(mine))] == [0, 2]
    assert run_program(tmp_path, *more) == ""


CALLBACK = """
from pytorch_lightning import Callback
class Mine(Callback):
    def on_train_epoch_end(self, trainer, module):
        if STOPS and trainer.current_epoch == 1:
            raise KeyboardInterrupt
"""


@pytest.mark.slow
def test_a_trial_goes_on_with_code_that_its_study_has_accepted(tmp_path: Path, tiny: list[str]) -> None:
    (tmp_path / "mine.py").write_text(f"STOPS = True\n{CALLBACK}")
    words = [
        "+experiment=ablation",
        *tiny,
        "trainer.max_epochs=3",
        "seeds=[0]",
        "study.workers=1",
        "study.page=false",
    ]
    factors = "{activation: {key: model.activation, levels: [selu], baseline: relu}}"
    words += ["~ablation", f"+ablation={{plan: one_factor, factors: {factors}}}"]
    words += ["+callbacks.mine._target_=mine.Mine"]

    def run(*more: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "fer_lightning", *words, *more]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    status, text = run()
    assert status == 130, text
    (tmp_path / "mine.py").write_text(f"STOPS = False\n{CALLBACK}")
    status, text = run()
    assert status == 2, text
    assert "was made with other code: mine.py has changed; hydra.sweeper.study_name=" in text
    status, text = run("changed_code=accept")
    assert status == 0, text
    assert "trial 0 was continued after mine.py had changed" in " ".join(text.split())
    (folder,) = (tmp_path / "studies").iterdir()
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("trial_*/run.json"))]
    assert [record["code_changed"] for record in records] == [["mine.py"], []]
    assert [record["continued_after_epochs"] for record in records] == [1, 0]
    assert records[0]["code"] == records[1]["code"] == code_versions(load_study(folder))[-1]["files"]
    status, text = run("seeds=[0,1]")
    assert status == 0, text
