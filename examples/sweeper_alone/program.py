"""A Hydra program of its own: logistic regression in NumPy, searched with pruning, or compared in an ablation plan."""

from pathlib import Path

import hydra
import numpy as np
import optuna
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from fer_lightning.sweeps import attach


def split(seed: int) -> tuple[np.ndarray, ...]:
    """Six hundred points in twenty dimensions, of which five matter: 400 to learn from, 200 held out."""
    random = np.random.default_rng(0)
    points = random.normal(size=(600, 20))
    labels = points[:, :5].sum(1) + random.normal(size=600) > 0
    order = np.random.default_rng(seed).permutation(600)
    return points[order[:400]], labels[order[:400]], points[order[400:]], labels[order[400:]]


@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(config: DictConfig) -> float:
    """Train, report the held-out loss after each epoch, and return the last one."""
    x, y, held_x, held_y = split(config.seed)
    checkpoint = Path(HydraConfig.get().runtime.output_dir) / "last.npz"
    weights, first, loss = np.zeros(20), 0, np.log(2)
    if checkpoint.exists():  # the trial was interrupted: it has its folder and its parameters again
        kept = np.load(checkpoint)
        weights, first, loss = kept["weights"], int(kept["epoch"]) + 1, kept["loss"]
    trial = attach()  # None in a run that is no part of a study
    for epoch in range(first, config.epochs):
        probability = 1 / (1 + np.exp(-x @ weights))
        slope = x.T @ (probability - y) / len(x) + config.decay * weights
        weights = weights - config.rate * (np.sign(slope) if config.rule == "sign" else slope)
        loss = np.logaddexp(0, np.where(held_y, -1, 1) * (held_x @ weights)).mean()
        if trial is not None:
            trial.report(loss, step=epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        np.savez(checkpoint, weights=weights, epoch=epoch, loss=loss)
    return float(loss)


if __name__ == "__main__":
    main()
