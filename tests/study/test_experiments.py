from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import fer_lightning.conf
from fer_lightning.cli import main
from fer_lightning.sweeps.study.results import load_trials

EXPERIMENTS = sorted((Path(fer_lightning.conf.__file__).parent / "experiment").glob("*.yaml"))
ONE_SEED = ["seeds=[0]", "study.workers=1", "study.page=false"]
EACH_EPOCH = [*ONE_SEED, "trainer.check_val_every_n_epoch=1"]
SWEEPS = {
    "search": ["hydra.sweeper.n_trials=2", "study.page=false"],
    "ablation": ["ablation.plan=one_factor", *ONE_SEED],
    # The VGGs are large: one arm beside the baseline.
    "r1_vgg16": [
        *[*EACH_EPOCH, "~ablation.factors.augmentation"],
        "ablation.factors.activation.levels=[selu]",
    ],
    "r1_scaling": [*EACH_EPOCH, "~ablation.factors.norm", "~ablation.factors.rate"],
    # Its dense nets train longer, which would overrule what makes a step here.
    "r0_size": [
        *[*EACH_EPOCH, "~ablation.factors.net.levels.dnn_batch_norm"],
        "ablation.factors.net.levels.dnn=['model=dnn','model.match=cnn_pad','augmentation=none']",
    ],
    "record_ablation": EACH_EPOCH,
}
# Ordinary multiruns: what makes them short, and the folders of their runs.
MULTIRUNS = {"r2_train_val": (["hydra.sweeper.params.seed='0,1'"], ["0", "1"])}
STEP = [
    "trainer.check_val_every_n_epoch=1",
    "trainer.limit_train_batches=1",
    "trainer.max_epochs=1",
    "trainer.limit_val_batches=1",
    "data.batch_size=8",
]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_makes_one_step(here, tiny, path):
    own = [word for word in tiny if not word.startswith(("trainer.max_epochs", "data."))]
    drawn = ["data=synthetic", *[word for word in tiny if word.startswith("data.drawing")]]
    short, folders = MULTIRUNS.get(path.stem, (SWEEPS.get(path.stem, []), ["."]))
    several = path.stem in SWEEPS or path.stem in MULTIRUNS
    place = f"hydra.{'sweep' if several else 'run'}.dir={here}/out"
    assert main([f"+experiment={path.stem}", *own, *drawn, *STEP, place, *short]) == 0
    if path.stem in SWEEPS:
        trials = load_trials(here / "out")
        assert {trial.state for trial in trials} <= {"COMPLETE", "PRUNED"}
    else:
        for folder in folders:
            assert json.loads((here / "out" / folder / "run.json").read_text())["status"] == "complete"


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_begins_with_its_command(path):
    head = path.read_text(encoding="utf-8").split("\ndefaults:")[0]
    assert f"python -m fer_lightning +experiment={path.stem}" in head


def test_the_ablation_ends_with_a_table_and_goes_on_with_more_seeds(here, tiny, capsys):
    command = ["+experiment=ablation", *tiny, f"hydra.sweep.dir={here}/study"]
    command += [
        "~ablation.factors.dropout",
        "~ablation.factors.activation",
        "~ablation.factors.normalization",
    ]
    assert main([*command, "seeds=[0,1]"]) == 0
    first = capsys.readouterr().out
    assert "SYNTHETIC" in first
    assert "baseline" in first
    assert "augmentation=" in first
    assert "guessing: chance 14.29 %, majority class (happy)" in " ".join(first.split())
    names = {path.name for path in (here / "study").iterdir()}
    assert {"report.txt", "report.md", "report.csv", "report.json", "effects.png", "study.db"} <= names
    sheets = [json.loads(path.read_text()) for path in (here / "study").glob("trial_*/saliency.json")]
    assert len(sheets) > 2
    assert len({tuple(face["id"] for face in sheet["faces"]) for sheet in sheets}) == 1
    before = {trial.number: trial.seconds for trial in load_trials(here / "study")}
    assert main([*command, "seeds=[0,1,2]"]) == 0
    trials = load_trials(here / "study")
    cells = [(trial.arm, trial.seed) for trial in trials]
    assert len(cells) == len(set(cells)) == len(before) * 3 // 2
    assert {trial.number: trial.seconds for trial in trials if trial.number in before} == before
    with (here / "study" / "report.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len({arm for arm, _ in cells})
    # No two synthetic faces are copies, so the verdicts without copies are the same and say what they are of.
    capsys.readouterr()
    assert main(["report", f"{here}/study", "faces=no_copy", f"output={here}/kept"]) == 0
    assert "without faces that have a copy in training" in " ".join(capsys.readouterr().out.split())
    assert not (here / "kept" / "report.html").exists()
    with (here / "kept" / "report.csv").open() as stream:
        kept = list(csv.DictReader(stream))
    # What a run recorded as its accuracy is of single precision.
    means = [[float(row["mean"]) for row in table] for table in (kept, rows)]
    assert means[0] == pytest.approx(means[1], abs=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["faces=some", "output=o"], "faces=some: expected one of all, no_copy, no_near_copy"),
        (
            ["faces=no_copy"],
            "faces=no_copy needs output=DIR: the report in the study's folder is of all faces",
        ),
        (
            ["data.path=x", "gallery=false", "slices=false"],
            "data.path: is read with faces=no_copy or faces=no_near_copy, for slices, or for the page with its gallery",
        ),
    ],
)
def test_what_a_report_without_copies_needs_is_said(tmp_path, capsys, words, message):
    assert main(["report", str(tmp_path), *words]) == 2
    assert message in capsys.readouterr().err


def test_a_study_is_reported_again_from_its_folder(here, tiny, capsys):
    command = ["+experiment=search", *tiny, f"hydra.sweep.dir={here}/study", "hydra.sweeper.n_trials=3"]
    assert main([*command, "hydra/sweeper/pruner=none"]) == 0
    first = capsys.readouterr().out
    assert "3 trials complete, 0 pruned, 0 failed" in first
    assert main(["report", f"{here}/study", "faces=no_copy", f"output={here}/none"]) == 2
    assert "is no ablation; expected one, a search has no verdicts" in capsys.readouterr().err
    assert main(["report", f"{here}/study", f"output={here}/again"]) == 0
    assert "\n".join(capsys.readouterr().out.splitlines()[:8]) in first
    assert {path.name for path in (here / "again").iterdir()} >= {"history.png", "parallel.png", "slices.png"}


def test_an_ordinary_multirun_needs_no_study(here, tiny):
    assert main(["-m", *tiny, "model.activation=relu,selu", f"hydra.sweep.dir={here}/m"]) == 0
    records = [json.loads(path.read_text()) for path in sorted((here / "m").glob("*/run.json"))]
    assert [record["status"] for record in records] == ["complete", "complete"]


def test_a_study_that_torchrun_starts_several_times_is_refused(here, tiny, monkeypatch, capsys):
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert main(["+experiment=search", *tiny]) == 2
    assert "LOCAL_RANK=1: torchrun would start a study" in capsys.readouterr().err
