"""The configurations that a command will run, as far as they can be told before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig

from fer_lightning.config.variants import Variants
from fer_lightning.errors import ConfigError
from fer_lightning.sweeps.command import read_command
from fer_lightning.sweeps.composition import selected
from fer_lightning.sweeps.plan.parse_plan import parse_plan
from fer_lightning.sweeps.plan.plan import BASELINE
from fer_lightning.sweeps.space.command_line import split_overrides
from fer_lightning.sweeps.space.override import key_of, override
from fer_lightning.sweeps.space.parse_space import in_order, parse_space
from fer_lightning.sweeps.space.search_space import SearchSpace
from fer_lightning.sweeps.space.tried_values import corners, tried_values


@dataclass(frozen=True)
class Configuration:
    """One configuration to be checked.

    Attributes
    ----------
    what
        The arm or the searched value that it stands for; empty for the command's own.
    ways
        The overrides that give it, beyond the command's; where there are several, one that can be run is enough.
    """

    what: str
    ways: tuple[tuple[str, ...], ...]


def configurations(
    typed: Sequence[str],
    alternatives: Sequence[Sequence[str]],
    whole: DictConfig,
    variants: Variants,
    *,
    sweeps: bool,
) -> Iterator[Configuration]:
    """Yield each arm of a plan, or each typed alternative, and each value of a search space.

    Parameters
    ----------
    typed
        The overrides of the command.
    alternatives
        What the sweeps among them set, beyond the command without sweeps; see `without_sweeps`.
    whole
        What the command without sweeps composes, Hydra's part included.
    variants
        Composes the command without sweeps and what a configuration adds.
    sweeps
        Whether the command runs several trainings.

    Raises
    ------
    ConfigError
        The plan or the search space cannot be read, or `seeds` is given where no ablation runs.
    """
    arms = list(_levels(whole)) if sweeps else []
    if not arms:
        _require_no_seeds(typed, sweeps=sweeps)
        yield from (Configuration("", (tuple(words),)) for words in [(), *alternatives])
    for arm, overrides in arms:
        yield Configuration("" if arm == BASELINE else f"ablation, arm {arm}", (tuple(overrides),))
    space = _space(typed, whole) if sweeps else SearchSpace(())
    if not len(space):
        return

    def lookup(key: str, given: Sequence[str] = ()) -> Any:
        return selected(variants.with_hydra(given) if given else whole, key)

    for value in tried_values(space, lookup):
        yield Configuration(f"search, {value.shown}", value.ways)
    # Two keys that exclude each other let no trial pass; a corner alone that does not is the search's own affair.
    yield Configuration("search", tuple(corners(space, lookup)))


def without_sweeps(overrides: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Return the overrides with the first value of each sweep, and lists that between them set every other value."""
    parser = OverridesParser.create()
    fixed: list[str] = []
    swept: list[list[str]] = []
    for word in overrides:
        try:
            parsed = parser.parse_override(word)
        except HydraException as error:
            raise ConfigError(f"{word}: cannot be read ({' '.join(str(error).split())})") from error
        if parsed.is_hydra_override() and parsed.key_or_group != "hydra.searchpath":
            continue
        if not parsed.is_discrete_sweep():
            # A continuous range has no values to try beforehand.
            if not parsed.is_sweep_override():
                fixed.append(word)
            continue
        key = parsed.get_key_element()
        swept.append([f"{key}={value}" for value in parsed.sweep_string_iterator()])
    base = [*fixed, *(values[0] for values in swept)]
    return base, [[value] for values in swept for value in values[1:]]


def _levels(config: DictConfig) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield name and overrides of the arms of a study's plan in which at most one factor is off its baseline."""
    if "plan" not in config.hydra.sweeper:
        return
    options = read_command(config, OverridesParser.create()).options
    if options["plan"] is None:
        return
    plan = parse_plan(
        options["plan"], options["seeds"], lambda key: selected(config, key), options["seed_key"]
    )
    fold = [] if options["folds"] is None else [override(options["fold_key"], 0)]
    for arm in plan.arms:
        if sum(arm.levels[factor.name] != factor.baseline for factor in plan.factors) <= 1:
            yield arm.name, [*arm.overrides, *fold]


def _space(words: Sequence[str], config: DictConfig) -> SearchSpace:
    """Return what a study searches but for the typed choices, which `_alternatives` holds."""
    if "search_space" not in config.hydra.sweeper:
        return SearchSpace(())
    parser = OverridesParser.create()
    sweeps = [parsed for parsed in map(parser.parse_override, words) if parsed.is_sweep_override()]
    _, typed = split_overrides([parsed for parsed in sweeps if not parsed.is_discrete_sweep()])
    command = read_command(config, parser)
    configured = parse_space(command.options["search_space"])
    others = SearchSpace((*command.swept.parameters, *configured.parameters)).without(set(typed.keys))
    return SearchSpace(in_order([*typed.parameters, *others.parameters]))


def _require_no_seeds(overrides: Sequence[str], *, sweeps: bool) -> None:
    """Refuse `seeds`, which only an ablation plan runs over."""
    typed = [word for word in overrides if key_of(word) == "seeds"]
    if typed:
        expected = (
            "seed=0,1,2 for a run of each" if sweeps else "seed=0, or with -m seed=0,1,2 for a run of each"
        )
        confirm = "; a search is confirmed over hydra.sweeper.confirm_seeds" if sweeps else ""
        raise ConfigError(f"{typed[-1]}: only an ablation runs over seeds; expected {expected}{confirm}")
