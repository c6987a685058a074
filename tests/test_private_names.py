"""Private names of Optuna, Hydra and OmegaConf are used in one file for each library."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from test_structure import ROOT, modules

ADAPTERS = ("sweeps/hydra_private.py", "sweeps/optuna_private.py")
# Of other libraries: those without a public name for the same, and what benchmarks measure.
OTHERS = {
    "_BatchNorm": "torch",
    "_average_model": "pytorch_lightning",
    "_swap_models": "pytorch_lightning",
    "_internal_name": "wandb_workspaces",
    "_to_model": "wandb_workspaces",
    "_last_checkpoint_saved": "pytorch_lightning",
    "_last_global_step_saved": "pytorch_lightning",
    "_call_callback_hooks": "pytorch_lightning",
    "_LoggerConnector": "pytorch_lightning",
}
# Hydra's loaders have it in `hydra._internal` only.
UNMARKED = {"repository"}
BY_NAME = {"getattr", "setattr", "hasattr", "delattr", "attrgetter", "methodcaller", "object"}
IN_TEXT = re.compile(r"\b(optuna|hydra|omegaconf)(\.\w+)*\._\w")


def is_private(name: str) -> bool:
    return name in UNMARKED or (name.startswith("_") and not name.endswith("_") and name not in OTHERS)


def used(node: ast.AST) -> Iterator[str]:
    """The names that a node takes from something else than its own class."""
    match node:
        case ast.Import(names=names):
            yield from (part for alias in names for part in alias.name.split("."))
        case ast.ImportFrom(module=module, names=names):
            yield from [*(module or "").split("."), *(alias.name for alias in names)]
        case ast.Attribute(attr=name):
            yield name
        case ast.MatchClass(kwd_attrs=names):
            yield from names
        case ast.Call(
            func=ast.Name(id=name) | ast.Attribute(attr=name), args=[_, ast.Constant(value=str(text)), *_]
        ):
            yield from [text] if name in BY_NAME else []
        case ast.Call(
            func=ast.Name(id=name) | ast.Attribute(attr=name), args=[ast.Constant(value=str(text)), *_]
        ):
            yield from text.split(".") if name in BY_NAME else []
        case ast.Subscript(value=ast.Call(func=ast.Name(id="vars")), slice=ast.Constant(value=str(text))):
            yield text
        case ast.Subscript(value=ast.Attribute(attr="__dict__"), slice=ast.Constant(value=str(text))):
            yield text
        case ast.Constant(value=str(text)) if IN_TEXT.search(text):
            yield f"_ in {text!r}"


def is_own(node: ast.AST, own: set[str]) -> bool:
    """Whether a node is an attribute of the class around it which that class, or another of the module, defines."""
    match node:
        case ast.Attribute(
            value=ast.Name(id="self" | "cls") | ast.Call(func=ast.Name(id="super")), attr=name
        ):
            return name in own
    return False


def defined(tree: ast.Module) -> set[str]:
    """The names that a module's classes have: methods, fields, and what is assigned to `self`."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                names.add(name)
    return names


def private_uses(code: str) -> list[tuple[int, str]]:
    """Line and name of each private name that some code takes from elsewhere."""
    tree = ast.parse(code)
    own = defined(tree)
    nodes = (node for node in ast.walk(tree) if not is_own(node, own))
    return sorted((node.lineno, name) for node in nodes for name in used(node) if is_private(name))


def test_private_names_are_used_in_the_adapters_only() -> None:
    found = {
        str(path.relative_to(ROOT)): private_uses(path.read_text(encoding="utf-8")) for path in modules()
    }
    assert all(found.pop(adapter) for adapter in ADAPTERS)
    elsewhere = [f"{path}:{line}: {name}" for path, uses in found.items() for line, name in uses]
    assert not elsewhere, "\n".join(elsewhere)


@pytest.mark.parametrize(
    "line",
    [
        "import optuna.storages._heartbeat",
        "from optuna.study._frozen import FrozenStudy",
        "from optuna.storages import _CachedStorage as CachedStorage",
        "from omegaconf import _utils",
        "from hydra._internal.utils import run_and_report",
        "import hydra; hydra._internal",
        "trial._suggest('x', distribution)",
        "self.study._storage.get_trial(0)",
        "study._thread_local.cached_all_trials = None",
        "del node._metadata",
        "{trial._trial_id for trial in trials}",
        "open_study(spec)._study_id",
        "f'{job._return_value}'",
        "context.config_loader.repository.load_config('a')",
        "getattr(storage, '_get_stale_trial_ids', None)",
        "setattr(study, '_storage', None)",
        "operator.attrgetter('trial._trial_id')",
        "vars(study)['_storage']",
        "study.__dict__['_storage']",
        "importlib.import_module('omegaconf._utils')",
        "match trial:\n    case optuna.Trial(_trial_id=found): pass",
        "class Sampler(optuna.samplers.TPESampler):\n    def f(self): return self._n_startup_trials",
        "class Mine(optuna.Trial):\n    def f(self): return super()._suggest('x', y)",
    ],
)
def test_a_private_name_is_found(line: str) -> None:
    code = f'"""A module."""\n\n{line}\n'
    assert [at for at, _ in private_uses(code)] == [code.count("\n", 0)]


@pytest.mark.parametrize(
    "line",
    [
        "from __future__ import annotations",
        "study.__class__.__name__",
        "instantiate(config, _convert_='all')",
        "config['_target_']",
        "class A:\n    def _f(self): return self._g\n    def f(self): self._g = self._f()",
        "class B(A):\n    _x: int = 0\n    def _f(self): return super()._f(), self._x",
        "from torch.nn.modules.batchnorm import _BatchNorm",
    ],
)
def test_public_and_own_names_are_let_through(line: str) -> None:
    assert private_uses(line) == []
