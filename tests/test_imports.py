"""The layers that `pyproject.toml` declares hold: imports point one way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def check_layers(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of a checkout's `pyproject.toml`."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", LINT]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_imports_point_one_way() -> None:
    done = check_layers(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("redact.py", "fer_lightning.errors"),
        ("errors.py", "fer_lightning.sweeps.options"),
        ("sweeps/options.py", "fer_lightning.training.resume"),
        ("callbacks/timing.py", "fer_lightning.study.trial"),
        ("explain/lime_explanation.py", "fer_lightning.plots.lime"),
        ("plots/lime.py", "fer_lightning.explain.page.lime"),
    ],
)
def test_an_import_upwards_is_found(tmp_path: Path, module: str, imported: str) -> None:
    # The links are followed: a copy holds the linked folders themselves.
    shutil.copytree(
        ROOT / "fer_lightning",
        tmp_path / "fer_lightning",
        ignore=shutil.ignore_patterns("__pycache__", "*.yaml"),
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "fer_lightning" / module).open("a") as file:
        file.write(f"\nimport {imported}\n")
    done = check_layers(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    importer = f"fer_lightning.{module.removesuffix('.py').replace('/', '.')}"
    assert f"{importer} -> {imported}" in done.stdout
