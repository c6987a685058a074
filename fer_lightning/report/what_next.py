"""What would answer what a report leaves open: commands that can be pasted."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from fer_lightning.messages import counted
from fer_lightning.report.cells import add_seeds_command, seeds_target
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.stats.verdict import BETTER, NO_DIFFERENCE, NOT_ENOUGH, WORSE
from fer_lightning.stats.winners_curse import Confirmed
from fer_lightning.sweeps.study.results import Trial

# A study of another program has no groups of this project's.
_OWN = "python -m fer_lightning"


@dataclass(frozen=True)
class Step:
    """A next step: what it is for, and its command."""

    purpose: str
    command: str

    def __str__(self) -> str:
        return f"{self.purpose}: {self.command}"


def with_key(command: str, key: str, value: str) -> str:
    """A command line with one key set, whatever it had for it before."""
    words = [word for word in shlex.split(command) if word.lstrip("+").partition("=")[0] != key]
    return shlex.join([*words, f"{key}={value}"])


def ablation_steps(
    report: AblationReport, trials: Sequence[Trial], command: str | None, place: str
) -> list[Step]:
    """What follows an ablation: runs that are missing, seeds to add, arms to tune, the best arm as an experiment.

    Parameters
    ----------
    report, trials
        Of the study.
    command
        That of the study; None where it is not known.
    place
        Its folder, as a person would type it.
    """
    steps = [] if command is None else _missing(command, trials, "every arm")
    if (command := report.command) is not None:
        target = seeds_target(report)
        if target is not None and target > len(report.seeds):
            steps.append(Step(f"To run {target} seeds", add_seeds_command(command, report.seeds, target)))
        open_arms = [row.arm for row in report.arms if row.verdict in (WORSE, NO_DIFFERENCE)]
        if open_arms and report.tuned is None and command.startswith(_OWN):
            steps.append(
                Step(
                    "To tune each arm, so that none loses by settings that suit the baseline",
                    with_key(command, "ablation/tuning", "small"),
                )
            )
    best = next((row for row in report.arms if row.verdict == BETTER), None)
    if best is not None and _has_runs(trials):
        steps.append(_experiment(place, f"To write {best.arm} as an experiment"))
    return steps


def search_steps(
    trials: Sequence[Trial], confirmed: Confirmed | None, command: str | None, place: str
) -> list[Step]:
    """What follows a search: trials that are missing, its confirmation or more seeds for it, its setting to keep.

    Parameters
    ----------
    trials
        All of the study.
    confirmed
        Its confirmation; None where there is none.
    command
        That of the study; None where it is not known.
    place
        Its folder, as a person would type it.
    """
    steps = [] if command is None else _missing(command, trials, "every trial")
    if command is not None and confirmed is None:
        steps.append(
            Step(
                "To learn whether its best settings are better than the default",
                with_key(command, "hydra.sweeper.confirm", "3"),
            )
        )
    if command is not None and confirmed is not None:
        steps += _more_seeds(confirmed.report, command)
    first = None if confirmed is None else confirmed.report.arms[0].arm
    if _has_runs(trials) and (confirmed is None or first != confirmed.report.baseline):
        which = "the best setting, which is not confirmed," if first is None else first
        steps.append(_experiment(place, f"To write {which} as an experiment"))
    return steps


def _more_seeds(report: AblationReport, command: str) -> list[Step]:
    undecided = [row for row in report.arms if row.verdict in (NO_DIFFERENCE, NOT_ENOUGH)]
    target = seeds_target(report)
    if not undecided or target is None or target <= len(report.seeds):
        return []
    listed = sorted(report.seeds)
    while len(listed) < target:
        listed.append(listed[-1] + 1 if listed else 0)
    text = f"[{','.join(map(str, listed))}]"
    return [Step(f"To confirm over {target} seeds", with_key(command, "hydra.sweeper.confirm_seeds", text))]


def _missing(command: str, trials: Sequence[Trial], what: str) -> list[Step]:
    current = [trial for trial in trials if not trial.superseded]
    waiting = sum(trial.state in ("WAITING", "RUNNING") for trial in current)
    failed = sum(trial.state == "FAIL" for trial in current if trial.arm is not None)
    steps = []
    if waiting:
        steps.append(
            Step(f"To run {what} to its end ({counted(waiting, 'run is', 'runs are')} missing)", command)
        )
    if failed:
        purpose = f"To try {counted(failed, 'failed run')} once more"
        steps.append(Step(purpose, with_key(command, "hydra.sweeper.retry_failed", "true")))
    return steps


def _experiment(place: str, purpose: str) -> Step:
    return Step(purpose, f"{_OWN} report {shlex.quote(place)} experiment=best.yaml")


def _has_runs(trials: Sequence[Trial]) -> bool:
    """Whether the study's runs are this project's, which can be written as an experiment."""
    return any(trial.run.config and trial.run.record for trial in trials)


def steps_text(steps: Sequence[Step]) -> str:
    """The steps for a terminal: each command on a line of its own, not broken."""
    if not steps:
        return ""
    lines = [f"{step.purpose}:\n  {step.command}" for step in steps]
    return "\n".join(["", "What next", *lines]) + "\n"


def steps_markdown(steps: Sequence[Step]) -> str:
    """The steps as a Markdown section."""
    if not steps:
        return ""
    lines = [f"{step.purpose}:\n\n```\n{step.command}\n```\n" for step in steps]
    return "\n".join(["", "### What next", "", *lines])
