"""The command line: Hydra's flags, wherever they stand, and the overrides between them."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from fer_lightning.config.typed import as_override, quoted
from fer_lightning.errors import ConfigError, nearest

_SWITCHES: Final = {
    "--help": "-h",
    "--hydra-help": None,
    "--version": None,
    "--resolve": None,
    "--run": "-r",
    "--multirun": "-m",
    "--shell-completion": "-sc",
}
_VALUES: Final = {
    "--cfg": "-c",
    "--package": "-p",
    "--config-path": "-cp",
    "--config-name": "-cn",
    "--config-dir": "-cd",
    "--experimental-rerun": None,
    "--info": "-i",
}
FLAGS: Final = frozenset({*_SWITCHES, *_VALUES})
_PLACES: Final = ("config_dir", "config_path", "experimental_rerun")
_RUNNING: Final = frozenset({"run", "multirun", "config_path", "config_name", "config_dir", "overrides"})


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        unknown, _, word = message.partition("unrecognized arguments: ")
        if not unknown and word:
            name = word.split("=", 1)[0].split(" ")[0]
            hint = f"did you mean {word.lstrip('-')}?" if "=" in word else nearest(name, FLAGS)
            raise ConfigError(f"{word}: no such flag; {hint}")
        flag = re.match(r"argument (--[a-z-]+)\S*: ", message)
        if flag and message.endswith("expected one argument"):
            raise ConfigError(f"{flag[1]}: expected a value after it")
        if flag and "ignored explicit argument" in message:
            raise ConfigError(f"{flag[1]}: expected no value, not {message.rpartition(' ')[2]}")
        raise ConfigError(message)


@dataclass(frozen=True)
class CommandLine:
    """What was typed after the program's or the command's name.

    Attributes
    ----------
    words
        What stands beside the flags: overrides as Hydra reads them (:func:`as_override`), and names without ``=``.
    flags
        The flags with their values, for Hydra.
    typed
        The arguments as they came.
    runs
        Whether something is to be run, rather than shown or explained.
    config_dir, config_name, config_path
        The values of these flags.
    """

    words: list[str]
    flags: list[str]
    typed: list[str]
    runs: bool = True
    multirun: bool = False
    config_dir: str | None = None
    config_name: str | None = None
    config_path: str | None = None

    @property
    def overrides(self) -> list[str]:
        """The words, and the folder of ``--config-dir`` as a part of the search path."""
        if self.config_dir is None:
            return self.words
        folder = quoted(f"file://{os.path.abspath(self.config_dir)}")
        search = [word for word in self.words if word.startswith("hydra.searchpath=[")]
        more = f"{search[-1].rstrip(']')},{folder}]" if search else f"hydra.searchpath=[{folder}]"
        return [*(word for word in self.words if word not in search), more]


def read_command_line(arguments: Sequence[str]) -> CommandLine:
    """Part flags and words.

    Raises
    ------
    ConfigError
        A flag is not known or lacks its value, a folder does not exist, or a word has a value without a key.
    """
    parser = _Parser(add_help=False)
    for name, short in _SWITCHES.items():
        parser.add_argument(name, *[short] if short else [], action="store_true")
    for name, short in _VALUES.items():
        optional = {"nargs": "?", "const": "all"} if name == "--info" else {}
        parser.add_argument(name, *[short] if short else [], **optional)  # type: ignore[arg-type]
    parser.add_argument("overrides", nargs="*")
    given = vars(parser.parse_intermixed_args(list(arguments)))
    for name in _PLACES:
        if given[name] is not None:
            given[name] = os.path.expanduser(given[name])
    _check_folders(given)
    flags: list[str] = []
    for name in (*_SWITCHES, *_VALUES):
        value = given[name.removeprefix("--").replace("-", "_")]
        if value:
            flags += [name] if name in _SWITCHES else [name, value]
    return CommandLine(
        [as_override(word) for word in given["overrides"]],
        flags,
        list(arguments),
        runs=not any(value for name, value in given.items() if name not in _RUNNING),
        multirun=given["multirun"],
        config_dir=given["config_dir"],
        config_name=given["config_name"],
        config_path=given["config_path"],
    )


def _check_folders(given: dict[str, Any]) -> None:
    """Require that folders of configurations exist; make that of ``--config-path`` absolute.

    Hydra would look for a relative one beside the source file that calls it, not where it was typed.
    """
    for name in ("config_dir", "config_path"):
        folder = given[name]
        if folder is None or (name == "config_path" and folder.startswith("pkg://")):
            continue
        if not os.path.isdir(folder):
            raise ConfigError(f"--{name.replace('_', '-')} {folder}: no such folder")
        if name == "config_path":
            given[name] = os.path.abspath(folder)
