"""The Python API: what the page and the examples show runs, nothing is left behind, a notebook shows results."""

from __future__ import annotations

import ast
import inspect
import logging
import os
import re
import runpy
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import hydra
import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

import fer_lightning as fl
from fer_lightning import messages

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def test_the_import_is_light_and_names_what_there_is():
    program = (
        "import sys, fer_lightning as fl\n"
        "heavy = {'torch', 'hydra', 'numpy', 'pandas', 'matplotlib', 'pydantic'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert set(fl.__all__) <= set(dir(fl))\n"
        "import fer_lightning.report.text\n"  # before the function of that name is asked for
        "assert callable(fl.report) and fl.report.text.WIDTH == 110\n"
        "print('light')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "light\n"
    assert all(callable(getattr(fl, name)) for name in fl.__all__)
    assert "checkpoint" in inspect.signature(fl.explain).parameters
    assert "study" in inspect.signature(fl.report).parameters
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        fl.trian  # noqa: B018


def test_the_names_that_types_know_are_those_that_are_found():
    tree = ast.parse((ROOT / "fer_lightning" / "__init__.py").read_text())
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {
        alias.name: node.module
        for block in blocks
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(typed) == sorted(fl.__all__)
    assert typed == {name: f"fer_lightning.{place}" for name, place in fl._PLACE_OF.items()}


def state() -> tuple[object, ...]:
    root = logging.getLogger()
    variables = {
        key: value for key, value in os.environ.items() if key.startswith(("HYDRA", "FER_", "PYTHONPATH"))
    }
    return (
        GlobalHydra.instance().hydra,
        HydraConfig.instance().cfg,
        list(root.handlers),
        root.level,
        list(sys.argv),
        list(sys.orig_argv),
        os.getcwd(),
        variables,
    )


@pytest.mark.slow
def test_the_page_runs_as_it_stands_and_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 10
    with hydra.initialize(version_base=None, config_path=None):  # a Hydra of the user's own
        before = state()
        for block in blocks:
            exec(block, names)
            assert state() == before, block
    assert GlobalHydra.instance().hydra is None
    printed = capsys.readouterr().out
    assert printed.startswith("test: 1 model on SYNTHETIC DATA")  # what the page prints itself, and no more
    assert "Ablation" not in printed

    run, study, tried = names["run"], names["study"], names["tried"]
    assert run.record["command"].startswith("python -m fer_lightning data.drawing.n_train=96")
    assert run.value == pytest.approx(float(run.predictions.correct.mean()))
    assert names["found"].metrics["acc"] == pytest.approx(
        fl.evaluate(run.checkpoint, "test", output="again").metrics["acc"]
    )
    arms = study.comparison.report.arm("activation=selu")
    assert arms.seeds == (0, 1, 2)
    assert {trial.run.config["model"]["activation"] for trial in study.trials} == {"relu", "selu"}
    # The study's values are those of single runs with the same settings.
    alone = fl.train(names["small"], {"model.activation": "selu"}, seed=2, optimizer=study_optimizer(study))
    assert alone.value == next(t.value for t in study.trials if t.seed == 2 and t.arm == "activation=selu")
    assert len(tried.trials) == 2
    assert tried.best.value == max(trial.value for trial in tried.trials)
    assert 1e-4 <= tried.best.params["optimizer.lr"] <= 1e-2
    assert names["again"].verdicts == study.verdicts
    # With the single runs as if from elsewhere: the same verdict as the study's.
    again = fl.compare({t.arm: {} for t in study.trials} | by_arm(study), metric="val/acc")
    assert again.report.arm("activation=selu").effect == arms.effect
    for shown in (run, study, tried, names["found"], names["seen"], names["shown"], names["judged"]):
        html = shown._repr_html_()
        assert "<table>" in html
        assert "<p></p>" not in html
        assert "\n" not in repr(shown)  # a list of them, or IPython in a terminal
        assert len(repr(shown)) < 200
        if shown is not names["found"] and shown is not names["seen"]:
            assert "data:image/png;base64," in html
    (tmp_path / "runs" / "one" / "checkpoints" / "best.ckpt").unlink()
    assert run.checkpoint.name == "last.ckpt"


def study_optimizer(study: fl.Study) -> dict[str, object]:
    return {"lr": study.runs[0].config["optimizer"]["lr"]}


def by_arm(study: fl.Study) -> dict[str, dict[int, fl.Run]]:
    found: dict[str, dict[int, fl.Run]] = {}
    for trial in study.trials:
        found.setdefault(trial.arm, {})[trial.seed] = trial.run
    return found


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60


def test_the_example_on_results_from_elsewhere_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / "compare_elsewhere.py"), run_name="__main__")
    said = capsys.readouterr().out
    assert "gelu has no run with seed 3: 3 pairs of gelu and relu" in " ".join(said.split())
    assert "{'int8': 'better', 'fp32': 'baseline'}" in said
    assert (tmp_path / "verdicts" / "effects.png").is_file()


@pytest.mark.slow
def test_the_example_of_every_function_runs_as_a_script_without_a_guard(tmp_path):
    # With a second process, which must not begin the script anew.
    text = (EXAMPLES / "python_api.py").read_text(encoding="utf-8").replace("workers=1", "workers=2")
    (tmp_path / "script.py").write_text("print('begun')\n" + text)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("begun") == 1
    log = (tmp_path / "studies" / "activation" / "worker_1.log").read_text()
    assert "begun" not in log
    assert "Traceback" not in log


def test_mistakes_are_exceptions_of_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mistakes = {
        "modell: no such key; did you mean model?": lambda: fl.train(modell="cnn"),
        "fl.ablation and fl.search run one": lambda: fl.train("+experiment=ablation"),
        "no such checkpoint": lambda: fl.evaluate("none.ckpt"),
        "split=tests: expected one of": lambda: fl.evaluate("none.ckpt", "tests"),
        "no such folder": lambda: fl.report("nowhere"),
        "no checkpoint; expected the folder of a run": lambda: fl.predict(fl.Run(tmp_path), "a.png"),
        "factors: model.activation=['relu']; expected a list of levels": lambda: fl.ablation(
            factors={"model.activation": ["relu"]}
        ),
        "did you mean small": lambda: fl.search(model="smal"),
        "only=confusio: no such part": lambda: fl.explain("none.ckpt", "out", only="confusio"),
    }
    for message, call in mistakes.items():
        with pytest.raises(fl.UserError) as error:
            call()
        assert message in str(error.value), message
        assert "\n" not in str(error.value)
    assert GlobalHydra.instance().hydra is None
    assert list(tmp_path.iterdir()) == []


def test_a_study_whose_runs_fail_is_an_exception(tmp_path, monkeypatch, tiny):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(fl.RunsFailedError, match="all of its 2 trials failed"):
        fl.ablation(
            *tiny,
            {"optimizer.lr": 1e30, "study.page": False},
            factors={"model.activation": ["relu", "selu"]},
            seeds=[0],
            workers=1,
            folder="study",
        )


def test_arrays_that_are_no_faces_are_refused(tmp_path, tiny):
    run = fl.train(*tiny, folder=tmp_path / "run")
    with pytest.raises(fl.DataError, match=r"float64 of shape \[2, 48, 48\]; expected uint8 \[N, 48, 48\]"):
        fl.predict(run, np.zeros((2, 48, 48)))
    with pytest.raises(fl.ConfigError, match="the folder holds a run that is complete"):
        fl.train(*tiny, folder=tmp_path / "run")


def test_a_bar_is_a_notebooks_in_a_notebook(monkeypatch):
    shell = type("ZMQInteractiveShell", (), {"config": {"IPKernelApp": {}}})()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    assert not messages.shows_bars()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert messages.shows_bars()
    for name in ("tqdm.auto", "tqdm.autonotebook"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # tqdm warns where ipywidgets is missing
        with messages.new_bar(range(2), disable=True) as bar:
            assert isinstance(bar, sys.modules["tqdm.auto"].tqdm)
            assert list(bar) == [0, 1]
