"""A study's best setting as an experiment file, which `+experiment=NAME` runs again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from omegaconf import OmegaConf

from fer_lightning.config.compose import compose_config
from fer_lightning.config.flatten import flatten
from fer_lightning.config.objective import Objective
from fer_lightning.config.typed import shown
from fer_lightning.errors import ConfigError
from fer_lightning.messages import counted
from fer_lightning.report.search_text import searched
from fer_lightning.runs.files import write_text
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.study.study_findings import StudyFindings
from fer_lightning.sweeps.plan.planned_trial import Stage
from fer_lightning.sweeps.space.override import key_of
from fer_lightning.sweeps.study.results import Trial, load_study

if TYPE_CHECKING:
    import optuna

_FOLDER = "experiment"
# What is no part of a setting.
_LEFT_OUT = (
    "seed",
    "seeds",
    "note",
    "logger",
    "ablation",
    "search_space",
    "study",
    "resume",
    "changed_code",
    "threads",
)


def with_experiment(
    findings: StudyFindings, place: str | Path, study_name: str | None, path: Path
) -> StudyFindings:
    """Write the best setting of what was found in a place; see `write_experiment`."""
    confirmed = findings.confirmed
    report = findings.report if confirmed is None else confirmed.report
    study = load_study(place, study_name)
    where, command = write_experiment(study, findings.trials, report, findings.objective, path)
    text = f"{findings.text}\n{shown(where)} runs the best setting again:\n  {command}\n"
    return replace(findings, text=text, paths=findings.paths | {"experiment": where})


def write_experiment(
    study: optuna.Study,
    trials: Sequence[Trial],
    report: AblationReport | None,
    objective: Objective,
    path: Path,
) -> tuple[Path, str]:
    """Write the best setting of a study as an experiment file.

    Parameters
    ----------
    study, trials
        The study and all of its trials.
    report
        The arms of an ablation, or the confirmed settings of a search; None for a search alone.
    path
        Of the file; where its folder is not called ``experiment``, one is made in it, by which Hydra finds the file.

    Returns
    -------
    The file's path, and the command that runs it.

    Raises
    ------
    ConfigError
        Nothing is better than the baseline, or the setting cannot be written.
    """
    trial, about = _best(trials, report, objective)
    if not trial.run.config or "choices" not in study.user_attrs:
        raise ConfigError(
            f"experiment={path}: trial {trial.number} has no configuration of this project; expected a study that "
            "this version has begun"
        )
    where = path if path.parent.name == _FOLDER else path.parent / _FOLDER / path.name
    where = where.with_suffix(".yaml")
    folder = shlex.quote(shown(where.parent.parent))
    command = f"python -m fer_lightning --config-dir {folder} +experiment={where.stem}"
    text = _text(
        study.user_attrs["choices"], trial, [*about, f"Of the study {study.study_name}.", "", f"  {command}"]
    )
    where.parent.mkdir(parents=True, exist_ok=True)
    write_text(where, text)
    return where, command


def _best(
    trials: Sequence[Trial], report: AblationReport | None, objective: Objective
) -> tuple[Trial, list[str]]:
    """A trial with the best setting, and lines that say what that is worth."""
    if report is None:
        done = [trial for trial in searched(trials) if trial.can_win]
        if not done:
            raise ConfigError("experiment: no complete trial of the search meets its constraints")
        best = min(done, key=lambda trial: objective.sort_key(trial.value or 0.0))
        value = objective.shown(best.value or 0.0)
        return best, [
            f"Trial {best.number}, the best of a search of {len(done)}: {objective.name} {value} in one run.",
            "Not confirmed over seeds: expect less.",
        ]
    row = report.arms[0]
    if row.arm == report.baseline:
        raise ConfigError(
            f"experiment: nothing of the study was better than {report.baseline}, which needs no file"
        )
    stages = (Stage.PLAIN, Stage.CONFIRM)
    found = next(t for t in trials if t.arm == row.arm and t.stage in stages and t.run.config)
    mean = f"{objective.shown(row.mean)} over {counted(len(row.seeds), 'seed')}"
    return found, [f"{row.arm}: {objective.name} {mean}; against {report.baseline}: {row.verdict}."]


def _text(choices: Mapping[str, Any], trial: Trial, about: Sequence[str]) -> str:
    options = {key_of(word): word.partition("=")[2].strip("'\"") for word in trial.attrs.get("overrides", ())}
    groups = {group: options.get(group, option) for group, option in choices.items() if "@" not in group}
    usual = compose_config([], with_hydra=True)
    known = OmegaConf.to_container(usual.hydra.runtime.choices)
    assert isinstance(known, dict)
    chosen = {
        group: option
        for group, option in groups.items()
        if group not in _LEFT_OUT
        and group in known
        and str(option) != str(known[group])
        and option is not None
    }
    chosen = {group: option for group, option in chosen.items() if not str(option).startswith("[")}
    wanted, words = _values(trial.run.config), [f"{group}={option}" for group, option in chosen.items()]
    # Resolved as the run's own is, under its seed: what follows from the seed is no part of the setting.
    seed = trial.run.config.get("seed", 0)
    usually = compose_config([*words, f"seed={seed}"])
    base = _values(OmegaConf.to_container(usually, resolve=True))
    tree: dict[str, Any] = {}
    for key, value in wanted.items():
        if key not in base or base[key] != value:
            _set(tree, key, value)
    lines = ["# @package _global_", *(f"# {line}".rstrip() for line in about)]
    defaults = [{f"override /{group}": option} for group, option in chosen.items()]
    parts = [{"defaults": defaults}] if defaults else []
    body = "".join(
        yaml.safe_dump(part, sort_keys=False, allow_unicode=True) for part in [*parts, tree] if part
    )
    return "\n".join(lines) + "\n" + body


def _values(config: Any) -> dict[str, Any]:
    """A configuration as dotted keys of JSON values, without what is no part of a setting."""
    flat = {key: json.loads(json.dumps(value, default=str)) for key, value in flatten(config).items()}
    return {key: value for key, value in flat.items() if key.split(".")[0] not in (*_LEFT_OUT, "hydra")}


def _set(tree: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for part in parents:
        tree = tree.setdefault(part, {})
    tree[last] = value
