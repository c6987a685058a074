"""``python -m fer_lightning compare RESULTS.csv | NAME=[DIR,…] NAME=[DIR,…] …``: results with verdicts on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fer_lightning.api.compared import compare
from fer_lightning.commands.arguments import has_key, parse_arguments
from fer_lightning.config.typed import key_and_value, shown, typed_path
from fer_lightning.config.values import Name, OpenShare, Positive, SpeltDirection
from fer_lightning.errors import ConfigError
from fer_lightning.runs.leakage import Judged
from fer_lightning.stats.rules import MinSeeds

EXAMPLE = "relu='[eval/r0,eval/r1]' selu='[eval/s0,eval/s1]'"


@dataclass
class Keys:
    """What may be asked of the command."""

    baseline: Name | None = None
    metric: Name | None = None
    direction: SpeltDirection | None = None
    unit: Name | None = None
    faces: Judged = "all"
    confidence: OpenShare = 0.95
    min_seeds: MinSeeds = 3
    smallest_effect: Positive | None = None
    power: OpenShare = 0.8
    output: Name | None = None


def main(arguments: list[str]) -> int:
    """Print the table of verdicts, and write it with its figure into ``output=DIR``.

    RESULTS.csv is of any program and has the columns arm,seed,value or arm,seed,id,correct or arm,seed,logits
    (.npz files); the first arm is the baseline unless ``baseline=ARM`` says another. ``metric``, ``direction`` and
    ``unit`` say what a value is.

    Otherwise the first NAME is the baseline, and the n-th places of all names are one seed. A place is a folder that
    ``evaluate … output=DIR`` has written, or an .npz file with the arrays logits and labels and, if there are any,
    ids. All must be of one split of the same data. With single runs a difference is judged over the images alone
    (McNemar). ``faces=no_copy`` and ``faces=no_near_copy`` leave out the faces of which any of the models has seen a
    copy in training.
    """
    own = [word for word in arguments if has_key(word, Keys) and not _is_arm(word)]
    for word in own:
        key, _, value = word.partition("=")
        if value.startswith("["):
            raise ConfigError(f"{word}: {key} is a setting, not a name for evaluations")
    values, _ = parse_arguments(own, Keys)
    words = [word for word in arguments if word not in own]
    table = len(words) == 1 and ("=" not in words[0] or typed_path(words[0]).is_file())
    found = compare(words[0] if table else _groups(words), **values)
    print(found)
    if values["output"] is not None:
        print(f"written to {shown(Path(values['output']))}")
    return 0


def _is_arm(word: str) -> bool:
    """Whether ``baseline=…`` is the natural name of an arm, with its places, rather than the setting."""
    key, _, value = word.partition("=")
    return key == "baseline" and (value.startswith("[") or typed_path(value).exists())


def _is_number(text: str) -> bool:
    """Whether a place is a value instead, for there is no such file or folder."""
    try:
        float(text)
    except ValueError:
        return False
    return not typed_path(text).exists()


def _groups(words: list[str]) -> dict[str, list[str]]:
    """Read ``NAME=DIR`` and ``NAME=[DIR,DIR]``; raise ConfigError where a word is neither, or there is one only."""
    groups: dict[str, list[str]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        read = key_and_value(f"path={value}", is_name=True)[1]
        folders = [str(item or "") for item in (read if isinstance(read, list) else [read])]
        unread = folders[:1] and folders[0].startswith("[") and not Path(folders[0]).exists()
        if not equals or not name or not all(folders or [""]) or unread:
            raise ConfigError(f"{word}: expected NAME=DIR, or NAME=[DIR,DIR,…] with a folder for each seed")
        number = next((text for text in folders if _is_number(text)), None)
        if number is not None:
            raise ConfigError(
                f"{word}: {number} is a number; expected NAME=[DIR,DIR,…], or a CSV file of arm,seed,value"
            )
        if name in groups:
            raise ConfigError(f"{name}: is given twice; expected one list of folders for each name")
        groups[name] = folders
    if len(groups) < 2:
        raise ConfigError(
            "compare RESULTS.csv, or compare NAME=[DIR,…] NAME=[DIR,…]: expected at least two names, the baseline first"
        )
    return groups
