"""One training run of an ablation as the statistics see it, and where its per-image results lie."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from fer_lightning.errors import DataError
from fer_lightning.runs.predictions import Predictions, joined
from fer_lightning.runs.run import Run


@dataclass(frozen=True, eq=False)
class Correctness:
    """Which images a run classifies right, whatever logits say so.

    Attributes
    ----------
    right : bool [N]
    images : [N], what tells the images apart: their ids, or their labels or places where they have no ids
    named : whether `images` are ids
    """

    right: np.ndarray
    images: np.ndarray
    named: bool

    @property
    def share(self) -> float:
        """The accuracy, 0..1."""
        return float(self.right.mean())


@dataclass(frozen=True, eq=False)
class ArmRun:
    """One run of one arm of an ablation.

    Attributes
    ----------
    arm : name of the arm; the runs of an arm differ by their seed alone
    seed : the seed that the arm shares with the same-numbered run of the baseline
    state : Optuna's name of the trial's state: COMPLETE, PRUNED, FAIL, RUNNING, WAITING
    levels : factor → level, e.g. ``{"activation": "selu", "dropout": "0.5"}``
    value : the metric; for an accuracy within 0..1
    seconds : what the run took
    logits, labels, ids, class_names : as in `Predictions`; those of ``run`` if they are not given
    correct : bool [N], for a run that is known by these and its ``ids`` alone
    reason : why the run failed or was pruned
    run : the run's folder
    parts : the runs on the folds of a cross-validation that are judged as one: see `stats.cross_validation.out_of_fold`
    """

    arm: str
    seed: int
    state: str = "COMPLETE"
    levels: dict[str, str] = field(default_factory=dict)
    value: float | None = None
    seconds: float | None = None
    logits: np.ndarray | None = None
    labels: np.ndarray | None = None
    ids: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    correct: np.ndarray | None = None
    reason: str | None = None
    run: Run = field(default_factory=Run)
    parts: tuple[ArmRun, ...] = ()

    @property
    def complete(self) -> bool:
        """Finished with a finite value: only such runs enter the inference."""
        return self.state == "COMPLETE" and self.value is not None and math.isfinite(self.value)

    @cached_property
    def predictions(self) -> Predictions | None:
        """The validation logits, given or the run's; None where there are none."""
        if self.logits is not None and self.labels is not None:
            return Predictions(self.logits, self.labels, self.ids, self.class_names)
        if self.parts:
            found = [part.predictions for part in self.parts if part.predictions is not None]
            return joined(found) if len(found) == len(self.parts) else None
        return self.run.predictions

    @cached_property
    def correctness(self) -> Correctness | None:
        """Which validation images are classified right; None where neither that nor logits are there."""
        if self.correct is not None:
            places = np.arange(len(self.correct))
            return Correctness(self.correct, places if self.ids is None else self.ids, self.ids is not None)
        found = self.predictions
        if found is None:
            return None
        return Correctness(
            found.correct, found.labels if found.ids is None else found.ids, found.ids is not None
        )


def on_faces(run: ArmRun, kept: np.ndarray) -> ArmRun:
    """Return a run on some of the faces that it left logits of, bool ``[N]``, with its accuracy on these."""
    assert run.predictions is not None
    judged = run.predictions.only(kept)
    return replace(
        run,
        value=float(judged.correct.mean()),
        logits=judged.logits,
        labels=judged.labels,
        ids=judged.ids,
        class_names=judged.class_names,
    )


def complete_by_seed(runs: Iterable[ArmRun], arm: str) -> dict[int, ArmRun]:
    """Complete runs of an arm by seed, in the order of the seeds.

    Raises
    ------
    DataError
        Two complete runs of the arm have the same seed: which one counts must not be left to chance.
    """
    found: dict[int, ArmRun] = {}
    for run in runs:
        if run.arm != arm or not run.complete:
            continue
        if run.seed in found:
            raise DataError(
                f"arm {arm!r}: two complete runs with seed {run.seed}; expected one for each seed"
            )
        found[run.seed] = run
    return dict(sorted(found.items()))
