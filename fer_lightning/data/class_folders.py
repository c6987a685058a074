"""Where classes and splits lie in a tree of folders, told by the folders' names."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from fer_lightning.data.expressions import expression
from fer_lightning.data.faces import SPLITS
from fer_lightning.data.members import Members, legible
from fer_lightning.data.splits import TRAIN, UNSPLIT
from fer_lightning.errors import DataError
from fer_lightning.messages import counted

PICTURE_ENDINGS = (
    *(
        ".png",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".webp",
        ".pgm",
        ".ppm",
        ".pnm",
    ),
    *(".jp2", ".avif", ".heic", ".heif"),
)
_DOCUMENT = re.compile(
    r".+\.(txt|[ct]sv|jsonl?|md|rst|xml|html?|ya?ml|ini|log|pdf|docx?|xlsx?|url)", re.IGNORECASE
)
_SPLIT_WORDS = {
    "train": "train training trn",
    "val": "val valid validate validation validating dev devel development eval evaluation publictest",
    "test": "test tests testing tst holdout privatetest",
}
_SPLITS = {word: SPLITS.index(name) for name, words in _SPLIT_WORDS.items() for word in words.split()}
_FILLERS = re.compile("(data|dataset|set|split|subset|images?|imgs?|faces?|pictures|photos|folder|files)+")
_PARTS = re.compile(r"(fold|part|set|split|batch|session|cv|k)[\W_]*\d+", re.IGNORECASE)


@dataclass(frozen=True)
class ClassFolder:
    """A folder of the pictures of one class.

    Attributes
    ----------
    split
        Index into SPLITS, or UNSPLIT.
    class_name
        The folder's name, legible.
    prefix
        Below which its files lie, such as ``train/happy/``.
    """

    split: int
    class_name: str
    prefix: str


def split_of(name: str) -> int | None:
    """Return the split after which a folder or a table is called, in whatever way: ``train_set``, ``PublicTest``."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    core = "".join(word.lower() for word in words if not _FILLERS.fullmatch(word.lower()))
    return _SPLITS.get(core, _SPLITS.get(re.sub(f"{_FILLERS.pattern}$", "", core)))


def inner_root(members: Members, prefix: str = "") -> str:
    """Give the prefix of the level that matters: a level's only folder wraps the next one unless it is a split."""
    while True:
        top = members.folders_in(prefix)
        if len(top) != 1 or split_of(top[0]) is not None or not members.folders_in(f"{prefix}{top[0]}/"):
            return prefix
        prefix += f"{top[0]}/"


def find_class_folders(members: Members, notes: list[str]) -> list[ClassFolder]:
    """Find the folders of classes: ``<class>/``, ``<split>/<class>/`` or ``<class>/<split>/``.

    Parameters
    ----------
    notes
        What is left out is added here.

    Raises
    ------
    DataError
        If split folders and other folders are mixed, none is for training, pictures lie in no class folder, or it
        cannot be told which level holds the classes.
    """
    root = inner_root(members)
    top = _without_second_copy(members, root, members.folders_in(root), notes)
    named = [name for name in top if split_of(name) is not None]
    if named:
        return _within_splits(members, root, named, [name for name in top if name not in named], notes)
    inner = {name: members.folders_in(f"{root}{name}/") for name in top}
    splits_in = [name for name in top if any(split_of(folder) is not None for folder in inner[name])]
    if splits_in and all(
        inner[name] and all(split_of(sub) is not None for sub in inner[name]) for name in top
    ):
        return [
            ClassFolder(_split(sub), class_name(name), f"{root}{name}/{sub}/")
            for name in top
            for sub in inner[name]
        ]
    if splits_in:
        raise DataError(
            f"{members.where(root + splits_in[0])}: holds split folders ({', '.join(inner[splits_in[0]])}) and stands "
            f"beside other folders ({', '.join(name for name in top if name != splits_in[0])}); expected "
            "data.path=… to be the folder of the splits"
        )
    _check_level(members, root, inner, notes)
    _check_no_loose_pictures(members, root)
    return [ClassFolder(UNSPLIT, class_name(name), f"{root}{name}/") for name in top]


def class_name(folder: str) -> str:
    """Return the class that a folder names: legible, and letters with accents in one form on every system."""
    return unicodedata.normalize("NFC", legible(folder))


def _split(folder: str) -> int:
    split = split_of(folder)
    assert split is not None
    return split


def _within_splits(
    members: Members, root: str, named: list[str], others: list[str], notes: list[str]
) -> list[ClassFolder]:
    for other in others:
        if any(is_picture(name) for name in members.below(f"{root}{other}/")):
            raise DataError(
                f"{members.where(root + other)}: folder {legible(other)!r} stands beside split folders "
                f"({', '.join(named)}); expected either split folders or class folders"
            )
    by_split: dict[int, str] = {}
    for name in named:
        first = by_split.setdefault(_split(name), name)
        if first != name:
            raise DataError(
                f"{members.where(root + name)}: {name!r} and {first!r} are both taken for {SPLITS[_split(name)]}; "
                "expected one folder for each of train, val and test"
            )
    if TRAIN not in by_split:
        raise DataError(f"{members.path}: split folders {', '.join(named)} without one called train")
    places = []
    for name in named:
        prefix = f"{root}{name}/"
        inside = members.below(prefix)
        folders = members.folders_in(inner_root(members, prefix))
        if _split(name) != TRAIN and not folders:
            loose = sum(map(is_picture, inside))
            notes.append(
                f"{name}: left out, for no class folder holds its {counted(loose, 'picture')}"
                if loose
                else f"{name}: is empty"
            )
            continue
        prefix = inner_root(members, prefix)
        _check_no_loose_pictures(members, prefix)
        places += [ClassFolder(_split(name), class_name(folder), f"{prefix}{folder}/") for folder in folders]
    if {place.split for place in places} == {TRAIN}:
        return [ClassFolder(UNSPLIT, place.class_name, place.prefix) for place in places]
    return places


def _without_second_copy(members: Members, root: str, top: list[str], notes: list[str]) -> list[str]:
    """Leave out a folder that holds again what lies beside it, as some archives do."""
    for name in top:
        within = inner_root(members, f"{root}{name}/")
        copied = [file[len(within) :] for file in members.below(within)]
        if members.folders_in(within) and copied:
            beside = {
                file[len(root) :] for file in members.below(root) if not file.startswith(f"{root}{name}/")
            }
            if beside.issuperset(copied) and all(
                members.size(root + file) == members.size(within + file) for file in copied
            ):
                notes.append(
                    f"{within}: left out, for it holds again the {counted(len(copied), 'file')} beside it"
                )
                return [other for other in top if other != name]
    return top


def _check_level(members: Members, root: str, inner: dict[str, list[str]], notes: list[str]) -> None:
    """Ask which level holds the classes where several folders hold folders of the same names."""
    if len(inner) < 2 or any(map(expression, inner)):
        return
    shared = sorted(set.intersection(*map(set, inner.values())))
    if len(shared) < 2:
        return
    outer, within = (", ".join(map(legible, names)) for names in (inner, shared))
    if sum(expression(name) is not None for name in shared) > 1 or all(map(_PARTS.fullmatch, inner)):
        raise DataError(
            f"{members.where(root.rstrip('/'))}: {outer} each hold {within}: are these the classes? Then call the "
            "outer folders train, val and test, or put their pictures together into one folder for each class"
        )
    notes.append(f"the classes are {outer}; the folders {within} in each of them are taken together")


def is_picture(name: str) -> bool:
    """Say whether a file is a picture, by the ending of its name."""
    return name.lower().endswith(PICTURE_ENDINGS)


def is_document(name: str) -> bool:
    """Say whether a file is what people keep beside pictures, such as notes or labels, by the ending of its name."""
    return _DOCUMENT.fullmatch(name) is not None


def _check_no_loose_pictures(members: Members, prefix: str) -> None:
    for name in members.files_in(prefix):
        if is_picture(name):
            raise DataError(
                f"{members.where(prefix + name)}: lies in no class folder; expected <class>/{legible(name)}, or "
                "data.names=… to read classes off names"
            )
