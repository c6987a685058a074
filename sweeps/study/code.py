"""The user's own code as part of a study: which of it the trials run, and that it stays the same."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import optuna
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fer_lightning.errors import ConfigError
from fer_lightning.runs.code_fingerprint import differences, find_targets, in_words
from fer_lightning.sweeps.space.search_space import SearchSpace
from fer_lightning.sweeps.study.identity import FREE_KEYS

log = logging.getLogger(__name__)

CODE = "code"


def job_targets(config: DictConfig) -> set[str]:
    """Return the targets of a job's configuration, except those below keys that may differ within a study."""
    plain = OmegaConf.to_container(config, resolve=False)
    found = set()
    for key, value in find_targets(plain, FREE_KEYS):
        if "${" in value:
            try:
                value = str(OmegaConf.select(config, key))
            except OmegaConfBaseException:
                continue  # reported when the job is built
        found.add(value)
    return found


def searched_targets(space: SearchSpace) -> set[str]:
    """Return the targets that a search space may choose by name, or as part of a value."""
    found: set[str] = set()
    for parameter in space.parameters:
        if parameter.target.split(".")[-1] == "_target_":
            found.update(map(str, parameter.candidates() or []))
        for value in parameter.values.values():
            found.update(target for _, target in find_targets(value, FREE_KEYS, parameter.target))
    return found


def keep_code(study: optuna.Study, files: Mapping[str, str]) -> None:
    """Keep the fingerprint of the code with which a study begins."""
    study.set_user_attr(CODE, [{"trials": 0, "files": dict(files)}])


def check_code(study: optuna.Study, files: Mapping[str, str], *, accept: bool) -> None:
    """Refuse to go on with a study whose code has changed, or keep the new fingerprint beside the earlier ones.

    Parameters
    ----------
    files
        The fingerprint of this command's code.
    accept
        Whether changed code is accepted.

    Raises
    ------
    ConfigError
        Naming the files that differ and both ways out.
    """
    kept = code_versions(study)
    changed = differences(kept[-1]["files"], files) if kept else {}
    if changed and not accept:
        raise ConfigError(
            f"study {study.study_name} was made with other code: {in_words(changed)}; "
            "hydra.sweeper.study_name=<another name> starts anew, hydra.sweeper.changed_code=accept goes on with "
            "this one"
        )
    if changed:
        log.warning("study %s goes on with other code: %s", study.study_name, in_words(changed))
    if changed or not kept:  # studies of earlier versions have none
        finished = sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))
        study.set_user_attr(CODE, [*kept, {"trials": finished, "files": dict(files)}])


def code_versions(study: optuna.Study) -> list[dict[str, Any]]:
    """Return the fingerprints that a study was run with: each with its ``files`` and the ``trials`` finished before."""
    return list(study.user_attrs.get(CODE, []))
