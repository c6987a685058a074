"""The configuration of a sweep's command: composed once for naming and looking up, again for each trial."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from fer_lightning.config.expectation import shown_value
from fer_lightning.errors import ConfigError, nearest
from fer_lightning.sweeps.hydra_private import load_option
from fer_lightning.sweeps.space.override import key_of
from fer_lightning.sweeps.space.search_space import SearchSpace
from fer_lightning.sweeps.study.code import job_targets
from fer_lightning.sweeps.study.identity import flat_json


class Composition:
    """Composes what a trial adds to the command, and looks keys up in the result.

    Parameters
    ----------
    context, master
        As a sweeper is given them in its `setup`.
    fixed
        The command's overrides that every trial gets, unresolved.
    swept
        What the command searches.

    Attributes
    ----------
    config
        The configuration of the command without its trials.
    targets
        The `_target_` of everything that was composed so far.
    whole
        Whether the command can be composed without what it searches; else `config` has first values of that.
    """

    def __init__(
        self, context: HydraContext, master: DictConfig, fixed: Sequence[str], swept: SearchSpace
    ) -> None:
        self._loader = context.config_loader
        self._master = master
        self.fixed = list(fixed)
        self.targets: set[str] = set()
        self.whole = True
        self.config = self._compose_command(swept)

    def _compose_command(self, swept: SearchSpace) -> DictConfig:
        """Compose the command without its sweeps; with their first values where it is not whole without them."""
        if not len(swept):
            return self.compose([], "the configuration")
        try:
            config = self.trial(self.fixed)
            self.targets |= job_targets(config)
            return config
        except (HydraException, OmegaConfBaseException):
            # A group that the configuration leaves open (`db: ???`), or a key that only the swept options have.
            self.whole = False
            some = [parameter.override(parameter.some_value()) for parameter in swept.parameters]
            return self.compose(some, "the configuration")

    def compose(self, overrides: Sequence[str], what: str) -> DictConfig:
        """Compose the command with further overrides.

        Raises
        ------
        ConfigError
            Beginning with `what`, if that is not possible.
        """
        try:
            config = self.trial([*self.fixed, *overrides])
            self.targets |= job_targets(config)
            return config
        except (HydraException, OmegaConfBaseException) as error:
            cause = error.__cause__ or error
            text = " ".join(line.strip() for line in str(cause).splitlines()[:2])
            key = getattr(cause, "full_key", None)
            if not key or "is not in struct" not in text:
                raise ConfigError(f"{what} cannot be composed: {text}") from error
            # Of a parameter of the command line, the key is all that there is to name.
            begun = "" if what == f"search_space.{key}" else f"{what} cannot be composed: "
            said = f"no such key; {nearest(str(key), _values(self._master))} (+{key} would add it)"
            raise ConfigError(f"{begun}{key}: {said}") from error

    def trial(self, words: list[str]) -> DictConfig:
        """Return what Hydra composes from all overrides of a trial, or raise what Hydra raises."""
        return self._loader.load_sweep_config(self._master, words)

    def lookup(self, key: str, given: Sequence[str] = ()) -> Any:
        """Return a key's value as plain containers: for a group its option, None where there is none.

        Parameters
        ----------
        key
            A configuration key or a group.
        given
            Overrides beyond the command's, such as the option of the group that the key belongs to.
        """
        config = self.compose(given, key) if given else self.config
        return selected(config, key)

    def values(self, given: Sequence[str] = ()) -> dict[str, Any]:
        """Return the whole configuration but Hydra's part as plain containers, interpolations unresolved."""
        config = self.compose(given, "the configuration") if given else self.config
        plain = OmegaConf.to_container(config, resolve=False)
        assert isinstance(plain, dict)
        return {str(key): value for key, value in plain.items() if key != "hydra"}

    def is_group(self, key: str) -> bool:
        """Whether a key is a group of which the command has an option, or is to choose one."""
        return bool(self.options(key))

    @property
    def choices(self) -> dict[str, Any]:
        """The option of each group, without Hydra's own groups."""
        found = OmegaConf.to_container(self.config.hydra.runtime.choices)
        assert isinstance(found, dict)
        return {str(group): option for group, option in found.items() if not str(group).startswith("hydra/")}

    def options(self, key: str) -> list[str]:
        """The names of a group's options; `key` may have a package, as in ``db@backup``."""
        return list(self._loader.get_group_options(key.split("@", 1)[0]))

    def subdirectory(self, number: int, overrides: Sequence[str]) -> str:
        """The folder of a trial within the sweep's, as `hydra.sweep.subdir` has it."""
        config = self.compose(overrides, f"trial {number}")
        with read_write(config.hydra.job), open_dict(config.hydra.job):
            config.hydra.job.num, config.hydra.job.id = number, str(number)
        before = HydraConfig.instance().cfg
        try:
            HydraConfig.instance().set_config(config)  # for values such as ${hydra:job.num}
            return str(config.hydra.sweep.subdir)
        except OmegaConfBaseException as error:
            raise ConfigError(f"hydra.sweep.subdir: {str(error).splitlines()[0]}") from error
        finally:
            HydraConfig.instance().cfg = before

    def replaced(
        self, key: str, option: str, overrides: Sequence[str], varied: Collection[str] = ()
    ) -> list[str]:
        """Say which values of a group's option the configuration sets to something else.

        Parameters
        ----------
        key, option
            The group, with its package if it has one, and one of its options.
        overrides
            Those that choose the option, and what else is set on purpose.
        varied
            Keys that are set on purpose elsewhere.

        Returns
        -------
        list of str
            One line for each value that neither the option's own file nor an override has.
        """
        own = self._own_values(key, option)
        if not own:
            return []
        composed = _values(self.compose(overrides, f"{key}={option}"))
        asked = [*map(key_of, (*self.fixed, *overrides)), *varied]
        given = [name for name in asked if name != key]
        lines = []
        for name, value in own.items():
            present = composed.get(name, value)
            set_on_purpose = any(name == one or name.startswith(f"{one}.") for one in given)
            if present != value and not set_on_purpose:
                lines.append(
                    f"{key}={option}: the configuration sets {name}={shown_value(present)}; the option has "
                    f"{shown_value(value)}"
                )
        return lines

    def _own_values(self, group: str, option: str) -> Mapping[str, Any]:
        """What an option's file has, by the keys under which it comes; nothing for one in a package of its own."""
        loaded = load_option(self._loader, f"{group}/{option}")
        if loaded is None or "@" in group or loaded.header.get("package") not in (None, "_group_"):
            return {}
        prefix = group.replace("/", ".")
        return {f"{prefix}.{name}": value for name, value in _values(loaded.config).items()}


def _values(config: DictConfig) -> Mapping[str, Any]:
    """A configuration without Hydra's part as dotted keys, interpolations unresolved."""
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    return flat_json({str(key): value for key, value in plain.items() if key != "hydra"})


def selected(config: DictConfig, key: str) -> Any:
    """Return a key's value as plain containers; for a group, the chosen option; None where there is none."""
    choices = config.hydra.runtime.choices
    value = choices[key] if key in choices else OmegaConf.select(config, key, default=None)
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
