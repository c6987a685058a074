"""What the sweeper needs of Hydra beside its public interface; tried with hydra-core 1.3.8 and 1.4.0rc3."""

from __future__ import annotations

import pickle
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.config_source import ConfigSource


class ReadOnce:
    """A source's ``load_config`` that reads and parses each file once.

    Parsing YAML takes Hydra 0.08 of the 0.2 processor seconds that composing a trial costs. Every call gives a
    configuration of its own, because Hydra changes what it loads. The trials of a sweep so see the files as they were
    when the sweep first read them.
    """

    def __init__(self, source: ConfigSource) -> None:
        self._load = source.load_config
        self._kept: dict[str, bytes] = {}

    def __call__(self, config_path: str) -> Any:
        """Return what the source's own method does."""
        if config_path not in self._kept:
            found = self._load(config_path)
            self._kept[config_path] = pickle.dumps(found, pickle.HIGHEST_PROTOCOL)
            return found
        return pickle.loads(self._kept[config_path])


class Uncopied:
    """A ``__deepcopy__`` that gives the object itself."""

    def __init__(self, whole: Any) -> None:
        self._whole = whole

    def __call__(self, _memo: dict[int, Any]) -> Any:
        """Return the object."""
        return self._whole


def read_files_once(config_loader: Any) -> None:
    """Let a Hydra configuration loader read each file once; a loader without files of its own is left as it is.

    Nor are its sources copied. Hydra copies its repository for each composition, to give the copy a list of sources of
    its own; no source is changed, and one holds all that is in the `ConfigStore`, which took 3 % of a short trial.
    """
    repository = getattr(config_loader, "repository", None)
    for source in repository.get_sources() if repository is not None else ():
        vars(source)["__deepcopy__"] = Uncopied(source)
        if source.scheme() in ("pkg", "file") and not isinstance(vars(source).get("load_config"), ReadOnce):
            source.load_config = ReadOnce(source)


def load_option(config_loader: Any, option: str) -> Any:
    """The ``ConfigResult`` of a group's option, such as ``model/cnn``; None where there is no such file."""
    return config_loader.repository.load_config(option)


def job_result(job: JobReturn) -> Any:
    """What a job returned or raised; the public ``return_value`` raises an error and prints two more lines of it."""
    return job._return_value
