"""How the search for each arm's settings reads, in the terminal and in Markdown."""

from __future__ import annotations

from typing import Any

from fer_lightning.messages import counted
from fer_lightning.report import cells
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.stats.arm_tuning import ArmTuning, TuningPart


def setting(value: Any) -> str:
    """A value of a tuned parameter."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def tuning_table(report: AblationReport, part: TuningPart) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the chosen settings, in the order of the arms' table."""
    header = [
        "arm",
        *part.parameters,
        "chosen",
        report.objective.heading,
        "at own",
        "complete",
        "left out",
        "s",
    ]
    return header, [_row(report, part, part.arm(row.arm)) for row in report.arms]


def _row(report: AblationReport, part: TuningPart, arm: ArmTuning) -> list[str]:
    known = arm.point is not None
    absent = "fixed" if known else cells.NONE
    counts = ((arm.n_pruned, "P"), (arm.n_failed, "F"), (arm.n_unfinished, "U"))
    return [
        arm.arm,
        *(setting(arm.settings[name]) if name in arm.settings else absent for name in part.parameters),
        cells.NONE if not known else "own" if arm.point == 0 else f"point {arm.point}",
        *(cells.NONE if v is None else cells.number(report, v) for v in (arm.value, arm.own_value)),
        str(arm.n_complete),
        " ".join(f"{n}{letter}" for n, letter in counts if n) or cells.NONE,
        cells.seconds(arm.seconds),
    ]


def tuning_lines(report: AblationReport, part: TuningPart) -> list[str]:
    """How the settings were found, what it cost, and what the table above cannot say."""
    counts = {
        "complete": sum(arm.n_complete for arm in part.arms),
        "pruned": sum(arm.n_pruned for arm in part.arms),
        "failed": sum(arm.n_failed for arm in part.arms),
        "unfinished": sum(arm.n_unfinished for arm in part.arms),
    }
    by_state = ", ".join(f"{n} {word}" for word, n in counts.items() if n)
    lines = [
        f"Settings: for each arm the best {report.metric} at seed {part.seed} among its own settings (own) and the "
        "same drawn points in every arm. Fixed: what makes the arm is not tuned.",
        f"Tuning: {counted(sum(counts.values()), 'run')}, {cells.duration(part.seconds)}: {by_state}. "
        "They enter no other number.",
        "The settings were chosen on the images that the arms are judged on: each value is a little too "
        "good, the baseline's too. The intervals take the chosen settings as given.",
    ]
    lost = [arm.arm for arm in part.arms if arm.point == 0 and arm.value is None and arm.failures]
    if lost:
        lines.append(f"No tuning run is complete, so nothing was chosen: {'; '.join(lost)}.")
    if part.unchanged:
        lines.append(
            "At their own settings, with the runs of the first table (counted there and here): "
            f"{'; '.join(part.unchanged)}."
        )
    lines += [f"Failed in tuning {arm.arm}: {reason}" for arm in part.arms for reason in arm.failures]
    return lines
