"""A net of one's own from the first command to the last: the page that tells of it, and the example."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

import my_nets
from fer_lightning.cli import main
from fer_lightning.models import count_parameters
from fer_lightning.runs.run import Run
from fer_lightning.sweeps.study.results import load_trials

ROOT = Path(__file__).parents[2]
OWN = ["model=custom", "model._target_=my_nets.Net"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_file_of_ones_own_is_an_option_of_model(here, tiny, capsys):
    write(here / "my" / "model" / "mine.yaml", "# Mine.\n_target_: my_nets.Net\nwidth: 5\n")
    assert main(["--config-dir", "my", "summary", "model=mine", "model.width=6"]) == 0
    assert f"{count_parameters(my_nets.Net(7, 6)).total:,}" in capsys.readouterr().out
    search = f"hydra.searchpath=[file://{here}/my]"
    assert main([*tiny, search, "model=mine", f"hydra.run.dir={here}/run"]) == 0
    assert Run(here / "run").record["parameters"]["total"] == count_parameters(my_nets.Net(7, 5)).total


def test_a_misspelt_argument_is_named_before_anything_runs(here, tiny, capsys):
    assert main([*tiny, *OWN, "model.widht=4", f"hydra.run.dir={here}/run"]) == 2
    said = capsys.readouterr().err
    assert said.strip() == "fer_lightning: model.widht: no such key; did you mean model.width?"
    assert not (here / "run").exists()


def test_an_ablation_over_its_arguments(here, tiny):
    plan = "# Mine.\nplan: one_factor\nfactors:\n  width: {key: model.width, baseline: 4, levels: [8]}\n"
    write(
        here / "my" / "ablation" / "width.yaml",
        plan + "  rate: {key: model.rate, baseline: 0.0, levels: [0.5]}\n",
    )
    words = ["--config-dir", "my", "+experiment=ablation", "ablation=width", *OWN, *tiny, "seeds=[0]"]
    assert main([*words, "study.workers=1", "study.page=false", f"hydra.sweep.dir={here}/study"]) == 0
    trials = load_trials(here / "study")
    assert {trial.state for trial in trials} == {"COMPLETE"}
    sizes = sorted(
        run.record["parameters"]["total"] for run in map(Run, (here / "study").glob("*/")) if run.record
    )
    four, eight = (count_parameters(my_nets.Net(7, width)).total for width in (4, 8))
    assert sizes == [four, four, eight]


def test_a_search_over_its_arguments(here, tiny):
    space = "# Mine.\nwidth: {key: model.width, choices: [3, 4, 5]}\n"
    space += "rate: {key: model.rate, type: float, low: 0.0, high: 0.5}\n"
    write(here / "my" / "search_space" / "mine.yaml", space)
    words = [
        "--config-dir",
        "my",
        "+experiment=search",
        "search_space=mine",
        *OWN,
        *tiny,
        "hydra.sweeper.n_trials=2",
    ]
    assert main([*words, "study.page=false", f"hydra.sweep.dir={here}/study"]) == 0
    assert {trial.state for trial in load_trials(here / "study")} == {"COMPLETE"}


def test_the_example_is_short_and_runs(tmp_path, tiny, monkeypatch, capsys):
    path = ROOT / "examples" / "own_network.py"
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60
    monkeypatch.syspath_prepend(str(path.parent))
    monkeypatch.setattr("sys.argv", [str(path), str(tmp_path), *tiny])
    runpy.run_path(str(path), run_name="__main__")
    printed = capsys.readouterr().out
    assert printed.startswith("Net: 11,671 parameters")
    assert len(re.findall(r"^best val/acc .* kept in ", printed, re.MULTILINE)) == 2
    assert Run(tmp_path / "second").record["weights"] is not None
