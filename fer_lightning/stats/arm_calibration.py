"""How calibrated each arm is: its runs' temperatures, fitted on one half of the faces and judged on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fer_lightning.runs.predictions import Predictions
from fer_lightning.stats.calibration import (
    Reliability,
    fit_temperature,
    halves,
    mean_nll,
    probabilities,
    reliability,
)
from fer_lightning.stats.records import ArmRun, complete_by_seed


@dataclass(frozen=True)
class Calibration:
    """Of one run, or the means over an arm's runs, on the faces that no temperature was fitted on.

    Attributes
    ----------
    nll
        Mean negative log-likelihood of the labels, in nats.
    ece, chance
        As in `Reliability`.
    """

    nll: float
    ece: float
    chance: float


@dataclass(frozen=True)
class ArmCalibration:
    """Calibration of an arm.

    Attributes
    ----------
    arm, seeds
        Name, and the seeds of the runs in their order.
    faces
        How many each run is judged on: the half that its temperature was not fitted on.
    temperatures
        One a seed.
    before, after
        Without a temperature and at it.
    drawn_before, drawn_after
        The bins of all runs together, as a reliability diagram shows them.
    """

    arm: str
    seeds: tuple[int, ...]
    faces: int
    temperatures: tuple[float, ...]
    before: Calibration
    after: Calibration
    drawn_before: Reliability
    drawn_after: Reliability


def run_temperature(predictions: Predictions) -> float:
    """Return the temperature of a run, fitted on one half of its validation faces."""
    fitted = halves(predictions.labels, predictions.ids)
    return fit_temperature(predictions.logits[fitted], predictions.labels[fitted])


def can_be_calibrated(predictions: Predictions) -> bool:
    """Say whether logits are numbers, of enough faces for two halves."""
    return len(predictions.labels) >= 2 and bool(np.isfinite(predictions.logits).all())


def arm_calibration(arm: str, runs: Mapping[int, Predictions]) -> ArmCalibration:
    """Fit a temperature to each run of an arm on one half of its faces, and judge it on the other.

    Parameters
    ----------
    runs
        Logits by seed, at least one; see `can_be_calibrated`. The halves are the same in all runs on the same faces.
    """
    judged = {seed: each.only(~halves(each.labels, each.ids)) for seed, each in runs.items()}
    temperatures = {seed: run_temperature(each) for seed, each in runs.items()}
    parts = list(judged.values())
    before, drawn_before = _measured(parts, [1.0] * len(parts))
    after, drawn_after = _measured(parts, list(temperatures.values()))
    return ArmCalibration(
        arm=arm,
        seeds=tuple(runs),
        faces=max(len(each.labels) for each in parts),
        temperatures=tuple(temperatures.values()),
        before=before,
        after=after,
        drawn_before=drawn_before,
        drawn_after=drawn_after,
    )


def arm_calibrations(runs: Sequence[ArmRun]) -> tuple[ArmCalibration, ...]:
    """Return the calibration of each arm that has complete runs with logits, in the order of the arms."""
    found = []
    for arm in dict.fromkeys(run.arm for run in runs):
        logits = {seed: run.predictions for seed, run in complete_by_seed(runs, arm).items()}
        usable = {seed: each for seed, each in logits.items() if each is not None and can_be_calibrated(each)}
        if usable:
            found.append(arm_calibration(arm, usable))
    return tuple(found)


def _measured(runs: Sequence[Predictions], temperatures: Sequence[float]) -> tuple[Calibration, Reliability]:
    """Measure runs at temperatures: the means over them, and their bins together."""
    confidences, rights, losses = [], [], []
    for run, temperature in zip(runs, temperatures, strict=True):
        confidences.append(probabilities(run.logits, temperature).max(axis=1))
        rights.append(run.correct)
        losses.append(mean_nll(run.logits, run.labels, temperature))
    found = [reliability(one, right) for one, right in zip(confidences, rights, strict=True)]
    means = [
        float(np.mean(each)) for each in (losses, [one.ece for one in found], [one.chance for one in found])
    ]
    return Calibration(*means), reliability(np.concatenate(confidences), np.concatenate(rights))
