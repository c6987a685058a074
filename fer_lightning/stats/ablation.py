"""The result of an ablation study, made from its runs; tables, files and figures show nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fer_lightning.config.objective import Objective
from fer_lightning.errors import DataError
from fer_lightning.stats.aligned import OTHER_ACCURACY, contradicts
from fer_lightning.stats.arm_calibration import ArmCalibration
from fer_lightning.stats.arm_summary import ArmSummary, seeds_to_call, smallest_called, summarize_arms
from fer_lightning.stats.arm_tuning import TuningPart
from fer_lightning.stats.collapse import collapse_notes, guessing_levels
from fer_lightning.stats.factorial import FactorialPart, factorial_part
from fer_lightning.stats.label_doubts import LabelDoubts
from fer_lightning.stats.paired import SAME_DIFFERENCE, PairedEffect, paired_effect
from fer_lightning.stats.power import Spread, spread_of
from fer_lightning.stats.records import ArmRun, complete_by_seed
from fer_lightning.stats.rules import Rules
from fer_lightning.stats.slices import FaceSlices


@dataclass(frozen=True)
class AblationReport:
    """Everything that the tables, the files and the figure show.

    Attributes
    ----------
    title, baseline, data_name : names
    objective : what the arms are judged by: metric, direction, unit
    synthetic : whether the data were drawn by a program; every output says so
    arms : the rows, the best first
    n_images : images that each run was judged on; 0 where no logits are stored
    rules : the settings of the verdicts
    total_seconds : time of all runs, whatever became of them; NaN where no run has one
    spread : of the paired differences, over all arms; None where no arm has two seeds
    seeds : seeds of the study
    folds : runs of an arm and seed, on the folds of a cross-validation; 1 without one
    seeds_needed : seeds in all that call the rules' smallest effect at that spread; None where 200 do not, or it has
        none
    detectable : smallest true difference that the present seeds call with the rules' power; None where no
        arm has two seeds
    command : the command line of the study, if known
    notes : what a reader must know to read the numbers right
    guessing : the accuracies of guessing in words; empty where the objective is no accuracy
    factorial : interactions and importances, where the plan crosses factors
    tuned : the same arms, each at its own tuned settings, where that was asked for
    tuning : of a report that is another one's `tuned`: how the settings were found
    earlier : what an earlier version of this report judged the study by, where that was something else: name of the
        metric, and whether it took more of it for better
    calibration : of each arm whose runs left logits
    doubts : the faces whose label the study's runs take for wrong; None where they were not asked, or left no logits
    trusted : whether the arms were judged without these
    slices : groups of faces in which the baseline's networks fail; None where they were not looked for
    no_slices : why not; None where that needs no word
    """

    title: str
    objective: Objective
    baseline: str
    data_name: str
    synthetic: bool
    arms: tuple[ArmSummary, ...]
    n_images: int
    rules: Rules
    total_seconds: float
    spread: Spread | None
    seeds: tuple[int, ...]
    seeds_needed: int | None
    detectable: float | None
    command: str | None = None
    notes: tuple[str, ...] = ()
    guessing: str = ""
    factorial: FactorialPart | None = None
    tuned: AblationReport | None = None
    tuning: TuningPart | None = None
    earlier: tuple[str, bool] | None = None
    folds: int = 1
    calibration: tuple[ArmCalibration, ...] = ()
    doubts: LabelDoubts | None = None
    trusted: bool = False
    slices: FaceSlices | None = None
    no_slices: str | None = None

    @property
    def metric(self) -> str:
        """Name of the metric."""
        return self.objective.name

    @property
    def smallest_effect(self) -> float | None:
        """The difference that "how many seeds?" is asked for; None where the question has no natural size."""
        return self.rules.smallest_of(self.objective)

    def arm(self, name: str) -> ArmSummary:
        """The row of one arm; KeyError where there is none."""
        for row in self.arms:
            if row.arm == name:
                return row
        raise KeyError(name)


def ablation_report(
    runs: Sequence[ArmRun],
    baseline: str,
    objective: Objective | None = None,
    *,
    use_logits: bool | None = None,
    data_name: str = "",
    synthetic: bool = False,
    title: str = "Ablation",
    rules: Rules | None = None,
    command: str | None = None,
    tuned: Sequence[ArmRun] | None = None,
    tuning: TuningPart | None = None,
) -> AblationReport:
    """Compare every arm with the baseline.

    Parameters
    ----------
    runs : all runs of the study in any state; only complete ones enter the inference
    baseline : name of the arm that the others are compared with
    objective : what `value` is; without it the validation accuracy
    use_logits : whether the runs' logits are those that `value` was measured on; without it wherever the objective is
        an accuracy
    data_name, synthetic, title : shown in every output
    rules : when an arm is called better or worse
    command : the command line of this study, to tell how to add seeds
    tuned : runs of the same arms, each at its own tuned settings; gives `report.tuned`
    tuning : how those settings were found; kept with `report.tuned`

    Raises
    ------
    DataError
        No run at all, no run of the baseline, or two complete runs of an arm with one seed.
    """
    rules, objective = rules or Rules(), objective or Objective()
    by_face = objective.is_accuracy if use_logits is None else use_logits
    names = list(dict.fromkeys(run.arm for run in runs))
    if baseline not in names:
        raise DataError(f"baseline {baseline!r} has no run; the arms are: {', '.join(names) or 'none'}")
    done = {name: complete_by_seed(runs, name) for name in names}
    effects = _effects(done, baseline, rules, use_logits=by_face)
    found = [effect for effect in effects.values() if effect is not None]
    spread = spread_of(found)
    factorial, note = factorial_part(runs)
    predicted = [(name, run.predictions) for name, complete in done.items() for run in complete.values()]
    seconds = [run.seconds for run in runs if run.seconds is not None]
    first = next((found for _, found in predicted if found is not None), None)
    guessing = guessing_levels(first) if first is not None and objective.is_accuracy else ""
    levels = (f"guessing: {guessing}",) if guessing else ()
    folds = max((len(run.parts) for run in runs), default=1) or 1
    notes = (
        *levels,
        *_fold_notes(folds, by_face=by_face),
        *collapse_notes(predicted),
        *_notes(done, effects, use_logits=by_face),
    )
    tuned_report = None
    if tuned is not None:
        title_tuned = f"{title}, each arm at its own tuned settings"
        tuned_report = ablation_report(
            tuned,
            baseline,
            objective,
            use_logits=by_face,
            data_name=data_name,
            synthetic=synthetic,
            title=title_tuned,
            rules=rules,
            command=command,
        )
        tuned_report = replace(tuned_report, tuning=tuning)
    return AblationReport(
        title=title,
        objective=objective,
        baseline=baseline,
        data_name=data_name,
        synthetic=synthetic,
        arms=_ranked(summarize_arms(runs, baseline, done, effects, rules, objective), objective),
        n_images=max((effect.n_images for effect in found), default=0),
        rules=rules,
        total_seconds=float(sum(seconds)) if seconds else math.nan,
        spread=spread,
        seeds=tuple(sorted({run.seed for run in runs})),
        seeds_needed=seeds_to_call(spread, rules.smallest_of(objective), rules, len(effects)),
        detectable=smallest_called(spread, found, rules),
        command=command,
        notes=(*notes, note) if note else notes,
        guessing=guessing,
        factorial=factorial,
        tuned=tuned_report,
        folds=folds,
    )


def _fold_notes(folds: int, *, by_face: bool) -> tuple[str, ...]:
    if folds == 1:
        return ()
    how = (
        "by the crossed analysis of the out-of-fold results"
        if by_face
        else "by the corrected resampled t-test"
    )
    return (
        f"{folds}-fold cross-validation: a seed's value is the mean over all faces, each judged by the run that "
        f"was not trained on it; the intervals, {how}, are for nets trained on {folds - 1}/{folds} of "
        "new data of this size",
    )


def _effects(
    done: Mapping[str, Mapping[int, ArmRun]], baseline: str, rules: Rules, *, use_logits: bool
) -> dict[str, PairedEffect | None]:
    return {
        name: paired_effect(
            complete,
            done[baseline],
            confidence=rules.confidence,
            n_resamples=rules.n_resamples,
            use_logits=use_logits,
        )
        for name, complete in done.items()
        if name != baseline
    }


def _ranked(rows: list[ArmSummary], objective: Objective) -> tuple[ArmSummary, ...]:
    """Best first, by the paired difference (the baseline's is 0); arms without one go last."""

    def key(row: ArmSummary) -> tuple[bool, float]:
        if row.effect is None:
            return row.verdict != "baseline", 0.0
        return False, objective.sort_key(row.effect.mean)

    return tuple(sorted(rows, key=key))


def _notes(
    done: Mapping[str, Mapping[int, ArmRun]],
    effects: Mapping[str, PairedEffect | None],
    *,
    use_logits: bool,
) -> tuple[str, ...]:
    found = {name: effect for name, effect in effects.items() if effect is not None and effect.note}
    notes = [f"{name}: {SAME_DIFFERENCE}" for name, e in found.items() if e.note == SAME_DIFFERENCE]
    if not use_logits:
        return tuple(notes)
    runs = [run for complete in done.values() for run in complete.values()]
    if runs and not any(run.correctness is not None for run in runs):
        return (*notes, "no run left its logits (val_logits.npz): the intervals count seeds only")
    notes += [
        f"{name}: the interval counts seeds only ({effect.note})"
        for name, effect in found.items()
        if effect.note not in (SAME_DIFFERENCE, OTHER_ACCURACY)
    ]
    gaps = [
        abs(run.correctness.share - run.value)
        for run in runs
        if run.correctness is not None and run.value is not None
    ]
    differing = [gap for gap in gaps if gap > 1e-4]
    if differing:
        used = "the differences are those of the logits"
        if any(map(contradicts, runs)):
            used = "where it is more than one image, the differences are those of the values, and count seeds only"
        notes.append(
            f"in {len(differing)} of {len(gaps)} runs the stored logits give another accuracy than the "
            f"recorded value (by up to {100 * max(gaps):.2f} points); {used}"
        )
    return tuple(notes)
