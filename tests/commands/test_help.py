"""Help of every command, and what is imported for what trains nothing."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_forms import small_fer, write_folder, write_zip
from fer_lightning.cli import COMMANDS, main
from fer_lightning.sweeps.study.identity import study_name
from tiny_words import TINY
from training_runs import run


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("words", [["--help"], ["output=x", "-h"]])
def test_every_command_has_help_with_its_keys_and_an_example(
    name: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, *words]) == 0
    said = capsys.readouterr().out
    module = import_module(COMMANDS[name][0])
    assert f"  python -m fer_lightning {name} {module.EXAMPLE}" in said
    keys = {item.name for item in fields(module.Keys)} if hasattr(module, "Keys") else set()
    assert all(f"  {key}=" in said for key in keys)
    assert "typing." not in said
    typed = {word.partition("=")[0] for word in shlex.split(module.EXAMPLE) if "=" in word}
    if name not in ("compare", "summary", "audit"):  # whose words may have names of one's own
        assert typed <= keys


@pytest.mark.parametrize(
    ("name", "keys"),
    [("evaluate", ["checkpoint"]), ("predict", ["checkpoint"]), ("explain", ["checkpoint", "output"])],
)
def test_a_key_that_a_command_needs_has_no_default_and_is_never_null(
    name: str, keys: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for key in keys:
        (line,) = [line for line in lines if line.startswith(f"  {key}=…")]
        assert "null" not in line
        assert main([name, f"{key}=null"]) == 2
        assert f"{key}=null: expected a" in capsys.readouterr().err


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has what the examples name, as far as the examples do not make it."""
    folder = tmp_path_factory.mktemp("examples")
    run(folder / "runs" / "one", [*TINY, "model=small"])
    (folder / "faces").mkdir()
    face = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    for name in ("photo.jpg", "faces/one.png"):
        Image.fromarray(face).save(folder / name)
    write_folder(folder / "fer", small_fer())
    write_zip(folder / "fer2013.zip", folder / "fer")
    return folder


# What an example needs to be quick; compare reads what evaluate has written.
RUN = {"summary": [], "audit": [], "runs": [], "evaluate": [], "compare": [], "predict": []}
RUN |= {"explain": ["only=confusion"], "workspace": ["mode=offline"]}


@pytest.mark.parametrize("name", RUN)
def test_every_example_can_be_typed(
    name: str, there: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(there)

    def typed(command: str) -> list[str]:
        return [command, *shlex.split(import_module(COMMANDS[command][0]).EXAMPLE)]

    if name == "compare":
        assert main(typed("evaluate")) == 0
        for copy in ("r0", "r1", "s0", "s1"):
            shutil.copytree("eval/one", f"eval/{copy}")
    assert main([*typed(name), *RUN[name]]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", ["report", "dashboard"])
def test_the_examples_name_a_studys_folder_as_a_study_does(name: str) -> None:
    folder = shlex.split(import_module(COMMANDS[name][0]).EXAMPLE)[0]
    digits = study_name("ablation", "synthetic", {}).rpartition("-")[2]
    assert re.fullmatch(f"studies/ablation-synthetic-[0-9a-f]{{{len(digits)}}}", folder)


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["--config-dir", ".", "--info"], "--info"),
        (["--resolve", "--config-dir", "."], "--resolve"),
        (["--config-dir", ".", "--experimental-rerun", "x"], "--experimental-rerun"),
        (["--config-name", "mine"], "--config-name"),
        (["-m"], "--multirun"),
    ],
)
@pytest.mark.parametrize("name", ["summary", "audit"])
def test_a_flag_of_experiments_is_refused_by_its_name(
    name: str, words: list[str], flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{flag}: is a flag of experiments; expected key=value or --config-dir DIR" in line


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--cfg", "job"],
        ["runs", "."],
        ["report", "nowhere"],
        ["compare", "a=x", "b=y"],
        ["runs", "--help"],
    ],
)
def test_what_trains_nothing_loads_neither_pytorch_nor_lightning(words: list[str], tmp_path: Path) -> None:
    program = (
        "import sys\nfrom fer_lightning.cli import main\nsys.argv = ['fer-lightning', *sys.argv[1:]]\n"
        "main(sys.argv[1:])\nprint({'torch', 'pytorch_lightning', 'wandb'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "set()"


def test_the_console_script_finds_own_modules(tmp_path: Path) -> None:
    (tmp_path / "nets_of_mine.py").write_text("raise ImportError('nets_of_mine was read')\n")
    script = Path(sys.executable).with_name("fer-lightning")
    done = subprocess.run(
        [script, "++model={_target_: nets_of_mine.Net}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert "nets_of_mine was read" in done.stderr
