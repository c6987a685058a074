"""Configurations that differ from one by a few overrides each: composed once, changed where that gives the same."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from fer_lightning.config.compose import compose_config


class Variants:
    """Compose a command with further overrides.

    Hydra reads some thirty files for one composition, a third of a second. An override that sets a key within a group
    comes after all of them, so the command's own configuration is taken and changed as Hydra would.

    Parameters
    ----------
    base
        The overrides of the command.
    name, folder
        Its primary configuration; see `compose_config`.
    composed
        What the command composes with Hydra's own part, where that was needed anyway.
    """

    def __init__(
        self,
        base: Sequence[str],
        name: str | None = None,
        folder: str | None = None,
        composed: DictConfig | None = None,
    ) -> None:
        self._base = tuple(base)
        self._place = name, folder
        self._parser = OverridesParser.create()
        self._config = None if composed is None else _without_hydra(composed)

    def __call__(self, overrides: Sequence[str] = ()) -> DictConfig:
        """Return the configuration with further overrides.

        Raises
        ------
        ConfigError
            An override names no key or option, or cannot be read.
        """
        if self._config is None:
            self._config = compose_config(self._base, *self._place)
        parsed = self._parser.parse_overrides(list(overrides))
        if all(map(_sets_within_a_group, parsed)):
            config = copy.deepcopy(self._config)
            try:
                for item in parsed:
                    OmegaConf.update(config, item.key_or_group, item.value(), merge=True)
                return config
            except OmegaConfBaseException:
                pass  # said better by what follows
        return compose_config([*self._base, *overrides], *self._place)

    def with_hydra(self, overrides: Sequence[str] = ()) -> DictConfig:
        """Return the same with Hydra's own part, which says what option of each group is chosen."""
        return compose_config([*self._base, *overrides], *self._place, with_hydra=True)


def _without_hydra(composed: DictConfig) -> DictConfig:
    config = copy.deepcopy(composed)
    with open_dict(config):
        del config["hydra"]
    return config


def _sets_within_a_group(item: Override) -> bool:
    """Whether an override sets a key that cannot be a group's, and nothing else depends on which option is chosen."""
    plain = not (item.is_add() or item.is_force_add() or item.is_delete() or item.is_sweep_override())
    return (
        plain and "." in item.key_or_group and "/" not in item.key_or_group and not item.is_hydra_override()
    )
