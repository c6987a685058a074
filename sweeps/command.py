"""What a command asks for: the sweeper's options, what every trial is given, and what is searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from fer_lightning.config.flatten import flatten
from fer_lightning.errors import ConfigError, nearest
from fer_lightning.sweeps.space.command_line import split_overrides
from fer_lightning.sweeps.space.override import element, key_of
from fer_lightning.sweeps.space.search_space import SearchSpace


@dataclass(frozen=True)
class Command:
    """A command's part in a sweep, before anything of it is composed.

    Attributes
    ----------
    options
        `hydra.sweeper` as plain containers.
    fixed
        The overrides that every trial gets, unresolved.
    swept
        What overrides and `hydra.sweeper.params` search.
    notes
        What a reader must know.
    """

    options: dict[str, Any]
    fixed: list[str]
    swept: SearchSpace
    notes: tuple[str, ...] = ()


def require_known_options(config: DictConfig, loader: ConfigLoader) -> None:
    """Refuse an option of the sampler or the pruner that does not exist.

    Hydra leaves such an option out, because the sweeper's defaults list calls both groups optional: its own message has
    twenty lines.

    Raises
    ------
    ConfigError
        Naming the option and the nearest one.
    """
    for name in ("sampler", "pruner"):
        group = f"hydra/sweeper/{name}"
        chosen = config.hydra.runtime.choices.get(group)
        options = loader.get_group_options(group)
        if isinstance(chosen, str) and chosen not in options:
            raise ConfigError(f"{group}={chosen}: no such option; {nearest(chosen, options)}")


def read_command(config: DictConfig, parser: OverridesParser) -> Command:
    """Read a command's overrides and the sweeper's options.

    Raises
    ------
    ConfigError
        An override cannot be searched, or an entry of `hydra.sweeper.params` cannot be read.
    """
    sweeper = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    assert isinstance(sweeper, dict)
    options = {str(key): value for key, value in sweeper.items()}
    # As they were typed: an override that names another key is evaluated in each job, as Hydra's sweepers do.
    typed = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
    fixed, swept = split_overrides(parser.parse_overrides([str(word) for word in typed]))  # type: ignore[union-attr]
    given, searched, notes = _params(options.get("params"), parser, {*map(key_of, fixed), *swept.keys})
    space = SearchSpace((*searched.parameters, *swept.parameters))
    return Command(_with_top_level(options, config, bool(len(space))), [*given, *fixed], space, notes)


def _params(
    params: Any, parser: OverridesParser, typed: set[str]
) -> tuple[list[str], SearchSpace, tuple[str, ...]]:
    """Part `hydra.sweeper.params` as if it had been typed before the command's own overrides, which replace it."""
    if params is None:
        return [], SearchSpace(()), ()
    if not isinstance(params, Mapping):
        raise ConfigError(
            f"hydra.sweeper.params={params!r}: expected a mapping such as {{x: 'interval(0,1)'}}"
        )
    words = [
        f"{key}={value if isinstance(value, str) else element(value)}"
        for key, value in flatten(params).items()
    ]
    try:
        fixed, swept = split_overrides(parser.parse_overrides(words))
    except HydraException as error:
        raise ConfigError(f"hydra.sweeper.params: {' '.join(str(error).split())}") from error
    notes = tuple(
        f"{key} is set on the command line, not searched as in hydra.sweeper.params"
        for key in swept.keys
        if key in typed
    )
    return [word for word in fixed if key_of(word) not in typed], swept.without(typed), notes


def _with_top_level(options: dict[str, Any], config: DictConfig, searched: bool) -> dict[str, Any]:
    """Fill in the options that a program may have at the top of its configuration, where its own keys may differ."""

    def top(key: str) -> Any:
        found = OmegaConf.select(config, key, default=None, throw_on_missing=False)
        return OmegaConf.to_container(found, resolve=True) if OmegaConf.is_config(found) else found

    space, plan, study, code = map(top, ("search_space", "ablation", "study", "changed_code"))
    searched = searched or bool(options.get("search_space") or options.get("custom_search_space"))
    found: dict[str, Any] = {"workers": 1, "changed_code": code or "refuse"}
    if isinstance(space, Mapping):
        found["search_space"] = space
    if isinstance(plan, Mapping) and ("factors" in plan or not (searched or space)):
        found["plan"] = plan
    if options.get("plan") is not None or "plan" in found:
        found["seeds"] = top("seeds")
        data = top("data")
        if isinstance(data, Mapping) and {"folds", "fold"} <= data.keys():
            found["folds"] = data["folds"]
    if isinstance(study, Mapping) and study.get("workers") is not None:
        found["workers"] = study["workers"]
    return {**options, **{key: value for key, value in found.items() if options.get(key) is None}}
