"""`train`: one model, trained and validated in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf, open_dict

from fer_lightning.api.settings import Setting, read_settings, written
from fer_lightning.api.surroundings import as_command
from fer_lightning.config.compose import compose_config, is_sweep
from fer_lightning.errors import ConfigError
from fer_lightning.runs.run import Run
from fer_lightning.signals import stoppable


def train(*settings: Setting, folder: str | Path | None = None, **named: Any) -> Run:
    """Train and validate one model.

    Parameters
    ----------
    settings
        Overrides as on the command line, ``"model=cnn"``, or mappings of keys and values; later ones win.
    folder
        Where the run is written; ``hydra.run.dir``, by default ``runs/`` with date and time.
    named
        Further keys of the configuration: ``model="cnn"``, ``trainer={"max_epochs": 3}``, ``seed=1``. A part of one's
        own is a mapping with its ``_target_``, as in ``model={"_target_": "my_nets.Net", "width": 32}``.

    Returns
    -------
    Run
        Its record, metrics by epoch, predictions, checkpoint and pictures, read from its folder.

    Raises
    ------
    UserError
        A key, a value or the data are not as expected.

    Examples
    --------
    >>> run = train("model=small", trainer={"max_epochs": 3}, seed=1)  # doctest: +SKIP
    >>> run.value, run.best["val/f1"], run.checkpoint  # doctest: +SKIP
    """
    from fer_lightning.study.preflight import preflight
    from fer_lightning.training.train import train as train_run

    if folder is not None:
        settings = (*settings, written("hydra.run.dir", folder))
    line = read_settings(settings, named)
    if is_sweep(line.overrides):
        raise ConfigError("train: these settings ask for a study; fl.ablation and fl.search run one")
    with stoppable(), as_command(line.words):
        preflight(line)
        config = compose_config(line.overrides, with_hydra=True)
        place = Path(str(config.hydra.run.dir)).expanduser().absolute()
        OmegaConf.set_readonly(config, False)
        with open_dict(config):
            del config["hydra"]
        result = train_run(config, place)
    return Run(result.folder)
