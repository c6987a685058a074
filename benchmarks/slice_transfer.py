"""Whether the slices of an ablation hold on new faces, and whether other seeds find the same.

    python benchmarks/slice_transfer.py STUDY_DIR [--groups 12 24 48] [--shuffles 2000]

Each line takes the features of one seed of the baseline: its failing slices by the errors of all seeds on the
validation faces, and the test faces, each put into the group whose mean features are nearest, with the errors of
the same nets. "Held" are groups whose error on test faces lies within their interval. Below stand the error of each
group of the first seed on test faces, how often any group fails where the errors are shuffled over the faces, how
confidence and error of the groups go together, and the share of faces that two seeds' failing slices have in
common.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

from fer_lightning.data.labelled_pictures import SplitPictures
from fer_lightning.evaluation.evaluate import data_of, predict_split
from fer_lightning.explain.penultimate import penultimate_features
from fer_lightning.runs.predictions import Predictions
from fer_lightning.stats.face_groups import COMPONENTS, GROUPS, face_groups
from fer_lightning.stats.judged_slices import face_slices, simultaneous_intervals
from fer_lightning.stats.slices import FaceSlices
from fer_lightning.sweeps.study.results import load_trials
from fer_lightning.training.checkpoints import load_classifier


@dataclass(frozen=True)
class Transfer:
    """Slices by validation faces, the slice of each test face [M], and the errors of these [M]."""

    found: FaceSlices
    placed: np.ndarray
    wrong: np.ndarray

    @property
    def failing(self) -> np.ndarray:
        """Which validation faces are in a failing slice, bool [N]."""
        return np.isin(self.found.group, [each.number for each in self.found.failing])

    def errors(self) -> list[float]:
        """Return each slice's error on test faces."""
        return [float(self.wrong[self.placed == each.number].mean()) for each in self.found.slices]

    def row(self, seed: int) -> str:
        """Return the line of the table."""
        inside = np.isin(self.placed, [each.number for each in self.found.failing])
        errors, mean = self.errors(), self.wrong.mean()
        failing, slices, chosen = self.found.failing, self.found.slices, self.failing
        above = sum(errors[each.number - 1] > mean for each in failing)
        held = sum(each.low <= error <= each.high for each, error in zip(slices, errors, strict=True))
        cells = [f"{seed}", f"{len(slices)}", f"{len(failing)}", f"{sum(e.beyond_class for e in failing)}"]
        wrong = self.found.wrong
        cells += [f"{100 * chosen.mean():.1f}", f"{100 * wrong[chosen].mean():.1f}"]
        cells += [f"{100 * wrong[chosen].sum() / wrong.sum():.1f}", f"{100 * inside.mean():.1f}"]
        cells += [f"{100 * self.wrong[inside].mean():.1f}", f"{above}", f"{held}"]
        return f"| {' | '.join(cells)} |"


def directions(features: np.ndarray) -> np.ndarray:
    """Return features [N, D] of unit length."""
    wide = features.astype(np.float64)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-30)


def transfer(
    features: np.ndarray, others: np.ndarray, runs: list[Predictions], wrong: np.ndarray, count: int
) -> Transfer:
    """Group faces by features [N, D] and put other faces [M, D] into the groups."""
    found = face_slices(runs, face_groups(features, count))
    components = PCA(COMPONENTS, svd_solver="full").fit(directions(features))
    own, new = (components.transform(directions(each)) for each in (features, others))
    centres = np.stack([own[found.group == each.number].mean(axis=0) for each in found.slices])
    return Transfer(found, 1 + ((new[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1), wrong)


def alarms(wrong: np.ndarray, groups: np.ndarray, shuffles: int) -> float:
    """Return how often any group fails where errors [N] are shuffled."""
    rng = np.random.default_rng(0)
    drawn = (rng.permutation(wrong) for _ in range(shuffles))
    return float(
        np.mean([(simultaneous_intervals(each, groups)[:, 0] > wrong.mean()).any() for each in drawn])
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path)
    parser.add_argument("--arm", default="baseline")
    parser.add_argument("--groups", type=int, nargs="+", default=[12, GROUPS, 48])
    parser.add_argument("--shuffles", type=int, default=2000)
    args = parser.parse_args()
    trials = [trial for trial in load_trials(args.study) if trial.arm == args.arm]
    trials.sort(key=lambda trial: trial.seed or 0)
    modules = [load_classifier(trial.run.checkpoint) for trial in trials]
    data = data_of(modules[0], {})
    val, test = ([predict_split(module, data, split) for module in modules] for split in ("val", "test"))
    wrong = np.mean([~run.correct for run in test], axis=0)
    print(f"error on test faces {100 * wrong.mean():.1f} %\n")
    print("| seed | groups | failing | beyond class | faces % | error % | of all errors % | test faces % | error % "
          "| above the mean | held |")  # fmt: skip
    print("|" + "--:|" * 11)
    failing = {}
    for trial, module in zip(trials, modules, strict=True):
        features, others = (
            penultimate_features(module, SplitPictures(data, split).batches()) for split in ("val", "test")
        )
        for count in args.groups:
            found = transfer(features, others, val, wrong, count)
            print(found.row(trial.seed), flush=True)
            if count == GROUPS:
                failing[trial.seed] = found
    first = next(iter(failing.values()))
    slices = first.found.slices
    print("\nslice: error on test faces %: ", end="")
    print(", ".join(f"{e.number}: {100 * x:.1f}" for e, x in zip(slices, first.errors(), strict=True)))
    one, groups = (~val[0].correct).astype(np.float64), first.found.group - 1
    for name, each in (("one run", one), (f"mean of {len(val)} runs", first.found.wrong)):
        print(f"any group fails in {100 * alarms(each, groups, args.shuffles):.1f} % of shuffles, {name}")
    together = np.corrcoef([each.error for each in slices], [each.confidence for each in slices])[0, 1]
    print(f"correlation of the groups' error and confidence {together:.2f}")
    pairs = [(a.failing, b.failing) for a, b in combinations(failing.values(), 2)]
    shares = [(a & b).sum() / (a | b).sum() for a, b in pairs]
    print(f"shared by two seeds {100 * min(shares):.0f} to {100 * max(shares):.0f} %")


if __name__ == "__main__":
    main()
