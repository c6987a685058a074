"""What the intervals and verdicts of an ablation are worth: coverage and false alarms over simulated studies.

    python benchmarks/statistics_calibration.py [--studies 1000] [--images 500] [--arms 8] [--seeds 3 5 10]

Each line is one structure of a study at one number of seeds. Coverage is the share of arms whose interval holds the
true difference (half of the arms have one); a false alarm is an arm without any difference called better or worse,
uncorrected an arm, and at least once in a study after Holm's correction. Monte-Carlo errors stand below.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy import stats
from study_simulation import StudyModel, simulate_correct

from fer_lightning.stats.bootstrap import hierarchical_bootstrap
from fer_lightning.stats.crossed import MeanSquares, mean_squares, p_value
from fer_lightning.stats.verdict import holm

BOOTSTRAPPED = 300  # studies; the bootstrap takes most of the time
EFFECTS = (0.03, -0.03, 0.01, -0.01)
STRUCTURES = {
    "small CNNs on FER2013": {"arm_image": 0.5, "arm_seed": 0.03},
    "arms alike on every image": {"arm_image": 0.0, "arm_seed": 0.0},
    "arms differ by image, seeds alike": {"arm_image": 1.0, "arm_seed": 0.0},
    "seeds differ much": {"arm_image": 0.3, "arm_seed": 0.2},
    "seeds and images differ much": {"arm_image": 1.0, "arm_seed": 0.15},
    "one unstable arm": {"arm_image": 0.5, "arm_seed": (0.03, 0.6)},
}


def coverage_by(name: str, ms: MeanSquares, truth: np.ndarray) -> np.ndarray:
    """Whether the interval of a method holds the truth, bool [...]; the alternatives to what the package does."""
    distance = np.abs(ms.mean - truth)
    cells, df = ms.n_seeds * ms.n_images, ms.n_seeds - 1
    if name == "paired t":
        return distance <= np.sqrt(ms.seed / cells) * stats.t.ppf(0.975, df)
    images = np.maximum(ms.image - ms.rest, 0)
    total = ms.seed + images
    spread = ms.seed**2 / df + ms.image**2 / (ms.n_images - 1) + ms.rest**2 / (df * (ms.n_images - 1))
    return distance <= np.sqrt(total / cells) * stats.t.ppf(0.975, total**2 / np.maximum(spread, 1e-300))


def pooled_p(correct: np.ndarray) -> np.ndarray:
    """p-values [studies, arms] of the textbook's shorter way: one spread between seeds for all arms."""
    runs = correct.mean(axis=-1)
    n_arms, n_seeds = runs.shape[1] - 1, runs.shape[2]
    rest = runs - runs.mean(axis=2, keepdims=True) - runs.mean(axis=1, keepdims=True)
    rest += runs.mean(axis=(1, 2), keepdims=True)
    df = n_arms * (n_seeds - 1)
    error = np.sqrt(2 * (rest**2).sum(axis=(1, 2)) / df / n_seeds)
    difference = (runs[:, 1:] - runs[:, :1]).mean(axis=2)
    return 2 * stats.t.sf(np.abs(difference) / error[:, None], df)


def bootstrap_covers(tables: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Whether the hierarchical bootstrap's percentiles hold the truth, bool [studies, arms]."""
    low, high = np.percentile(hierarchical_bootstrap(tables, 1000), [2.5, 97.5], axis=0)
    return (low <= truth) & (truth <= high)


def simulate(structure: dict, effects: tuple[float, ...], args: argparse.Namespace, n_seeds: int) -> dict:
    """Coverage of each method and false alarms over `args.studies` studies."""
    model = StudyModel(effects=effects, **structure)
    rng = np.random.default_rng([n_seeds, args.images])
    truth = np.array(effects)
    found: dict[str, list[np.ndarray]] = {}
    block = max(1, int(5e6 / (len(effects) * n_seeds * args.images)))
    for start in range(0, args.studies, block):
        count = min(block, args.studies - start)
        correct = simulate_correct(model, count, n_seeds, args.images, rng).astype(np.float32)
        tables = correct[:, 1:] - correct[:, :1]
        ms = mean_squares(tables)
        results = {"p": p_value(ms), "covered": p_value(ms, truth) >= 0.05}
        results["pooled"] = pooled_p(correct)
        for name in ("paired t", "Satterthwaite"):
            results[name] = coverage_by(name, ms, truth)
        if start < BOOTSTRAPPED:
            results["bootstrap"] = bootstrap_covers(tables, truth)
        for name, values in results.items():
            found.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in found.items()}


def family_wise(p: np.ndarray) -> float:
    """Share of studies without any effect in which Holm's procedure calls an arm.

    Where no arm has an effect, it calls one if and only if the smallest p-value times the number of arms is within
    the level; statsmodels' procedure takes 0.1 s a study and is asked for the first 20 only.
    """
    called = p.min(axis=1) * p.shape[1] <= 0.05
    assert all((min(holm(row)) <= 0.05) == call for row, call in zip(p[:20], called[:20], strict=True))
    return float(called.mean())


def fitted(structure: dict, n_arms: int) -> dict:
    """The structure for `n_arms` arms: the last one is the unstable one, if there is one."""
    spread = structure["arm_seed"]
    return (
        structure
        if isinstance(spread, float)
        else structure | {"arm_seed": (spread[0],) * n_arms + spread[-1:]}
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--arms", type=int, default=8)
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 5, 10])
    args = parser.parse_args()
    started = time.perf_counter()
    print(f"{args.studies} studies of {args.arms} arms, {args.images} images; all figures in %\n")
    print("| structure | seeds | coverage | of the bootstrap | of a paired t | of Satterthwaite's t "
          "| false alarms, an arm | a study, Holm | the same, one spread for all arms |")  # fmt: skip
    print("|:--|--:|--:|--:|--:|--:|--:|--:|--:|")
    mixed = (EFFECTS * args.arms)[: args.arms // 2] + (0.0,) * (args.arms - args.arms // 2)
    none = (0.0,) * args.arms
    for name, structure in STRUCTURES.items():
        for n_seeds in args.seeds:
            known = simulate(fitted(structure, args.arms), mixed, args, n_seeds)
            null = simulate(fitted(structure, args.arms), none, args, n_seeds)
            shares = [known[key].mean() for key in ("covered", "bootstrap", "paired t", "Satterthwaite")]
            shares += [np.mean(null["p"] < 0.05), family_wise(null["p"]), family_wise(null["pooled"])]
            print(
                f"| {name} | {n_seeds} | {' | '.join(f'{100 * share:.1f}' for share in shares)} |", flush=True
            )
    print(f"\nMonte-Carlo error of 5 % a study: ±{100 * np.sqrt(0.05 * 0.95 / args.studies):.1f}; of the columns "
          f"over all arms less. {time.perf_counter() - started:.0f} s")  # fmt: skip


if __name__ == "__main__":
    main()
