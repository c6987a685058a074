"""How soon settings of the search reach random search's best, on simulated studies: no faces, no training.

    python benchmarks/search_simulation.py --problems 100 [--settings "TPE, halving by 3" …]

Each problem draws the effects of the default search space (dropout, activation, slope, normalization, augmentation,
learning rate) on how fast a network learns and on where it comes to rest. A trial's accuracy after e epochs is
c + (p - c) / (1 + exp(-k (s + log e - 1))) plus noise: c is chance, p its plateau, s the logarithm of its speed, both
sums of main effects; the speed is a parabola of the logarithm of the learning rate that falls off twice as fast above
its peak. "plateau" problems end near their plateau, "steep" ones are cut off while they still rise.

Random search trains `--trials` trials of nine epochs. Each setting then runs until it has the same best, or has spent
half as many epochs; printed are the shares of the problems in which it was there, or within half a point, after a
third.
"""

from __future__ import annotations

import argparse
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.pruners import BasePruner, MedianPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

EPOCHS = 9
CHOICES = {
    "activation": ["relu", "selu", "leaky_relu", "elu", "gelu", "silu"],
    "normalization": ["unit", "symmetric", "standard", "per_image"],
    "augmentation": ["none", "flip", "r0", "r2", "strong"],
}
DEFAULTS = {
    "dropout": 1.0,
    "activation": "relu",
    "normalization": "unit",
    "augmentation": "flip",
    "lr": 1e-3,
}
Setting = tuple[Callable[[int], BaseSampler], Callable[[], BasePruner], bool]


def effects(spreads: dict[str, float], rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """A normally distributed effect for each choice of each factor."""
    return {
        factor: {name: float(rng.normal(0, spread)) for name in CHOICES[factor]}
        for factor, spread in spreads.items()
    }


class Problem:
    """One drawn response: the accuracies of the epochs for every point of the space."""

    def __init__(self, kind: str, rng: np.random.Generator) -> None:
        at_rest = kind == "plateau"
        self.speed = effects({"activation": 0.25, "normalization": 0.3, "augmentation": 0.9}, rng)
        # An augmentation never makes it faster.
        self.speed["augmentation"] = {name: -abs(e) for name, e in self.speed["augmentation"].items()}
        self.rest = effects({"activation": 0.01, "normalization": 0.01, "augmentation": 0.025}, rng)
        self.dropout_speed, self.dropout_rest = -abs(rng.normal(0.4, 0.3)), rng.normal(0, 0.02)
        self.slope_speed = rng.normal(0, 0.05)
        self.peak, self.curvature = rng.uniform(0.55, 0.95), rng.uniform(3, 7)
        self.steepness = rng.uniform(1.0, 1.6)
        self.base = rng.uniform(-0.2, 0.8) if at_rest else rng.uniform(-1.6, -0.6)
        self.chance, self.top = 0.22, 0.50 if at_rest else 0.88
        self.noise = 0.008 if at_rest else 0.015

    def accuracies(self, point: dict, rng: np.random.Generator) -> np.ndarray:
        offset = math.log(point["lr"] / 1e-4, 100) - self.peak
        speed = self.base + sum(of[point[name]] for name, of in self.speed.items())
        speed += self.dropout_speed * (point["dropout"] - 0.3)
        speed -= self.curvature * offset**2 * (1 if offset < 0 else 2)
        if "slope" in point:
            speed += self.slope_speed * math.log(point["slope"] / 0.06)
        plateau = self.top + sum(of[point[name]] for name, of in self.rest.items())
        plateau += self.dropout_rest * (point["dropout"] - 0.75)
        # Another initialisation learns a little faster or slower.
        speed += rng.normal(0, 0.12)
        grown = 1 / (1 + np.exp(-self.steepness * (speed + np.log(np.arange(1, EPOCHS + 1)) - 1)))
        return self.chance + (plateau - self.chance) * grown + rng.normal(0, self.noise, EPOCHS)


def suggest(trial: optuna.Trial) -> dict:
    """A point of conf/search_space/default.yaml."""
    point = {name: trial.suggest_categorical(name, choices) for name, choices in CHOICES.items()}
    point["dropout"] = trial.suggest_float("dropout", 0.0, 1.5)
    point["lr"] = trial.suggest_float("lr", 1e-4, 1e-2, log=True)
    if point["activation"] == "leaky_relu":
        point["slope"] = trial.suggest_float("slope", 0.01, 0.3, log=True)
    return point


def tpe(**options: object) -> Callable[[int], BaseSampler]:
    return lambda seed: TPESampler(
        **{"seed": seed, "n_startup_trials": 10, "multivariate": True, "group": True, **options}
    )


def halving(by: int, bootstrap: int = 0) -> Callable[[], BasePruner]:
    return lambda: SuccessiveHalvingPruner(1, by, bootstrap_count=bootstrap)


SETTINGS: dict[str, Setting] = {
    "TPE, halving by 3": (tpe(), halving(3), False),
    "TPE, halving by 2": (tpe(), halving(2), False),
    "TPE, halving by 4": (tpe(), halving(4), False),
    "TPE, halving by 3, none of the first two at a rung": (tpe(), halving(3, 2), False),
    "TPE, median of the complete": (tpe(), lambda: MedianPruner(3, 1), False),
    "TPE after 5, halving by 3": (tpe(n_startup_trials=5), halving(3), False),
    "TPE after 20, halving by 3": (tpe(n_startup_trials=20), halving(3), False),
    "TPE one by one, halving by 3": (tpe(multivariate=False, group=False), halving(3), False),
    "TPE, halving by 3, the defaults first": (tpe(), halving(3), True),
    "random, halving by 3": (lambda seed: RandomSampler(seed), halving(3), False),
}


@dataclass(frozen=True)
class Outcome:
    """Epochs until the target was reached, and until within half a point of it (inf: not), and complete trials."""

    there: float
    near: float
    complete: int


def random_best(problem: Problem, trials: int, seed: int) -> float:
    study = optuna.create_study(direction="maximize", sampler=RandomSampler(seed))
    rng = np.random.default_rng([seed, 1])
    return max(problem.accuracies(suggest(study.ask()), rng).max() for _ in range(trials))


def search(problem: Problem, setting: Setting, target: float, budget: int, seed: int) -> Outcome:
    sampler, pruner, defaults_first = setting
    study = optuna.create_study(direction="maximize", sampler=sampler(seed), pruner=pruner())
    if defaults_first:
        study.enqueue_trial(DEFAULTS)
    rng = np.random.default_rng([seed, 2])
    spent, complete, near = 0, 0, math.inf
    while spent < budget:
        trial = study.ask()
        values = problem.accuracies(suggest(trial), rng)
        for epoch, value in enumerate(values):
            spent += 1
            near = min(near, spent if value >= target - 0.005 else math.inf)
            if value >= target:
                return Outcome(spent, near, complete)
            trial.report(value, epoch)
            if epoch + 1 < EPOCHS and trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                break
        else:
            study.tell(trial, values.max())
            complete += 1
    return Outcome(math.inf, near, complete)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=100, help="of each kind")
    parser.add_argument("--trials", type=int, default=36, help="of random search")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS), metavar="NAME")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    whole = arguments.trials * EPOCHS
    print(f"{'setting':<52}{'kind':<9}  there   near  median epochs  complete")
    for name in arguments.settings:
        for kind in ("plateau", "steep"):
            outcomes = []
            for number in range(arguments.problems):
                problem = Problem(kind, np.random.default_rng([number, len(kind)]))
                target = random_best(problem, arguments.trials, number)
                outcomes.append(search(problem, SETTINGS[name], target, whole // 2, number + 10_000))
            there = np.mean([outcome.there <= whole / 3 for outcome in outcomes])
            near = np.mean([outcome.near <= whole / 3 for outcome in outcomes])
            middle = np.median([outcome.there for outcome in outcomes])
            complete = np.mean([outcome.complete for outcome in outcomes])
            print(f"{name:<52}{kind:<9}{there:>7.2f}{near:>7.2f}{middle:>15.0f}{complete:>10.1f}", flush=True)


if __name__ == "__main__":
    main()
