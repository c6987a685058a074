"""A search space's part in Python: the user's own function, which suggests further parameters of a trial."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import optuna
from hydra.utils import get_method
from omegaconf import DictConfig

from fer_lightning.errors import ConfigError
from fer_lightning.messages import reason_of
from fer_lightning.sweeps.space.override import key_of, override


class CustomSpace:
    """Calls ``function(config, trial)`` after the other parameters of a trial are drawn.

    Parameters
    ----------
    name
        The function's dotted name. What it suggests is the key to set, such as ``trial.suggest_float("+w", 0, 1)``.
    config
        The command's configuration, without its trials' values.
    fixed
        The overrides that every trial gets; what they set cannot be suggested.

    Raises
    ------
    ConfigError
        There is no such function.
    """

    def __init__(self, name: str, config: DictConfig, fixed: Collection[str]) -> None:
        self.name, self._config = name, config
        self._fixed = {key_of(text): text for text in fixed}
        try:
            self._function: Callable[[DictConfig, optuna.Trial], Any] = get_method(name)
        except Exception as error:
            raise ConfigError(
                f"{self._where}: expected a function's dotted name ({reason_of(error)})"
            ) from error

    @property
    def _where(self) -> str:
        return f"hydra.sweeper.custom_search_space={self.name}"

    def suggest(self, trial: optuna.Trial) -> list[str]:
        """Return the overrides of what the function has added to the trial's parameters.

        Raises
        ------
        ConfigError
            The function fails, or suggests what an override sets.
        """
        before = set(trial.params)
        try:
            self._function(self._config, trial)
        except Exception as error:
            raise ConfigError(f"{self._where}: {reason_of(error)}") from error
        more = {name: value for name, value in trial.params.items() if name not in before}
        for name in more:
            if key_of(name) in self._fixed:
                raise ConfigError(
                    f"{self._where}: suggests {name}, which {self._fixed[key_of(name)]} sets; expected one of them"
                )
        return [override(name, value) for name, value in more.items()]
