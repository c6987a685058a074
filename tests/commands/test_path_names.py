"""Folders and files of any name, from the command line to what is written, for every command that takes one."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from PIL import Image

from fer_lightning.cli import main
from fer_lightning.runs.run import Run
from path_names import NAMES, NASTY, examples
from tiny_words import TINY

# pytest-xdist ends where a warning names a path with bytes that are no UTF-8.
pytestmark = pytest.mark.filterwarnings("ignore")

NET = [*TINY, "model=dnn", "model.widths=[8]"]
CHEAP = settings(
    max_examples=10,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# Beside the examples that are named.
COSTLY = settings(CHEAP, max_examples=2, phases=[Phase.explicit, Phase.generate])
SEARCH = [
    *["+experiment=search", *NET, "study.page=false"],
    *(f"~search_space.{name}" for name in ("dropout", "activation", "normalization", "augmentation")),
]
RUN_NAMES = NAMES.filter(lambda name: "${" not in name and "::" not in name)
FEW = ("a{b}\\,[x=1] #~'\":c", "été\udcf6\n表 %20?a#b")


def run(*words: str) -> str:
    """Run a command, which must succeed, on a terminal that takes UTF-8 only; return what it says."""
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(said), redirect_stderr(said):
        status = main(list(words))
        said.flush()
    text = said.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert status == 0, text
    return text


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in a folder with a plain name, and a picture."""
    folder = tmp_path_factory.mktemp("trained")
    run(*NET, f"hydra.run.dir={folder}/run")
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (48, 48), dtype=np.uint8)).save(folder / "picture.png")
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two trials in a folder with a plain name."""
    folder = tmp_path_factory.mktemp("studies") / "study"
    run(*SEARCH, "hydra.sweeper.n_trials=2", f"hydra.sweep.dir={folder}")
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, emptied by `emptied`."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def emptied(place: Path, name: str, other: str) -> None:
    assume(name != other)
    for path in place.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def typed(name: str) -> str:
    """A name as it is typed where it may not begin a word."""
    return f"./{name}" if name[0] in "~-+" else name


@CHEAP
@given(NAMES, NAMES)
@examples()
def test_evaluate_and_compare(trained, place, name, other):
    emptied(place, name, other)
    shutil.copytree(trained / "run", place / name)
    words = [f"checkpoint={typed(name)}/checkpoints/best.ckpt", "split=test"]
    run("evaluate", *words, f"output=./{other}/one")
    assert sorted(os.listdir(place)) == sorted({name, other})
    found = json.loads((place / other / "one" / "evaluation.json").read_text())
    assert found["all_faces"]["faces"] == 48
    shutil.copytree(place / other / "one", place / f"{other[:30]}+")
    assert "\ntwo " in run("compare", f"one=./{other}/one", f"two={typed(other[:30])}+")


@CHEAP
@given(NAMES, NAMES)
@examples()
def test_predict(trained, place, name, other):
    emptied(place, name, other)
    (place / name).mkdir()
    shutil.copy(trained / "run" / "checkpoints" / "best.ckpt", place / name / other)
    shutil.copy(trained / "picture.png", place / name / f"{other[:30]}.png")
    words = [f"checkpoint={typed(name)}/{other}", f"{typed(name)}/{other[:30]}.png", "format=csv"]
    for picture in (words[1], str(place / name)):
        run("predict", words[0], picture, "format=csv", f"output=./{other}.csv")
        ((found, *_),) = list(csv.reader(io.StringIO((place / f"{other}.csv").read_text())))[1:]
        assert found.endswith(".png")
        assert run("predict", words[0], picture, "format=csv") == (place / f"{other}.csv").read_text()
    assert sorted(os.listdir(place)) == sorted([name, f"{other}.csv"])


@pytest.mark.slow
@COSTLY
@given(NAMES, NAMES)
@examples(*NASTY[:8])
def test_report_and_runs(study, place, name, other):
    emptied(place, name, other)
    shutil.copytree(study, place / name)
    said = run("report", typed(name), f"output=./{other}", "page=false")
    assert "2 trials complete" in said
    assert sorted(os.listdir(place)) == sorted([name, other])
    shutil.rmtree(place / other)
    run("runs", typed(name), f"output=./{other}.csv")
    assert len((place / f"{other}.csv").read_text().splitlines()) == 3


@pytest.mark.slow
@COSTLY
@given(NAMES, NAMES)
@examples(*FEW)
def test_explain(trained, place, name, other):
    emptied(place, name, other)
    shutil.copytree(trained / "run", place / name)
    shutil.copy(trained / "picture.png", place / name / "picture.png")
    words = [f"checkpoint={typed(name)}/checkpoints/best.ckpt", f"image={typed(name)}/picture.png"]
    run("explain", *words, "only=[confusion]", f"output=./{other}")
    assert sorted(os.listdir(place)) == sorted([name, other])
    pictures = list((place / other).rglob("*.png"))
    assert (place / other / "explanations.html").read_text().count("<img ") == len(pictures) > 0


@pytest.mark.slow
@COSTLY
@given(RUN_NAMES, RUN_NAMES)
@examples(*FEW)
def test_train_and_resume(place, name, other):
    emptied(place, name, other)
    (place / name).mkdir()
    words = [*NET, "scheduler=constant"]
    run(*words, f"hydra.run.dir={typed(name)}")
    assert os.listdir(place) == [name]
    assert Run(place / name).record["status"] == "complete"
    assert [row["epoch"] for row in Run(place / name).metrics] == [0]
    (place / other).mkdir()
    words += ["trainer.max_epochs=2", f"resume={typed(name)}/checkpoints/last.ckpt"]
    run(*words, f"hydra.run.dir={typed(other)}")
    assert sorted(os.listdir(place)) == sorted([name, other])
    assert [row["epoch"] for row in Run(place / other).metrics] == [0, 1]


@pytest.mark.slow
@settings(COSTLY, phases=[Phase.explicit])
@given(RUN_NAMES, RUN_NAMES)
@examples(*FEW)
def test_a_study(place, name, other):
    emptied(place, name, other)
    (place / name).mkdir()
    run(*SEARCH, "hydra.sweeper.n_trials=1", f"hydra.sweep.dir={typed(name)}")
    assert os.listdir(place) == [name]
    (place / name).rename(place / f"{other[:30]}+")
    assert "1 trial complete" in run("report", f"./{other[:30]}+", "page=false")


@pytest.mark.parametrize(("name", "mark"), [("a${b}", "${"), ("a::b", "::")])
@pytest.mark.parametrize(("words", "key"), [([], "run"), (["-m", "seed=0,1"], "sweep")])
def test_a_folder_that_would_be_another_is_refused(place, name, mark, words, key):
    (place / name).mkdir()
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        assert main([*words, *NET, f"hydra.{key}.dir={name}"]) == 2
    assert f"fer_lightning: hydra.{key}.dir={name}: " in said.getvalue()
    assert f" reads the {mark} in its path" in said.getvalue()
    assert not list((place / name).iterdir())
