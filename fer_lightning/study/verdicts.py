"""The verdicts of an ablation study: its trials, by arm and seed, judged by the study's objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fer_lightning.config.objective import VAL_ACC, Objective
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.messages import counted
from fer_lightning.report.label_cells import trusted_note
from fer_lightning.runs.leakage import WITHOUT
from fer_lightning.stats.ablation import AblationReport, ablation_report
from fer_lightning.stats.label_doubts import LabelDoubts
from fer_lightning.stats.rules import Rules
from fer_lightning.study.arms import arm_runs, tuned_runs
from fer_lightning.study.doubted_labels import with_trusted_labels
from fer_lightning.sweeps.plan.planned_trial import Stage
from fer_lightning.sweeps.study.results import Trial


def any_record(trials: Sequence[Trial]) -> dict[str, Any]:
    """Return the ``run.json`` of the first trial that has one."""
    return next((trial.run.record for trial in trials if trial.run.record), {})


def _command(trials: Sequence[Trial], record: dict[str, Any]) -> str | None:
    """Return the command that goes on with the study; where tuning was added later, the first one does not."""
    tuning = [trial for trial in trials if trial.stage != Stage.PLAIN]
    found: str | None = any_record(tuning).get("command", record.get("command"))
    return found


def judge(
    trials: Sequence[Trial],
    objective: Objective,
    rules: Rules | None = None,
    faces: str = "all",
    overrides: Mapping[str, Any] | None = None,
    *,
    untrusted: LabelDoubts | None = None,
) -> AblationReport:
    """Judge the arms of an ablation study.

    Parameters
    ----------
    trials
        All of the study.
    objective
        What the study is judged by, from `study_objective`.
    rules
        When an arm is called better or worse.
    faces, overrides
        ``all``, or which are judged of the data and their changed keys: see `without_copies`.
    untrusted
        Labels that are doubted: the arms are judged without them, which the report's title and data say.

    Raises
    ------
    DataError
        The study is no ablation.
    ConfigError
        Some of the faces are asked for, and what is compared is no accuracy on them.
    """
    runs = arm_runs(trials)
    if not runs:
        raise DataError("no trial of an ablation plan; expected an ablation study")
    record = any_record(trials)
    data = record.get("data", {})
    tuned, tuning = tuned_runs(trials, maximize=objective.higher_is_better) or (None, None)
    # The runs keep the logits of their validation faces; no other metric is told by them.
    by_face = objective.is_accuracy and objective.name == VAL_ACC
    title, without = "Ablation", WITHOUT[faces]
    if faces != "all":
        if not by_face:
            raise ConfigError(
                f"faces={faces}: the study compares {objective.name}; expected one of {VAL_ACC}"
            )
        # Together: the data are read once, and of an unfinished tuning no run may be complete.
        from fer_lightning.study.without_copies import without_copies  # which loads PyTorch

        judged = without_copies([*runs, *(tuned or [])], faces, overrides)
        runs, tuned = judged[: len(runs)], None if tuned is None else judged[len(runs) :]
    if untrusted is not None:
        if not by_face:
            raise ConfigError(
                f"labels=trusted: the study compares {objective.name}; expected one of {VAL_ACC}"
            )
        title = f"{title}, trusted labels only"
        without += f", without {counted(len(untrusted.faces), 'face')} of doubtful label"
        runs = with_trusted_labels(runs, untrusted)
        tuned = None if tuned is None else with_trusted_labels(tuned, untrusted)
    found = ablation_report(
        runs,
        baseline=runs[0].arm,
        objective=objective,
        use_logits=by_face,
        data_name=data.get("name", "") + without,
        title=title,
        synthetic=bool(data.get("synthetic", False)),
        rules=rules,
        command=_command(trials, record),
        tuned=tuned,
        tuning=tuning,
    )
    if untrusted is None:
        return found
    return replace(found, trusted=True, notes=(trusted_note(untrusted), *found.notes))
