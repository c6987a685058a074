"""Which files are the user's own: those that a dotted name is imported from, and those that they import."""

from __future__ import annotations

import ast
import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from pkgutil import get_importer

# This package's version and commit are recorded by themselves.
_PROJECT = ("fer_lightning", "hydra_plugins.fer_lightning_sweeper")
_INSTALLED = {"site-packages", "dist-packages"}
_STANDARD = {os.path.realpath(sysconfig.get_path(kind)) for kind in ("stdlib", "platstdlib")}


@dataclass(frozen=True)
class OwnModule:
    """A module whose file belongs to the user.

    Attributes
    ----------
    name
        As it is imported; for a script the name of its file.
    path
        Its source, or the library that it was compiled to.
    is_package
        Whether it holds other modules.
    """

    name: str
    path: Path
    is_package: bool = False

    @property
    def file_name(self) -> str:
        """The file as a path below the folder that it is imported from, such as ``nets/small.py``."""
        parents = self.name.split(".")
        return "/".join([*(parents if self.is_package else parents[:-1]), self.path.name])


def own_modules(name: str) -> list[OwnModule]:
    """Return the own modules that are loaded when a dotted name is imported; nothing is imported here.

    Parameters
    ----------
    name
        Of a module, or of a class or method within one. Its packages come first. A name in ``__main__`` belongs to
        the program's script.
    """
    if name.split(".")[0] == "__main__":
        return _script()
    found = []
    locations: Sequence[str] | None = None
    prefix = ""
    for part in name.split("."):
        prefix = f"{prefix}.{part}" if prefix else part
        spec = _find(prefix, locations) if part.isidentifier() and prefix not in _PROJECT else None
        if spec is None or _is_library(spec):
            break
        if spec.origin is not None and os.path.isfile(spec.origin):
            is_package = spec.submodule_search_locations is not None
            found.append(OwnModule(prefix, Path(spec.origin), is_package))
        if spec.submodule_search_locations is None:
            break
        locations = list(spec.submodule_search_locations)
    return found


def _script() -> list[OwnModule]:
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:  # python -m
        return own_modules(spec.name)
    file = getattr(main, "__file__", None)
    return [OwnModule(Path(file).stem, Path(file))] if file and os.path.isfile(file) else []


def _find(name: str, locations: Sequence[str] | None) -> ModuleSpec | None:
    """Find a module as ``import`` would; `importlib.util.find_spec` would import its packages."""
    loaded: ModuleSpec | None = getattr(sys.modules.get(name), "__spec__", None)
    if loaded is not None:
        return loaded
    for finder in sys.meta_path:
        spec = None
        if finder is PathFinder and locations is not None:
            spec = _find_below(name, locations)
        elif hasattr(finder, "find_spec"):
            with suppress(Exception):  # finders of others may count on the packages being imported
                spec = finder.find_spec(name, locations)
        if spec is not None:
            return spec
    return None


def _find_below(name: str, locations: Sequence[str]) -> ModuleSpec | None:
    """Find a module in its package's folders; `PathFinder` wants the package of a namespace package imported."""
    portions: list[str] = []
    for location in locations:
        finder = get_importer(location)
        spec = None if finder is None else finder.find_spec(name)
        if spec is not None and spec.loader is not None:
            return spec
        portions += [] if spec is None else spec.submodule_search_locations or []
    if not portions:
        return None
    namespace = ModuleSpec(name, None, is_package=True)
    namespace.submodule_search_locations = portions
    return namespace


def _is_library(spec: ModuleSpec) -> bool:
    """Whether a module comes with Python or was installed; an editable install lies elsewhere."""
    # A namespace package has no origin: what lies in it decides.
    return spec.origin is not None and (spec.origin in ("built-in", "frozen") or _is_installed(spec.origin))


@cache  # the same libraries are imported again and again
def _is_installed(file: str) -> bool:
    path = os.path.realpath(file)
    return bool(_INSTALLED & {*file.split(os.sep), *path.split(os.sep)}) or any(
        path.startswith(folder + os.sep) for folder in _STANDARD
    )


def imported_names(module: OwnModule, source: bytes) -> list[str]:
    """Return the dotted names that a module's source imports, anywhere in it; none if it cannot be parsed."""
    if module.path.suffix not in (".py", ".pyw"):
        return []
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    return list(dict.fromkeys(_names(tree, module)))


def _names(tree: ast.AST, module: OwnModule) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, module)
            if base:
                # What is imported may be a module of the package or a name within it.
                yield from (base if alias.name == "*" else f"{base}.{alias.name}" for alias in node.names)


def _base(node: ast.ImportFrom, module: OwnModule) -> str:
    """Return the absolute name of what a ``from`` import takes its names from; empty if there is none."""
    if not node.level:
        return node.module or ""
    package = module.name.split(".")[: None if module.is_package else -1]
    if node.level > len(package):
        return ""
    parents = package[: len(package) - node.level + 1]
    return ".".join([*parents, node.module] if node.module else parents)
