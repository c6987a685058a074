"""Compose the configuration from ``conf/`` and say in one line what is wrong with an override."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.resources import files
from pathlib import Path

import hydra
import yaml
from hydra import compose, initialize_config_dir, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fer_lightning.errors import ConfigError, nearest

CONFIG_MODULE = "fer_lightning.conf"
# Hydra 1.3 asks which version's defaults a program expects; from 1.4 on the question is deprecated.
VERSION_BASE: dict[str, str] = {"version_base": "1.3"} if hydra.__version__.startswith("1.3.") else {}


def compose_config(
    overrides: Sequence[str], name: str | None = None, folder: str | None = None, *, with_hydra: bool = False
) -> DictConfig:
    """Return the configuration with ``overrides`` as on the command line, without running anything.

    Parameters
    ----------
    overrides
        ``key=value`` words as Hydra reads them.
    name, folder
        Another primary configuration, as ``--config-name`` and ``--config-path`` give it.
    with_hydra
        Whether Hydra's own part, `hydra`, is in it.

    Raises
    ------
    ConfigError
        An override names no key or option, or cannot be read.
    """
    try:
        return _compose(overrides, name, folder, with_hydra)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(describe_override_error(error, overrides)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(describe_unreadable(error)) from error
    except ValueError as error:
        # Hydra's own word for a group that is set to null.
        if "Config group override must be" not in str(error):
            raise
        raise ConfigError(_describe_group_error(overrides)) from error


def describe_unreadable(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    """Return one line on the file of one's own, and its line, that is no YAML or not in UTF-8."""
    if isinstance(error, UnicodeDecodeError):
        frames = traceback.walk_tb(error.__traceback__)
        read = [item for frame, _ in frames for item in frame.f_locals.values() if hasattr(item, "fileno")]
        name = read[-1].name
        lines = Path(name).read_text(encoding="utf-8", errors="replace").splitlines()
        number = next(i for i, line in enumerate(lines, start=1) if "\ufffd" in line)
        return f"{name}, line {number}: is not UTF-8; expected a file that is saved as UTF-8"
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"a file of the configuration is no YAML: {' '.join(str(error).split())}"
    said = f"{error.problem} {error.context or ''}".strip()  # type: ignore[attr-defined]
    return f"{mark.name}, line {mark.line + 1}: is no YAML: {said}"


def _describe_group_error(overrides: Sequence[str]) -> str:
    """Return one line on the override that gives a group something else than the name of an option."""
    conf = files(CONFIG_MODULE)
    for word in overrides:
        key, _, value = word.lstrip("+").partition("=")
        if "." not in key and value in ("", "null", "true", "false") and (conf / key).is_dir():
            return f"{word}: {key} is a group; expected the name of an option, or ~{key} for none"
    return "a group of the configuration was given something else than the name of an option"


def is_sweep(overrides: Sequence[str], name: str | None = None, folder: str | None = None) -> bool:
    """Whether the configuration asks for a sweep, as an experiment does by `hydra.mode`."""
    try:
        config = _compose(overrides, name, folder, with_hydra=True)
        return str(OmegaConf.select(config, "hydra.mode")).endswith("MULTIRUN")
    except (HydraException, OmegaConfBaseException, ValueError):
        return False  # Hydra says what is wrong when it composes the same for the run


def _compose(
    overrides: Sequence[str], name: str | None = None, folder: str | None = None, with_hydra: bool = False
) -> DictConfig:
    with own_hydra():
        if folder is None:
            place: AbstractContextManager[None] = initialize_config_module(CONFIG_MODULE, **VERSION_BASE)
        elif folder.startswith("pkg://"):
            place = initialize_config_module(folder.removeprefix("pkg://"), **VERSION_BASE)
        else:
            place = initialize_config_dir(os.path.abspath(folder), **VERSION_BASE)
        with place:
            return compose(name or "config", overrides=list(overrides), return_hydra_config=with_hydra)


@contextmanager
def own_hydra() -> Iterator[None]:
    """Set aside a Hydra that this process has already begun, for as long as another one is used."""
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        # Hydra's own contexts replace the instance that was there.
        GlobalHydra.instance().clear()
        if running is not None:
            GlobalHydra.instance().initialize(running)


def known_keys(overrides: Sequence[str] = ()) -> list[str]:
    """Return every dotted key of the composed configuration, with the groups chosen as far as they exist."""
    groups = [word for word in overrides if re.match(r"^\+?\w+=\w+$", word)]
    try:
        config = _compose(groups)
    except (HydraException, OmegaConfBaseException):
        config = _compose([])

    def walk(node: object, path: str) -> list[str]:
        if not isinstance(node, dict):
            return [path]
        below = [key for name in node for key in walk(node[name], f"{path}.{name!s}" if path else str(name))]
        return [path, *below] if path else below

    return walk(OmegaConf.to_container(config, resolve=False), "")


def _unknown_key(key: str, detail: str, overrides: Sequence[str]) -> str:
    """Return one line on a key that is set and does not exist; of a mapping, on the first of its keys."""
    found = re.search(r"full_key: (\S+)", detail)
    full, known = found[1] if found else key, known_keys(overrides)
    if full == key and not any(word.startswith(f"{key}={{") for word in overrides):
        return f"{key}: no such key; {nearest(key, known)}"
    above = full.rpartition(".")[0]
    beside = [name for name in known if name.rpartition(".")[0] == above]
    others = f", or one of {', '.join(beside)}" if beside else ""
    return f"{full}: no such key; expected +{full}=… to add it{others}"


def describe_override_error(error: BaseException, overrides: Sequence[str]) -> str:
    """Return one line that says which key, option or value was not understood, and the nearest that would be."""
    text = str(error)
    missing = re.search(r"Could not override '([^']+)'", text)
    if missing:
        key = missing.group(1)
        if "no match in the defaults list" in text.lower() or "+experiment" in text:
            return " ".join(text.split())
        detail = str(error.__cause__ or "")
        if "not in struct" in detail or "is not in struct" in text or not detail:
            return _unknown_key(key, detail, overrides)
        if "BasicSweeperConf" in detail:
            return (
                f"{key}: no option of an ordinary run or multirun; expected an experiment that is a study, such as "
                "+experiment=search, or hydra/sweeper=fer_optuna with -m"
            )
        return f"{key}: {' '.join(detail.split('full_key')[0].split())}"
    option = re.search(r"Could not find '([^']+)/([^'/]+)'", text)
    if option:
        group, name = option.groups()
        lines = (line.strip() for line in text.splitlines() if line.startswith("\t"))
        choices = [line for line in lines if not line.startswith("provider=")]
        hint = nearest(name, choices) if choices else "no such option"
        return f"{group}={name}: no such option; {hint}"
    twice = re.search(r"Multiple values for ([^.\s]+)\.", text)
    if twice:
        return f"+{twice[1]}: the configuration has {twice[1]} already; expected {twice[1]}=… without +"
    group_match = re.search(r"Could not find '([^']+)'", text)
    if group_match:
        return f"{group_match.group(1)}: no such group or option"
    return " ".join(text.split("\nfull_key")[0].split())
