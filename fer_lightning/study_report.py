"""The table and the figure at the end of a study."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from fer_lightning.errors import DataError, UserError
from fer_lightning.report.ablation import AblationReport, ablation_report
from fer_lightning.report.files import write_report
from fer_lightning.report.text import to_text
from fer_lightning.stats.records import ArmRun
from fer_lightning.stats.rules import Rules
from fer_lightning.sweeps.job import WORKER
from fer_lightning.sweeps.records import TrialRecord, load_trials
from fer_lightning.train import shown

log = logging.getLogger(__name__)


def arm_runs(trials: Sequence[TrialRecord]) -> list[ArmRun]:
    """Return the trials of an ablation plan as the runs that the statistics compare."""
    return [
        ArmRun(
            arm=trial.arm,
            seed=trial.seed,
            state=trial.state,
            levels={key: str(value) for key, value in trial.params.items() if key != "seed"},
            value=trial.value,
            seconds=trial.seconds,
            reason=trial.reason,
            directory=trial.directory,
        )
        for trial in trials
        if trial.arm is not None and trial.seed is not None and not trial.superseded
    ]


def _any_record(trials: Sequence[TrialRecord]) -> dict[str, Any]:
    """Return the ``run.json`` of the first trial that has one."""
    for trial in trials:
        if trial.directory is not None and (trial.directory / "run.json").is_file():
            found: dict[str, Any] = json.loads((trial.directory / "run.json").read_text(encoding="utf-8"))
            return found
    return {}


def study_report(
    place: str | Path, study_name: str | None = None, rules: Rules | None = None
) -> AblationReport:
    """Judge the arms of an ablation study.

    Parameters
    ----------
    place
        The study's folder, or its storage.
    study_name
        May be left out where there is one study only.
    rules
        When an arm is called better or worse.

    Raises
    ------
    DataError
        There is no such study, or it is no ablation.
    """
    trials = load_trials(place, study_name)
    runs = arm_runs(trials)
    if not runs:
        raise DataError(f"{place}: no trial of an ablation plan; expected the folder of an ablation study")
    record = _any_record(trials)
    data = record.get("data", {})
    return ablation_report(
        runs,
        baseline=runs[0].arm,
        metric=record.get("metric", "val/acc"),
        data_name=data.get("name", ""),
        synthetic=bool(data.get("synthetic", False)),
        rules=rules or Rules(higher_is_better=record.get("mode", "max") == "max"),
        command=record.get("command"),
    )


class StudyReport(Callback):
    """Hydra callback: when an ablation study has ended, prints its table and writes its files."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write ``report.*`` and ``effects.png`` into the study's folder."""
        if os.environ.get(WORKER) is not None or not config.get("ablation"):
            return
        folder = Path(config.hydra.sweep.dir)
        try:
            report = study_report(folder, config.hydra.sweeper.study_name)
            write_report(report, folder)
        except UserError as error:
            log.warning("no report: %s", error)
            return
        print("\n" + to_text(report))  # noqa: T201
        log.info(
            "\nwritten to %s: report.txt, report.md, report.csv, report.json, effects.png", shown(folder)
        )
