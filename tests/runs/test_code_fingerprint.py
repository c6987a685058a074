"""Which files are a user's own code, and what makes their fingerprint differ."""

from __future__ import annotations

import functools
import importlib
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

import pytest

from fer_lightning.runs.code_fingerprint import (
    code_fingerprint,
    differences,
    find_targets,
    in_words,
    task_target,
)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write own files, given as text by path, into a folder from which they can be imported."""
    folder = tmp_path / "code"

    def write_files(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = folder / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        importlib.invalidate_caches()
        return folder

    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return write_files


def names(*targets: str) -> list[str]:
    return list(code_fingerprint(targets))


def test_a_changed_file_changes_its_own_digest_only(write: Write) -> None:
    nets = "from cfa_layers import head\nclass Net: ...\n"
    write({"cfa_nets": nets, "cfa_layers": "def head(): ...\n", "cfa_other": ""})
    before = code_fingerprint(["cfa_nets.Net"])
    assert list(before) == ["cfa_layers.py", "cfa_nets.py"]
    assert "cfa_nets" not in sys.modules  # nothing was imported
    write({"cfa_other": "changed = 1\n"})
    assert code_fingerprint(["cfa_nets.Net"]) == before
    write({"cfa_layers": "def head(): return 1\n"})
    assert differences(before, code_fingerprint(["cfa_nets.Net"])) == {"cfa_layers.py": "has changed"}
    write({"cfa_layers": "def head(): ...\n"})
    assert code_fingerprint(["cfa_nets.Net"]) == before


def test_libraries_and_this_project_are_left_out(write: Write, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    installed = tmp_path / "lib" / "site-packages"
    installed.mkdir(parents=True)
    (installed / "cfb_library.py").write_text("import cfb_mine\n")
    monkeypatch.syspath_prepend(str(installed))
    imports = "import os, json, torch, hydra.utils, cfb_library\nfrom fer_lightning.models import small\n"
    write({"cfb_mine": imports})
    assert names("torch.optim.Adam", "fer_lightning.models.small.Small", "json.JSONDecoder") == []
    assert names("hydra_plugins.fer_lightning_sweeper.FerOptunaSweeper", "cfb_library.X") == []
    assert names("cfb_mine.Net") == ["cfb_mine.py"]


def test_what_is_no_module_is_passed_over(write: Write) -> None:
    assert names("", "???", "no.such.module", "a..b", ".x", "cfz_gone.Net", "${oc.env:X}") == []


IMPORTS = {
    "cfc/__init__": "from . import direct\n",
    "cfc/direct": "from .deep.below import something\n",
    "cfc/deep/__init__": "from .. import sibling\n",
    "cfc/deep/below": "def something():\n    from ..late import x\n    import cfc.plain as plain\n",
    "cfc/sibling": "from .star import *\n",
    "cfc/star": "try:\n    from ..... import too_far\nexcept ImportError:\n    from os import path\n",
    "cfc/late": "try:\n    import cfc_top\nfinally:\n    x = 1\n",
    "cfc/plain": "import cfc.namespace.inner.module\n",
    "cfc/namespace/inner/module": "import cfc.direct\n",
    "cfc/unused": "from . import unused_too\n",
    "cfc/unused_too": "",
    "cfc_top": "",
}


LOADED = """
import sys, cfc.direct
from pathlib import Path
cfc.direct.something()
files = [module.__file__ for module in sys.modules.values() if getattr(module, "__file__", None)]
print(*sorted(Path(file).relative_to(Path.cwd()).as_posix() for file in files if Path(file).is_relative_to(Path.cwd())))
"""


def test_imports_of_every_form_are_followed_as_python_follows_them(write: Write) -> None:
    folder = write(IMPORTS)
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=folder, capture_output=True, text=True, check=True
    )
    found = names("cfc.direct.Net.method")
    assert found == done.stdout.split()
    assert len(found) == len(IMPORTS) - 2
    assert not any("unused" in name for name in found)


def test_the_line_endings_of_a_checkout_are_no_change_and_comments_are_one(write: Write) -> None:
    folder = write({"cfd_nets": "class Net:\n    pass\n"})
    before = code_fingerprint(["cfd_nets.Net"])
    (folder / "cfd_nets.py").write_bytes(b"class Net:\r\n    pass\r\n")
    assert code_fingerprint(["cfd_nets.Net"]) == before
    (folder / "cfd_nets.py").write_bytes(b"class Net:  # small\n    pass\n")
    assert code_fingerprint(["cfd_nets.Net"]) != before


def test_files_that_cannot_be_parsed_count_by_their_bytes(write: Write) -> None:
    folder = write({"cfe_broken": "def (:\n", "cfe_nulls": ""})
    (folder / "cfe_nulls.py").write_bytes(b"x = 1\x00\n\xff")
    extension = folder / f"cfe_compiled{EXTENSION_SUFFIXES[0]}"
    extension.write_bytes(b"\x7fELF\r\n")
    importlib.invalidate_caches()
    targets = ["cfe_broken.Net", "cfe_nulls.Net", "cfe_compiled.Net"]
    before = code_fingerprint(targets)
    assert list(before) == ["cfe_broken.py", extension.name, "cfe_nulls.py"]
    extension.write_bytes(b"\x7fELF\n")
    assert differences(before, code_fingerprint(targets)) == {extension.name: "has changed"}


def test_an_editable_install_is_own_code(write: Write, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    source = tmp_path / "checkout" / "src" / "cff_package"
    source.mkdir(parents=True)
    (source / "__init__.py").write_text("from .nets import Net\n")
    (source / "nets.py").write_text("class Net: ...\n")

    class Finder:  # as setuptools installs one
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
            file = source / "__init__.py"
            return spec_from_file_location(name, file) if name == "cff_package" else None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert names("cff_package.Net") == ["cff_package/__init__.py", "cff_package/nets.py"]


def test_a_process_gives_the_digests_of_what_it_has_loaded(write: Write, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    write({"cfg_nets": "class Net: ...\n"})
    before = code_fingerprint(["cfg_nets.Net"])
    module = importlib.import_module("cfg_nets")
    assert code_fingerprint(["cfg_nets.Net"]) == before
    write({"cfg_nets": "class Net:\n    changed = True\n"})
    assert code_fingerprint(["cfg_nets.Net"]) == before
    importlib.reload(module)
    reloaded = code_fingerprint(["cfg_nets.Net"])
    assert reloaded != before
    monkeypatch.delitem(sys.modules, "cfg_nets")
    assert code_fingerprint(["cfg_nets.Net"]) == reloaded


@pytest.mark.parametrize("start", [["cfh_prog.py"], ["-m", "cfh_prog"], ["-m", "cfh_package.prog"]])
def test_a_target_in_the_programs_script_belongs_to_its_file(write: Write, start: list[str]) -> None:
    text = """
        import cfh_other
        from fer_lightning.runs.code_fingerprint import code_fingerprint, task_target
        def main(): ...
        print(task_target(main), *code_fingerprint(["__main__.main"]), *code_fingerprint([task_target(main)]))
    """
    folder = write({"cfh_prog": text, "cfh_other": "", "cfh_package/__init__": "", "cfh_package/prog": text})
    command = [sys.executable, *start]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    files = ["cfh_other.py", "cfh_prog.py"]
    if "package" in start[-1]:
        files = ["cfh_other.py", "cfh_package/__init__.py", "cfh_package/prog.py"]
    assert done.stdout.split() == ["__main__.main", *files, *files]


def test_a_task_function_is_found_behind_what_wraps_it() -> None:
    class Program:
        def __call__(self) -> None: ...

        def run(self) -> None: ...

    def plain() -> None: ...

    @functools.wraps(plain)
    def wrapped() -> None: ...

    here = f"{__name__}.test_a_task_function_is_found_behind_what_wraps_it.<locals>"
    assert task_target(plain) == f"{here}.plain"
    assert task_target(functools.partial(functools.partial(wrapped))) == f"{here}.plain"
    assert task_target(Program()) == f"{here}.Program"
    assert task_target(Program().run) == f"{here}.Program.run"


def test_targets_are_found_at_any_depth_except_below_what_is_left_out() -> None:
    config = {
        "model": {"_target_": "a.Net", "parts": [{"_target_": "b.Part"}, [{"_target_": "c.Inner"}], 3]},
        "loss": {"fn": {"_target_": "hydra.utils.get_method", "path": "d.loss"}, "path": "no.target"},
        "logger": {"_target_": "e.Logger"},
        "callbacks": {"progress": {"_target_": "f.Bar"}, "mine": {"_target_": "g.Mine"}},
        "nothing": {"_target_": None},
    }
    found = dict(find_targets(config, ("logger", "callbacks.progress")))
    assert found == {
        "model._target_": "a.Net",
        "model.parts[0]._target_": "b.Part",
        "model.parts[1][0]._target_": "c.Inner",
        "loss.fn._target_": "hydra.utils.get_method",
        "loss.fn.path": "d.loss",
        "callbacks.mine._target_": "g.Mine",
    }


def test_differences_name_three_files_and_count_the_rest() -> None:
    before = {"a.py": "1", "b.py": "2", "c.py": "3", "d.py": "4", "moved.py": "5"}
    now = {"a.py": "9", "b.py": "8", "e.py": "7", "package/moved.py": "5"}
    found = differences(before, now)
    assert found == {
        "a.py": "has changed",
        "b.py": "has changed",
        "e.py": "is new",
        "c.py": "is missing",
        "d.py": "is missing",
    }
    assert in_words(found) == "a.py has changed, b.py has changed, e.py is new and 2 more"
    assert differences(before, {**before, "f.py": "6"}) == {"f.py": "is new"}
    assert differences(now, now) == {}


def test_it_costs_a_trial_less_than_five_milliseconds(write: Write) -> None:
    chain = {f"cfi_{n}": f"import torch, numpy, cfi_{n + 1}\n" for n in range(40)} | {"cfi_40": ""}
    write(chain)
    assert len(names("cfi_0.Net")) == 41
    taken = []
    for _ in range(20):
        begin = time.perf_counter()
        names("cfi_0.Net", *["torch.optim.Adam"] * 20)
        taken.append(time.perf_counter() - begin)
    assert min(taken) < 0.005
