"""How well a study's runs find labels that are wrong: precision and recall on planted errors.

    python -m fer_lightning +experiment=ablation data.folds=5 'seeds=[0]' study.workers=1 threads=1 \
        '~ablation.factors.activation' '~ablation.factors.normalization' '~ablation.factors.augmentation' \
        'ablation.factors.dropout.levels=[0.0]' trainer.max_epochs=8 \
        data.drawing.label_noise=0.1 hydra.sweep.dir=studies/noise_10    # and so on
    python benchmarks/label_errors.py studies/noise_5 studies/noise_10 studies/noise_20

The faces are drawn by a program and `data.drawing.label_noise` of their labels are wrong; without it the same faces
have the true ones. Precision: how many of the doubted labels are wrong. Recall: how many of the wrong labels are
doubted. A random order names as many wrong labels as there are among all. Beside them stands cleanlab, where it can be
imported: `pip install --target CLEANLAB --no-deps cleanlab termcolor`, and PYTHONPATH=CLEANLAB.

The second table orders all faces by a score and gives the average precision, and the precision among as many of the
first faces as there are errors.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score

from fer_lightning.evaluation.evaluate import data_from
from fer_lightning.stats.confident_learning import doubtful, margin, self_confidence
from fer_lightning.stats.label_doubts import PooledPredictions, pooled
from fer_lightning.sweeps.study.results import load_trials

SELECTIONS = {
    "off_diagonal": "confident_learning",
    "by_class": "prune_by_class",
    "by_noise_rate": "prune_by_noise_rate",
}  # here, and in cleanlab


def read_study(folder: Path) -> tuple[PooledPredictions, np.ndarray, float]:
    """Return the mean predictions of a study's complete runs, which labels are wrong, bool ``[N]``, and their share."""
    runs = [trial.run for trial in load_trials(folder) if trial.state == "COMPLETE"]
    found = pooled([run.predictions for run in runs if run.predictions is not None])
    config = runs[0].config
    noise = config["data"]["drawing"]["label_noise"]
    true = data_from(config, {"data.drawing.label_noise": 0.0}).faces
    by_id = dict(zip(map(str, true.ids), true.labels.tolist(), strict=True))
    wrong = found.labels != np.array([by_id[str(name)] for name in found.ids])
    return found, wrong, noise


def precision_and_recall(chosen: np.ndarray, wrong: np.ndarray) -> tuple[float, float]:
    """Return the share of the chosen faces that are wrong, and of the wrong ones that are chosen."""
    hits = float((chosen & wrong).sum())
    return hits / max(int(chosen.sum()), 1), hits / max(int(wrong.sum()), 1)


def selections(found: PooledPredictions) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name of each way to select and the faces that it doubts, bool ``[N]``."""
    for name, other in SELECTIONS.items():
        yield name, doubtful(found.mean, found.labels, name)
        if importlib.util.find_spec("cleanlab") is not None:
            from cleanlab.filter import find_label_issues

            yield (
                f"cleanlab, {other}",
                np.asarray(find_label_issues(found.labels, found.mean, filter_by=other, n_jobs=1)),
            )
    yield "predicted otherwise", found.mean.argmax(axis=1) != found.labels


def scores(found: PooledPredictions) -> dict[str, np.ndarray]:
    """Return orders of all faces: the larger the number, the more doubtful."""
    known: dict[str, Callable[..., np.ndarray]] = {"margin": margin, "self-confidence": self_confidence}
    made = {name: -score(found.mean, found.labels) for name, score in known.items()}
    if importlib.util.find_spec("cleanlab") is not None:
        from cleanlab.rank import get_label_quality_scores

        for name in ("normalized_margin", "self_confidence"):
            made[f"cleanlab, {name}"] = -get_label_quality_scores(found.labels, found.mean, method=name)
    return made | {"random order": np.random.default_rng(0).permutation(len(found.labels)).astype(float)}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("studies", type=Path, nargs="+")
    studies = [read_study(folder) for folder in parser.parse_args().studies]
    print("| errors | accuracy, given labels | true labels | selection | doubted | precision | recall |")
    print("|--:|--:|--:|:--|--:|--:|--:|")
    for found, wrong, noise in studies:
        given = 100 * np.mean(found.mean.argmax(1) == found.labels)
        true = 100 * np.mean((found.mean.argmax(1) == found.labels) & ~wrong) / np.mean(~wrong)
        head = f"| {100 * noise:g} % ({wrong.sum()} of {len(wrong):,}) | {given:.1f} | {true:.1f} "
        for name, chosen in [*selections(found), ("random", None)]:
            share = wrong.mean()
            numbers = (share, np.nan) if chosen is None else precision_and_recall(chosen, wrong)
            count = "any" if chosen is None else f"{chosen.sum():,}"
            recall = "as doubted" if chosen is None else f"{100 * numbers[1]:.1f}"
            print(f"{head}| {name} | {count} | {100 * numbers[0]:.1f} | {recall} |")
    print("\n| errors | order | average precision | precision among as many faces |\n|--:|:--|--:|--:|")
    for found, wrong, noise in studies:
        for name, score in scores(found).items():
            first: Any = np.argsort(-score, kind="stable")[: wrong.sum()]
            average = 100 * average_precision_score(wrong, score)
            print(f"| {100 * noise:g} % | {name} | {average:.1f} | {100 * wrong[first].mean():.1f} |")


if __name__ == "__main__":
    main()
