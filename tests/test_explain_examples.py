"""The examples of explanations run, and find what was put into their pictures."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
from PIL import Image

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run an example in an empty folder and return what it prints."""

    def go(name: str) -> list[str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [name])
        with pl.utilities.seed.isolate_rng():
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return go


@pytest.mark.parametrize("name", ["lightning_callbacks.py", "saliency_function.py"])
def test_an_example_is_short(name):
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) < 60


def test_three_callbacks_in_a_program_of_ones_own(tmp_path, run):
    assert run("lightning_callbacks.py")[-1].startswith("see ")
    folder = tmp_path / "lightning_logs" / "version_0"
    counts = np.array(json.loads((folder / "confusion.json").read_text())["counts"])
    assert np.trace(counts) / counts.sum() > 0.9
    saliency = json.loads((folder / "saliency.json").read_text())
    assert saliency["verdict"] == "trusted"
    assert (folder / "dead_units.png").is_file()


def test_functions_of_a_network_of_ones_own(tmp_path, run):
    said = run("saliency_function.py")
    assert said[0].startswith("occlusion: trusted (insertion−deletion +0.")
    assert said[-1] == "see saliency.png"
    with Image.open(tmp_path / "saliency.png") as picture:
        assert min(picture.size) > 300
