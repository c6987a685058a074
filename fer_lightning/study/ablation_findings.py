"""What an ablation study found: its verdicts, its arms' calibration, its doubtful labels, and what must be known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_lightning.config.objective import SHARE, study_objective
from fer_lightning.config.values import Slices
from fer_lightning.errors import DataError
from fer_lightning.stats.ablation import AblationReport
from fer_lightning.stats.arm_calibration import arm_calibrations
from fer_lightning.stats.label_doubts import Labels
from fer_lightning.stats.rules import Rules
from fer_lightning.study.arms import arm_runs
from fer_lightning.study.code_notes import code_notes
from fer_lightning.study.doubted_labels import study_doubts
from fer_lightning.study.doubtful_sheet import draw_sheet
from fer_lightning.study.earlier_verdicts import earlier_note, earlier_objective
from fer_lightning.study.verdicts import any_record, judge
from fer_lightning.sweeps.study.results import Trial

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class AskedFaces:
    """Which faces an ablation is judged on.

    Attributes
    ----------
    faces
        ``all``, or without those of which training has seen a copy: see `without_copies`.
    labels
        ``trusted`` for those whose label the study's runs do not doubt.
    fer_plus
        FER+'s ``fer2013new.csv``, with which the doubtful labels are compared.
    overrides
        ``data.…`` keys that have changed since the runs.
    slices
        Into how many groups faces are divided to see where networks fail; False for none.
    """

    faces: str = "all"
    labels: Labels = "all"
    fer_plus: Path | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    slices: Slices = True

    @property
    def every(self) -> bool:
        """Whether that is all faces."""
        return self.faces == self.labels == "all"

    @property
    def words(self) -> list[str]:
        """What was asked for, as it is typed."""
        usual = AskedFaces()
        return [
            f"{key}={getattr(self, key)}"
            for key in ("faces", "labels", "fer_plus")
            if getattr(self, key) != getattr(usual, key)
        ]


def judged_study(
    study: optuna.Study, trials: Sequence[Trial], folder: Path, rules: Rules | None, asked: AskedFaces
) -> AblationReport:
    """Judge an ablation study and its labels, and draw the sheet of its doubtful faces into the report's folder.

    Calibration is of all faces, so only a report on these has it.

    Raises
    ------
    DataError, ConfigError
        As `judge`, `study_doubts` and `draw_sheet`; or no run left logits by which labels could be trusted.
    """
    record = any_record(trials)
    objective = study_objective(study, fallback=record.get("metric"))
    doubts = study_doubts(trials, asked.fer_plus)
    if asked.labels == "trusted" and doubts is None:
        raise DataError("labels=trusted: no run left val_logits.npz to judge labels by")
    untrusted = doubts if asked.labels == "trusted" else None
    report = judge(trials, objective, rules, asked.faces, asked.overrides, untrusted=untrusted)
    report = _with_notes(report, study, folder, record, code_notes(study, trials))
    if asked.every:
        report = replace(report, calibration=arm_calibrations(arm_runs(trials)))
    if doubts is None:
        return report
    folder.mkdir(parents=True, exist_ok=True)
    return replace(report, doubts=draw_sheet(doubts, trials, folder, asked.overrides))


def _with_notes(
    report: AblationReport, study: optuna.Study, folder: Path, record: dict[str, Any], more: Sequence[str]
) -> AblationReport:
    """Add what a reader must know: of the plan, of the code, and of an objective that was judged otherwise before."""
    objective, notes = report.objective, [*report.notes, *study.user_attrs.get("notes", []), *more]
    if study.user_attrs.get("unit") == SHARE and not objective.is_share:
        notes.append(f"{objective.name} is no share as hydra.sweeper.unit says: some values lie outside 0..1")
    earlier = earlier_objective(study, objective, folder, record)
    if earlier is not None:
        notes.append(earlier_note(earlier, objective))
    return replace(report, notes=tuple(notes), earlier=earlier)
