"""Whether the trials that a search takes over from an earlier study have seen the same data."""

from __future__ import annotations

import os
from collections.abc import Sequence

from fer_lightning.errors import ConfigError, DataError
from fer_lightning.sweeps.study.results import load_trials


def check_earlier_data(places: Sequence[str] | str | None, name: str, fingerprint: str) -> None:
    """Refuse an earlier study whose runs say that they were trained on other faces.

    Parameters
    ----------
    places
        As `hydra.sweeper.begin_from` has them.
    name, fingerprint
        Of the data of the new search.

    Raises
    ------
    ConfigError
        Naming the study and both data; or there is none.
    """
    for place in [places] if isinstance(places, str) else places or ():
        try:
            trials = load_trials(os.path.expanduser(place))
        except DataError as error:
            raise ConfigError(f"hydra.sweeper.begin_from: {error}") from error
        for trial in trials:
            data = trial.run.record.get("data") or {}
            if data.get("fingerprint", fingerprint) != fingerprint:
                raise ConfigError(
                    f"hydra.sweeper.begin_from={place}: was trained on other data ({data.get('name')}, "
                    f"{str(data['fingerprint'])[:8]}) than {name} ({fingerprint[:8]}); expected the same faces"
                )
