"""What the verdicts of a cross-validated ablation are worth: coverage of their intervals over whole data sets.

    python benchmarks/fold_calibration.py [--studies 1000] [--jobs 2]

Each study draws a data set from three normal classes in ten dimensions, deals it to folds, once for each seed, trains
two methods on each of them and compares their out-of-fold results. The truth is the expected difference of the two
methods trained on so many faces, over data sets and seeds: the mean over four times as many other data sets, of one
fold each with 1,000 more test images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from multiprocessing import Pool

import numpy as np
from scipy import stats

from fer_lightning.data.folds import fold_splits
from fer_lightning.data.splits import VAL
from fer_lightning.stats.cross_validation import corrected_t
from fer_lightning.stats.crossed import MeanSquares, folded_mean_squares, interval_half_width

DIMENSIONS, CLASSES, APART = 10, 3, 1.2
Predict = Callable[[np.ndarray], np.ndarray]
Method = Callable[[np.ndarray, np.ndarray, int], Predict]


def draw(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images [N, 10] and labels [N]."""
    labels = random.integers(0, CLASSES, count)
    means = np.zeros((CLASSES, DIMENSIONS))
    means[1, :3] = means[2, 3:6] = APART
    return means[labels] + random.standard_normal((count, DIMENSIONS)) * np.linspace(
        0.5, 2, DIMENSIONS
    ), labels


def linear(x: np.ndarray, y: np.ndarray, seed: int) -> Predict:
    """Linear discriminant analysis."""
    means = np.stack([x[y == label].mean(0) for label in range(CLASSES)])
    inverse = np.linalg.inv(np.cov((x - means[y]).T) + 1e-3 * np.eye(DIMENSIONS))
    offsets = 0.5 * np.einsum("cd,de,ce->c", means, inverse, means)
    return lambda z: np.asarray((z @ inverse @ means.T - offsets).argmax(1))


def nearest_mean(x: np.ndarray, y: np.ndarray, seed: int) -> Predict:
    """The class whose mean is nearest."""
    means = np.stack([x[y == label].mean(0) for label in range(CLASSES)])
    return lambda z: np.asarray((z @ means.T - 0.5 * (means**2).sum(1)).argmax(1))


def quadratic(x: np.ndarray, y: np.ndarray, seed: int) -> Predict:
    """Quadratic discriminant analysis."""
    parts = []
    for label in range(CLASSES):
        chosen = x[y == label]
        spread = np.cov(chosen.T) + 0.05 * np.eye(DIMENSIONS)
        parts.append((chosen.mean(0), np.linalg.inv(spread), np.linalg.slogdet(spread)[1]))

    def predict(z: np.ndarray) -> np.ndarray:
        scores = [-0.5 * np.einsum("nd,de,ne->n", z - m, p, z - m) - 0.5 * size for m, p, size in parts]
        return np.asarray(np.stack(scores, 1).argmax(1))

    return predict


def random_features(count: int) -> Method:
    """Ridge regression on random cosine features: the seed matters much."""

    def fit(x: np.ndarray, y: np.ndarray, seed: int) -> Predict:
        random = np.random.default_rng(seed)
        weights, phase = (
            random.standard_normal((DIMENSIONS, count)) * 0.5,
            random.uniform(0, 2 * np.pi, count),
        )
        features = np.cos(x @ weights + phase)
        solved = np.linalg.solve(features.T @ features + np.eye(count), features.T @ np.eye(CLASSES)[y])
        return lambda z: np.asarray((np.cos(z @ weights + phase) @ solved).argmax(1))

    return fit


def ferns(depth: int) -> Method:
    """Twelve random ferns (Ozuysal et al. 2010): seed and training images matter much."""

    def fit(x: np.ndarray, y: np.ndarray, seed: int) -> Predict:
        random = np.random.default_rng(seed)
        feature = random.integers(0, DIMENSIONS, (12, depth))
        threshold = x[random.integers(0, len(x), (12, depth)), feature]
        start = np.arange(12) * 2**depth

        def leaves(z: np.ndarray) -> np.ndarray:
            return np.asarray((z[:, feature] > threshold) @ 2 ** np.arange(depth) + start)

        counts = np.full((12 * 2**depth, CLASSES), 0.3)
        np.add.at(counts, (leaves(x), y[:, None]), 1)
        scores = np.log(counts / counts.sum(1, keepdims=True))
        return lambda z: np.asarray(scores[leaves(z)].sum(1).argmax(1))

    return fit


PAIRS: dict[str, tuple[Method, Method]] = {
    "linear, nearest mean": (linear, nearest_mean),
    "linear, quadratic": (linear, quadratic),
    "the same features, other seeds": (random_features(40), random_features(40)),
    "20, 60 features": (random_features(20), random_features(60)),
    "linear, 60 features": (linear, random_features(60)),
    "ferns of depth 3, 5": (ferns(3), ferns(5)),
    "ferns of depth 4, linear": (ferns(4), linear),
}


def fold_of(labels: np.ndarray, folds: int, seed: tuple[int, ...]) -> np.ndarray:
    """The fold of each face [N], as the data module deals them."""
    names = tuple(map(str, range(CLASSES)))
    given = np.zeros(len(labels), np.uint8)
    held = [
        fold_splits(given, labels, None, names, folds=folds, fold=fold, seed=seed) == VAL
        for fold in range(folds)
    ]
    return np.asarray(np.argmax(held, axis=0))


def differences(
    pair: tuple[Method, Method], x: np.ndarray, y: np.ndarray, held: np.ndarray, seed: int
) -> np.ndarray:
    """First minus second method on the held-out faces [M]; both train on the others with a seed of their own."""
    right = [fit(x[~held], y[~held], 2 * seed + n)(x[held]) == y[held] for n, fit in enumerate(pair)]
    return np.asarray(right[0].astype(float) - right[1])


def truth(pair: tuple[Method, Method], images: int, folds: int, count: int) -> float:
    """Expected difference of the two methods, trained on all folds but one."""
    found = []
    for number in range(count):
        random = np.random.default_rng([number, images, folds, 99])
        x, y = draw(random, images)
        kept = fold_of(y, folds, (number,)) != 0
        more = draw(random, 1000)
        x, y = np.concatenate([x[kept], more[0]]), np.concatenate([y[kept], more[1]])
        held = np.arange(len(y)) >= kept.sum()
        found.append(differences(pair, x, y, held, number).mean())
    return float(np.mean(found))


def study(
    pair: tuple[Method, Method], images: int, folds: int, seeds: int, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """Out-of-fold differences [S, N] of one data set, and the fold of each face under each seed."""
    random = np.random.default_rng([number, images, folds, 7])
    x, y = draw(random, images)
    table, dealt = np.empty((seeds, images)), np.empty((seeds, images), int)
    for seed in range(seeds):
        dealt[seed] = fold_of(y, folds, (number, seed))
        for fold in range(folds):
            held = dealt[seed] == fold
            table[seed, held] = differences(pair, x, y, held, int(random.integers(2**30)))
    return table, dealt


def covers(name: str, table: np.ndarray, dealt: np.ndarray, ms: MeanSquares, true: float) -> bool:
    """Whether the interval of a method holds the truth."""
    if name == "used":
        return bool(abs(ms.mean - true) <= interval_half_width(ms))
    runs = np.array(
        [[row[of == k].mean() for k in range(ms.folds)] for row, of in zip(table, dealt, strict=True)]
    )
    if name == "corrected t":
        low, high, _ = corrected_t(runs)
        return bool(low <= true <= high)
    return bool(abs(runs.mean() - true) <= stats.sem(runs, axis=None) * stats.t.ppf(0.975, runs.size - 1))


def line(task: tuple[str, int, int, int, int]) -> str:
    """One line of the table."""
    name, images, folds, seeds, count = task
    pair = PAIRS[name]
    true = truth(pair, images, folds, 4 * count)
    found = {method: [] for method in ("used", "corrected t", "paired t")}  # type: dict[str, list[bool]]
    for number in range(count):
        table, dealt = study(pair, images, folds, seeds, number)
        ms = folded_mean_squares(table, dealt)
        for method, inside in found.items():
            inside.append(covers(method, table, dealt, ms, true))
    shares = " | ".join(f"{100 * np.mean(inside):.1f}" for inside in found.values())
    return f"| {name} | {images} | {folds} | {seeds} | {100 * true:+.2f} | {shares} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    started = time.perf_counter()
    structures = [(300, 5, 1), (300, 5, 3), (300, 10, 1), (1000, 5, 2)]
    tasks = [(name, *structure, options.studies) for structure in structures for name in PAIRS]
    print("| methods | faces | folds | seeds | true difference | used | corrected t | paired t |")
    print("|:--|--:|--:|--:|--:|--:|--:|--:|")
    with Pool(options.jobs) as pool:
        for text in pool.imap(line, tasks):
            print(text, flush=True)
    print(f"{options.studies} studies a line, {(time.perf_counter() - started) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
