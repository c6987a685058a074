"""What a slice is worth: false alarms and coverage by simulation, and planted groups of degraded faces that are found.

    python benchmarks/slice_detection.py [--studies 1000] [--repeats 10] [--checkpoint best.ckpt]

The first table draws features of 16 blobs and errors: none of them depends on the features ("none"), or the error
rate of a blob does ("blobs"). A false alarm is a study without any difference in which at least one of all groups
fails; covered are studies in which the intervals of all groups hold the mean error rates of their faces. Beside it
stands what a search for errors does: groups that are the leaves of a regression tree fitted to the errors, with the
same intervals.

The second table takes a net that was trained on synthetic faces (trained first, where no --checkpoint is given),
degrades a share of its 2,000 validation faces and counts how often a failing slice consists of them by more than
half ("found"), with the share of all degraded faces that are in such slices (recall) and of degraded faces among theirs
(precision), over all repeats.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from sklearn.tree import DecisionTreeRegressor
from torch import Tensor

from fer_lightning.api.trained import train
from fer_lightning.evaluation.evaluate import data_of
from fer_lightning.explain.penultimate import penultimate_features
from fer_lightning.stats.face_groups import GROUPS, face_groups
from fer_lightning.stats.judged_slices import simultaneous_intervals
from fer_lightning.training.checkpoints import load_classifier

FEATURES, BLOBS, BATCH = 64, 16, 500
DRAWS = 20  # of errors for each draw of features: the groups do not depend on them
DEGRADED = {"blurred, σ 2 pixels": "blur", "darkened to 40 %": "dark", "grain of 40 levels": "grain"}


def drawn_features(faces: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return positive features [N, 64] of blobs, and the blob of each face [N]."""
    blob = rng.integers(0, BLOBS, faces)
    centres = rng.normal(0, 1, (BLOBS, FEATURES))
    return np.maximum(centres[blob] + rng.normal(0, 1, (faces, FEATURES)), 0), blob


def drawn_errors(rate: np.ndarray, runs: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return each face's share of wrong runs and its expectation, [N]; runs agree, for faces are easy or hard."""
    hard = rng.beta(2 * rate, 2 * (1 - rate))
    return rng.binomial(runs, hard) / runs, rate


def leaves(features: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Return groups [N] that were chosen by their errors."""
    tree = DecisionTreeRegressor(max_leaf_nodes=GROUPS, min_samples_leaf=25, random_state=0)
    return np.unique(tree.fit(features, wrong).apply(features), return_inverse=True)[1]


def judged(wrong: np.ndarray, rate: np.ndarray, groups: np.ndarray) -> tuple[bool, bool]:
    """Return whether any group fails, and whether all intervals hold the groups' mean rates."""
    bounds = simultaneous_intervals(wrong, groups)
    truth = np.bincount(groups, rate) / np.bincount(groups)
    covered = bool(((bounds[:, 0] <= truth) & (truth <= bounds[:, 1])).all())
    return bool((bounds[:, 0] > wrong.mean()).any()), covered


def simulate(faces: int, runs: int, studies: int, *, by_blob: bool) -> np.ndarray:
    """Return shares: false alarms and coverage of groups by features, then of those chosen by errors."""
    rng = np.random.default_rng([faces, runs, by_blob])
    found = []
    for _ in range(studies // DRAWS):
        features, blob = drawn_features(faces, rng)
        groups = np.unique(face_groups(features, GROUPS), return_inverse=True)[1]
        for _ in range(DRAWS):
            rates = rng.uniform(0.1, 0.7, BLOBS) if by_blob else np.full(BLOBS, rng.uniform(0.1, 0.6))
            wrong, rate = drawn_errors(rates[blob], runs, rng)
            found.append((*judged(wrong, rate, groups), *judged(wrong, rate, leaves(features, wrong))))
    return np.mean(found, axis=0)


def degraded(images: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    """Return faces [N, H, W] that are blurred, dark or grainy."""
    levels = images.astype(np.float64)
    if kind == "blur":
        levels = gaussian_filter(levels, (0, 2, 2))
    elif kind == "dark":
        levels *= 0.4
    else:
        levels += rng.normal(0, 40, levels.shape)
    return np.clip(levels, 0, 255).astype(np.uint8)


def batches(images: np.ndarray) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Return faces as `penultimate_features` takes them."""
    for start in range(0, len(images), BATCH):
        part = torch.from_numpy(images[start : start + BATCH])[:, None].float()
        yield part, torch.zeros(len(part)), torch.zeros(len(part))


@torch.inference_mode()
def wrong_on(module: torch.nn.Module, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return which faces are classified wrong, float [N]."""
    named = torch.cat([module(part).argmax(1) for part, _, _ in batches(images)])
    return (named.numpy() != labels).astype(np.float64)


def planted(module: torch.nn.Module, kind: str, share: float, count: int, repeats: int) -> list[float]:
    """Return the errors of other and degraded faces, and found, recall, precision and slices that fail."""
    faces = data_of(module, {}).faces
    rows = faces.indices("val")
    images, labels = np.asarray(faces.images[rows]), np.asarray(faces.labels[rows])
    found = []
    for repeat in range(repeats):
        rng = np.random.default_rng([repeat, int(1000 * share)])
        hit = np.zeros(len(rows), bool)
        hit[rng.choice(len(rows), int(share * len(rows)), replace=False)] = True
        seen = images.copy()
        seen[hit] = degraded(images[hit], kind, rng)
        groups = np.unique(
            face_groups(penultimate_features(module, batches(seen)), count), return_inverse=True
        )[1]
        wrong = wrong_on(module, seen, labels)
        failing = np.flatnonzero(simultaneous_intervals(wrong, groups)[:, 0] > wrong.mean())
        own = [group for group in failing if hit[groups == group].mean() > 0.5]
        inside = np.isin(groups, own)
        right = (hit & inside).sum()
        found.append((wrong[~hit].mean(), wrong[hit].mean(), bool(own), right, inside.sum(), len(failing)))
    others, these, hits, right, inside, failing = np.mean(found, axis=0).tolist()
    recall = right / int(share * len(rows))
    return [others, these, hits, recall, right / inside if inside else float("nan"), failing]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--checkpoint", type=Path)
    args = parser.parse_args()
    began = time.perf_counter()
    print(
        "| errors by | faces | runs | false alarms % | covered % | chosen by errors: false alarms % | covered % |"
    )
    print("|:--|--:|--:|--:|--:|--:|--:|")
    for by_blob in (False, True):
        for faces in (500, 3500):
            for runs in (1, 5):
                alarms, covered, own, own_covered = 100 * simulate(faces, runs, args.studies, by_blob=by_blob)
                first, second = ("–", "–") if by_blob else (f"{alarms:.1f}", f"{own:.1f}")
                name = "blobs" if by_blob else "none"
                print(
                    f"| {name} | {faces:,} | {runs} | {first} | {covered:.1f} | {second} | {own_covered:.1f} |",
                    flush=True,
                )
    print(f"\n{time.perf_counter() - began:.0f} s\n")
    with tempfile.TemporaryDirectory() as folder:
        path = args.checkpoint
        if path is None:
            settings = ["data.drawing.n_train=4000", "data.drawing.n_val=2000", "trainer.max_epochs=8"]
            path = train([*settings, "optimizer.lr=0.004", "logger=csv"], folder=folder).checkpoint
        module = load_classifier(path)
        print("| degraded faces | share % | error of the others % | of these % | groups | found % | recall % "
              "| precision % | failing slices |")  # fmt: skip
        print("|:--|--:|--:|--:|--:|--:|--:|--:|--:|")
        for name, kind in DEGRADED.items():
            for share in (0.05, 0.1):
                for count in (8, 16, GROUPS, 32):
                    others, these, hits, recall, precision, failing = planted(
                        module, kind, share, count, args.repeats
                    )
                    print(
                        f"| {name} | {100 * share:g} | {100 * others:.1f} | {100 * these:.1f} | {count} "
                        f"| {100 * hits:.0f} | {100 * recall:.0f} | {100 * precision:.0f} | {failing:.1f} |".replace(
                            "nan", "–"
                        ),
                        flush=True,
                    )
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
