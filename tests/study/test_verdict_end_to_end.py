"""Whole programs that minimise, another's and this one: what they print and write calls less better."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from fer_lightning.cli import main
from fer_lightning.errors import DataError
from fer_lightning.sweeps.study.place import read_place
from fer_lightning.sweeps.study.results import Trial, load_study, study_folder
from sweep_runner import run_here

PLAN = (
    "ablation={plan:one_factor,factors:{"
    "activation:{key:model.activation,levels:[relu,selu],baseline:leaky_relu}}}"
)
FOREIGN = ["plain_return=true", "hydra.sweeper.n_trials=null", "jitter=0.002", "hydra/callbacks=study_report"]
ERROR = ["hydra.sweeper.objective=error", "hydra.sweeper.direction=min", "hydra.sweeper.unit=mm"]
# The toy program's score, taken for an error: ReLU has the least, SELU the most.
WORDS = {"activation=relu": "better", "baseline": "baseline", "activation=selu": "worse"}


@pytest.fixture
def sweep(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def run(*overrides: str) -> list[Trial]:
        return run_here(monkeypatch, tmp_path, *FOREIGN, *overrides)

    return run


def words_in(folder: Path) -> dict[str, str]:
    with (folder / "report.csv").open() as stream:
        return {row["arm"]: row["verdict"] for row in csv.DictReader(stream)}


@pytest.mark.parametrize("storage", ["null", "journal", "all.db", "shared/all.journal"])
def test_another_program_that_minimises(
    sweep: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], storage: str
) -> None:
    sweep(PLAN, "seeds=[0,1,2,3]", *ERROR, f"hydra.sweeper.storage={storage}")
    printed = capsys.readouterr().out
    folder = tmp_path / "sweep"
    assert list(words_in(folder).items()) == list(WORDS.items())
    rows = re.findall(r"^(activation=\w+|baseline) .*?  (better|worse|baseline) ", printed, re.MULTILINE)
    assert rows == list(WORDS.items())
    assert "error mm" in printed
    assert "%  " not in printed
    page = (folder / "report.html").read_text()
    assert re.search(
        r'<li data-verdict="better">Better than baseline \(lower is better\): activation=relu \(-', page
    )
    assert re.search(
        r'<li data-verdict="worse">Worse than baseline \(lower is better\): activation=selu \(\+', page
    )
    # Reported again from its folder alone, wherever it is stored.
    again = tmp_path / "again"
    assert main(["report", str(folder), f"output={again}"]) == 0
    assert list(words_in(again).items()) == list(WORDS.items())
    assert study_folder(load_study(folder), folder) == folder
    elsewhere = storage.startswith(("all", "shared"))
    assert (folder / "study.json").exists() == elsewhere
    if elsewhere:
        found = json.loads((folder / "study.json").read_text())
        assert found["relative"] == f"../{storage}"
        moved = folder.rename(tmp_path / "moved")
        assert load_study(moved).study_name == found["study"]
        assert study_folder(load_study(moved), moved) == moved


def test_two_studies_in_one_storage_are_told_by_their_folders(sweep: Any, tmp_path: Path) -> None:
    shared = ["hydra.sweeper.storage=all.db", "seeds=[0]", *ERROR]
    first = sweep(PLAN, *shared)
    (tmp_path / "sweep").rename(tmp_path / "first")
    second = sweep(PLAN.replace("relu,selu", "selu"), *shared)
    assert (len(first), len(second)) == (3, 2)
    assert len(load_study(tmp_path / "first").trials) == 3
    with pytest.raises(DataError, match=r"holds several studies \(.+, .+\); expected one"):
        load_study(tmp_path / "all.db")
    # Stored in its own folder, a study is found there.
    (tmp_path / "sweep").rename(tmp_path / "second")
    (tmp_path / "first").rename(tmp_path / "sweep")
    sweep(PLAN, "seeds=[0]", *ERROR)
    assert read_place(tmp_path / "sweep") is None


def test_a_program_without_a_metric_has_a_neutral_objective(
    sweep: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep(PLAN, "seeds=[0,1,2]", "hydra.sweeper.objective=null", "+mode=train")
    study = load_study(tmp_path / "sweep")
    assert study.user_attrs["objectives"] == ["objective"]
    assert study.directions[0].name == "MAXIMIZE"
    assert words_in(tmp_path / "sweep")["activation=selu"] == "better"
    assert "objective, higher is better" in capsys.readouterr().out


def test_a_search_that_minimises_lists_the_lowest_first(
    sweep: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = sweep("optimizer.lr=interval(0.0,1.0)", *ERROR, "hydra.sweeper.n_trials=6")
    printed = capsys.readouterr().out
    lowest = sorted(records, key=lambda record: record.value or 0.0)
    assert "Best by error, lower is better:" in printed
    listed = re.findall(r"^ +(\d+) +([\d.]+)  optimizer.lr=", printed, re.MULTILINE)
    assert [(int(number), float(value)) for number, value in listed] == [
        (record.number, pytest.approx(record.value, abs=1e-4)) for record in lowest[:5]
    ]
    page = (tmp_path / "sweep" / "report.html").read_text()
    assert "Which lr give the lowest error?" in page
    assert f"Best: run {lowest[0].number}, error {lowest[0].value:.4f} mm, with" in page


def test_a_unit_is_changed_at_any_time(sweep: Any, tmp_path: Path) -> None:
    command = [PLAN, "seeds=[0]", *ERROR]
    before = sweep(*command)
    assert sweep(*command[:-1], "hydra.sweeper.unit=share") == before
    assert load_study(tmp_path / "sweep").user_attrs["unit"] == "share"
    report = json.loads((tmp_path / "sweep" / "report.json").read_text())
    assert report["objective"]["unit"] == "share"


def test_a_study_of_an_earlier_version_is_judged_rightly_and_says_so(
    sweep: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_lightning.sweeps.study.open.JUDGED_BY", "unknown to earlier versions")
    sweep(PLAN, "seeds=[0,1,2,3]", "hydra.sweeper.direction=min")
    monkeypatch.undo()
    folder = tmp_path / "sweep"
    earlier = {"metric": "val/acc", "rules": {"higher_is_better": True}, "arms": []}
    (folder / "report.json").write_text(json.dumps(earlier))
    note = "judged val/acc, higher is better; this study minimises val/acc, and the verdicts here follow that"
    for _ in range(2):
        assert main(["report", str(folder)]) == 0
        assert list(words_in(folder).items()) == list(WORDS.items())
        assert note in " ".join((folder / "report.txt").read_text().split())
        assert note in (folder / "report.md").read_text().replace("\\_", "_")
        assert note in (folder / "report.html").read_text()
        assert json.loads((folder / "report.json").read_text())["earlier"] == ["val/acc", True]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["hydra.sweeper.objective=val/loss", "hydra.sweeper.direction=min"],
            "hydra.sweeper.objective=val/loss with metric=val/acc: ",
        ),
        (["hydra.sweeper.direction=min"], "hydra.sweeper.direction=min with mode=max: "),
        (["metric=val/loss"], "mode=max with metric=val/loss: lower is better; expected mode=min"),
    ],
)
def test_a_contradiction_is_refused_before_any_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tiny: list[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["+experiment=ablation", *tiny, "seeds=[0]", "study.workers=1", *words]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_study_of_the_loss_is_judged_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tiny: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    factors = [f"~ablation.factors.{name}" for name in ("dropout", "normalization", "augmentation")]
    command = ["+experiment=ablation", *tiny, *factors, "seeds=[0,1,2]", "study.workers=1"]
    assert main([*command, "metric=val/loss", "mode=min", "hydra.sweep.dir=study"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^arm .* val/loss  ", printed, re.MULTILINE)
    assert "val/loss, lower is better" in printed
    report = json.loads((tmp_path / "study" / "report.json").read_text())
    records = [json.loads(path.read_text()) for path in sorted((tmp_path / "study").glob("trial_*/run.json"))]
    baseline = next(row for row in report["arms"] if row["arm"] == "baseline")
    for row in report["arms"]:
        if row["effect"] is not None:
            assert row["effect"]["method"] == "seeds only"
            assert row["effect"]["note"] is None
            assert row["effect"]["mean"] == pytest.approx(row["mean"] - baseline["mean"])
    losses = sorted(record["best"]["val/loss"] for record in records)
    assert min(row["mean"] for row in report["arms"]) >= losses[0]
    effects = [row["effect"]["mean"] if row["effect"] else 0.0 for row in report["arms"]]
    assert effects == sorted(effects)
    # After one epoch a net may well predict one class only, which is said.
    assert [note for note in report["notes"] if "collapsed" not in note] == []
