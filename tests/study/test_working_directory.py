"""A relative path begins where it was typed, also where a job runs in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_lightning.cli import main
from fer_lightning.runs.run import Run


def faces(folder: Path) -> None:
    grey = np.random.default_rng(0)
    for name in ("calm", "cross"):
        (folder / name).mkdir(parents=True)
        for number in range(12):
            Image.fromarray(grey.integers(0, 255, (48, 48), dtype=np.uint8)).save(
                folder / name / f"{number}.png"
            )


def test_a_job_in_its_own_folder_finds_what_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    faces(tmp_path / "faces")
    words = ["data=image_folder", "data.path=faces", "trainer.max_epochs=1", "threads=1", "logger=csv"]
    words += ["data.batch_size=8", "hydra.job.chdir=true", "data.cache_dir=cache", "scheduler=constant"]
    assert main([*words, "hydra.run.dir=first"]) == 0
    assert main([*words, "hydra.run.dir=second", "resume=first", "trainer.max_epochs=2"]) == 0
    assert Run(tmp_path / "second").record["continued_after_epochs"] == 1
    assert (tmp_path / "cache").is_dir()


@pytest.mark.slow
def test_a_study_in_folders_of_its_own_is_one_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [
        "+experiment=search",
        *tiny,
        "hydra.job.chdir=true",
        "hydra.sweep.dir=study",
        "hydra.sweeper.n_trials=2",
        *(f"~search_space.{name}" for name in ("dropout", "activation", "normalization", "augmentation")),
    ]
    assert main([*command, "hydra.sweeper.storage=all.db", "study.workers=2"]) == 0
    assert (tmp_path / "study" / "report.html").is_file()
    assert (tmp_path / "all.db").is_file()
