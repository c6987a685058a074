"""The wheel holds the package, its configuration and its plugin, and claims no other name."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COPIED = ("conf", "callbacks", "sweeps", "fer_lightning", "hydra_plugins", "pyproject.toml", "README.md")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # From a copy: building leaves folders behind.
    folder = tmp_path_factory.mktemp("source")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(source, folder / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return next((folder / "dist").glob("*.whl"))


def expected_files() -> set[str]:
    names = set()
    for folder, suffix in (
        ("fer_lightning", ".py"),
        *(("fer_lightning", suffix) for suffix in (".j2", ".css", ".js")),
        ("callbacks", ".py"),
        ("sweeps", ".py"),
        ("conf", ".yaml"),
    ):
        for path in (ROOT / folder).rglob(f"*{suffix}"):
            name = str(path.relative_to(ROOT))
            if not any((ROOT / parent).is_symlink() for parent in Path(name).parents):
                names.add(name if folder == "fer_lightning" else f"fer_lightning/{name}")
    return names | {"fer_lightning/conf/__init__.py", "hydra_plugins/fer_lightning_sweeper.py"}


def test_every_module_and_configuration_file_is_in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert expected_files() <= names


def test_the_only_top_level_names_are_ours(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert top == {"fer_lightning", "hydra_plugins"}


@pytest.mark.slow
def test_the_unpacked_wheel_trains(wheel, tmp_path, tiny):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    command = [
        sys.executable,
        "-c",
        "from fer_lightning.cli import main; import sys; sys.exit(main())",
        *tiny,
    ]
    command += ["hydra.run.dir=run"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "run.json").is_file()
