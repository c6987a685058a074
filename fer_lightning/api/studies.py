"""`ablation` and `search` run a study and return it."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_lightning.api.settings import Setting, read_settings, written
from fer_lightning.api.study_result import Study
from fer_lightning.api.surroundings import as_command, hydra_of_its_own
from fer_lightning.config.values import Count
from fer_lightning.errors import ConfigError, RunsFailedError
from fer_lightning.study.study_report import kept_findings


def ablation(
    *settings: Setting,
    factors: Mapping[str, Sequence[Any] | Mapping[str, Any]] | None = None,
    plan: str | None = None,
    workers: int | None = None,
    folder: str | Path | None = None,
    **named: Any,
) -> Study:
    """Run an ablation study, from plan to verdicts; the same call goes on with a study that was stopped.

    Parameters
    ----------
    settings, named
        Of every run: see `train`. ``seeds=[0, 1, 2]`` are the seeds of each arm.
    factors
        What is varied, in place of ``conf/ablation``: for each key of the configuration its levels, the baseline's
        first, as in ``{"model.activation": ["relu", "selu"]}``; or by name what ``conf/ablation/default.yaml`` has.
    plan
        "one_factor", "leave_one_out", "pairwise" or "full_factorial".
    workers
        Processes that share the study. More than one need no ``if __name__ == "__main__"``: each is a
        ``python -m fer_lightning`` of its own.
    folder
        Where the study lies; by default ``studies/`` with its name.

    Raises
    ------
    RunsFailedError
        Every run of the study, or of one of its arms, failed.
    UserError
        A key, a value or the data are not as expected.

    Examples
    --------
    >>> study = ablation("data=fer2013", factors={"augmentation": ["flip", "none"]}, seeds=[0, 1, 2])  # doctest: +SKIP
    >>> study.verdicts, study.to_pandas()  # doctest: +SKIP
    """
    more: list[str] = []
    if factors is not None:
        names = _names(factors)
        entries = {names[key]: _factor(key, levels) for key, levels in factors.items()}
        more += ["~ablation.factors", written("+ablation.factors", entries)]
    if plan is not None:
        more.append(written("ablation.plan", plan))
    return _run("ablation", settings, named, more, workers, folder)


def search(
    *settings: Setting,
    space: Mapping[str, Sequence[Any] | Mapping[str, Any] | str] | None = None,
    n_trials: int | None = None,
    sampler: str | None = None,
    pruner: str | None = None,
    confirm: int | None = None,
    workers: int | None = None,
    folder: str | Path | None = None,
    **named: Any,
) -> Study:
    """Search for good settings; the same call with more trials goes on.

    Parameters
    ----------
    settings, named
        Of every trial: see `train`.
    space
        What is searched, in place of ``conf/search_space``: for each key of the configuration a list of choices, a
        range in Hydra's words such as ``"interval(1e-4, 1e-2)"``, or what a file of ``conf/search_space`` has.
    n_trials
        In total, over all calls.
    sampler, pruner
        Names of options of ``conf/hydra/sweeper/``.
    confirm
        How many of the best settings are then run again over new seeds, beside the configuration's own, for a verdict.
    workers, folder
        As for `ablation`.

    Raises
    ------
    UserError
        As `ablation`.

    Examples
    --------
    >>> found = search(space={"optimizer.lr": "interval(1e-4, 1e-2)"}, n_trials=20)  # doctest: +SKIP
    >>> found.best.params, found.best.run.checkpoint  # doctest: +SKIP
    """
    more: list[str] = []
    if space is not None:
        typed = {key: text for key, text in space.items() if isinstance(text, str)}
        names = _names(space)
        entries = {names[key]: _parameter(key, node) for key, node in space.items() if key not in typed}
        more += ["~search_space", *(f"{key}={text}" for key, text in typed.items())]
        more += [written("+search_space", entries)] if entries else []
    chosen = {
        "hydra.sweeper.n_trials": n_trials,
        "hydra.sweeper.confirm": confirm,
        "hydra/sweeper/sampler": sampler,
        "hydra/sweeper/pruner": pruner,
    }
    more += [written(key, value) for key, value in chosen.items() if value is not None]
    return _run("search", settings, named, more, workers, folder)


def _run(
    experiment: str,
    settings: Sequence[Setting],
    named: Mapping[str, Any],
    more: Sequence[str],
    workers: Count | None,
    folder: str | Path | None,
) -> Study:
    from fer_lightning.study.experiment import run_experiment

    words = list(more)
    if workers is not None:
        words.append(written("study.workers", workers))
    if folder is not None:
        words.append(written("hydra.sweep.dir", folder))
    line = read_settings([*settings, *words], named)
    if not any(word.startswith("+experiment=") for word in line.words):
        line = read_settings([f"+experiment={experiment}", *line.typed], {})
    with as_command(line.typed), hydra_of_its_own(), kept_findings() as found:
        try:
            run_experiment(line)
        except SystemExit as error:
            if error.code == 128 + signal.SIGINT:
                raise KeyboardInterrupt from None
            if error.code in (0, 128 + signal.SIGTERM):
                raise
            raise RunsFailedError("the study ended early; what it printed says why") from error
    if not found:
        raise ConfigError(
            f"{' '.join(line.words)}: no study was run; expected an experiment with hydra.mode=MULTIRUN and the "
            "callback study_report, such as +experiment=ablation"
        )
    if isinstance(found[-1], Exception):
        raise found[-1]
    return Study(found[-1])


def _names(keys: Iterable[str]) -> dict[str, str]:
    """Return what each key is called in tables: its last part, or all of it where two end alike."""
    last = {key: key.rpartition(".")[2] for key in keys}
    names = {key: name if list(last.values()).count(name) == 1 else key for key, name in last.items()}
    return {key: re.sub(r"\W", "_", name) for key, name in names.items()}


def _factor(key: str, levels: Sequence[Any] | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(levels, Mapping):
        return levels
    if isinstance(levels, str) or len(levels) < 2:
        raise ConfigError(f"factors: {key}={levels!r}; expected a list of levels, the baseline's first")
    return {"key": key, "baseline": levels[0], "levels": list(levels[1:])}


def _parameter(key: str, node: Sequence[Any] | Mapping[str, Any]) -> Mapping[str, Any]:
    return {"key": key, **node} if isinstance(node, Mapping) else {"key": key, "choices": list(node)}
