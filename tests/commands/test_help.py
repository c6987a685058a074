"""Help of every command, and what is imported for what trains nothing."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

from fer_lightning.cli import COMMANDS, main


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
