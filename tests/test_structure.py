"""What lies where: a module's name says which one is meant, and CONTRIBUTING's map shows every room."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOPS = ("benchmarks", "callbacks", "fer_lightning", "hydra_plugins", "sweeps")

# One thing in several rooms: a method of explain/, its figure in plots/, its part of explain/page/, its callback.
FAMILIES = {
    "class_images",
    "confusion",
    "dead_units",
    "feature_maps",
    "filters",
    "lime",
    "regions",
    "saliency",
}
# The same word where users know it by this name: a command and what it calls, a callback's `_target_`.
OTHERS = {
    "audit",  # the command, the findings, their text and their figures
    "evaluate",  # the command and what it calls
    "options",  # of models, of the sweeper and of explain's page
    "predictions",  # the file of logits, and the callback that writes it
}


def modules() -> list[Path]:
    """Every module once: the links in `fer_lightning/` are not followed."""
    paths = [path for top in TOPS for path in (ROOT / top).rglob("*.py")]
    return [path for path in paths if not any(parent.is_symlink() for parent in path.parents)]


def test_a_modules_base_name_says_which_one_is_meant() -> None:
    names = Counter(path.stem for path in modules() if not path.stem.startswith("__"))
    twice = {name for name, number in names.items() if number > 1}
    assert twice <= FAMILIES | OTHERS
    assert len(FAMILIES | OTHERS) <= 12


def test_the_map_shows_every_room() -> None:
    map_ = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("```")[1]
    parents, shown = [""], set()
    for line in map_.strip().splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.split()[0].rstrip("/")
        parents[depth + 1 :] = [f"{parents[depth]}{name}/"]
        shown.add(parents[depth + 1].rstrip("/"))
    rooms = {str(path.parent.relative_to(ROOT)) for path in modules()} - {"fer_lightning/report/page"}
    assert rooms <= shown
    assert all((ROOT / room).is_dir() for room in shown)


def test_what_tests_share_lies_in_support() -> None:
    """Of two modules named `conftest` an import finds whichever was loaded last."""
    tests = ROOT / "tests"
    assert list(tests.rglob("conftest.py")) == [tests / "conftest.py"]
    names = Counter(path.stem for path in tests.rglob("*.py"))
    assert [name for name, number in names.items() if number > 1] == []
    takers = [
        path.name
        for path in tests.rglob("*.py")
        if "from conftest import" in path.read_text(encoding="utf-8")
    ]
    assert takers == ["test_structure.py"]
