"""A Hydra program that "trains" in a moment: a quadratic with checkpoints, reports and pruning."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from fer_lightning.errors import ProcessLostError

CONFIG: dict[str, Any] = {
    "defaults": ["_self_", {"flavour": "plain"}, {"override hydra/sweeper": "fer_optuna"}],
    "seed": 0,
    "seeds": None,
    "note": None,
    "data": {"name": "toy"},
    "model": {"activation": "relu", "slope": 0.1, "dropout": 0.2, "layers": [8, 8]},
    "optimizer": {"lr": 0.1},
    "trainer": {"max_epochs": 4, "seconds": 0.0},
    "nested": {"b": {"c": 2}},
    "trouble": None,
    "jitter": 0.0,  # by how much the seeds of an arm differ, in another way in each arm
    "plain_return": False,
    "search_space": None,
    "ablation": None,
    "hydra": {
        "mode": "MULTIRUN",
        "output_subdir": None,
        "sweeper": {"label": "toy", "n_trials": 4, "objective": "val/acc"},
    },
}
store = ConfigStore.instance()
store.store(name="sweep_app", node=CONFIG)
store.store(group="flavour", name="plain", node={"bonus": 0.0})
store.store(group="flavour", name="rich", node={"bonus": 0.05})


def score(config: DictConfig, epoch: int) -> float:
    """Best at a learning rate of 0.3 with selu and no dropout; grows with the epochs."""
    best = 0.8 - (config.optimizer.lr - 0.3) ** 2 - 0.1 * config.model.dropout + config.flavour.bonus
    best += {"relu": 0.0, "selu": 0.05, "leaky_relu": 0.02}[config.model.activation]
    luck = math.sin(
        7.3 * config.seed + 1.7 * len(config.model.activation) + config.model.activation.count("e")
    )
    return best + 0.001 * config.seed + config.jitter * luck - 0.2 * 0.5**epoch


def make_trouble(config: DictConfig, epoch: int) -> None:
    match config.trouble:
        case "exception" if config.model.activation == "selu":
            raise ValueError("selu does not work here\nsecond line")
        case "always":
            raise RuntimeError("hopeless")
        case "no_number" if config.model.activation == "selu":
            raise ArithmeticError
        case "disk" if epoch == 2 and not Path("space").exists():
            raise OSError(28, "No space left on device")
        case "exit" if epoch == 2 and not Path("allowed").exists():
            sys.exit(3)
        case "lose" if epoch == 2:
            raise ProcessLostError("process 2 of the 2 ended with SIGKILL")
        case "lose_once" if epoch == 2 and not Path(f"lost_{config.optimizer.lr}").exists():
            Path(f"lost_{config.optimizer.lr}").touch()
            raise ProcessLostError("process 2 of the 2 ended with SIGKILL")
        case "die" if epoch == 0:
            os.kill(os.getpid(), 9)


def ray_node() -> str | None:
    """The node of a Ray cluster that this runs on."""
    if "ray" not in sys.modules:
        return None
    return str(sys.modules["ray"].get_runtime_context().get_node_id())


def train(config: DictConfig, session: Any, folder: Path) -> float:
    checkpoint = folder / "last.json"
    begun = session is not None and session.resumed and checkpoint.exists()
    first = json.loads(checkpoint.read_text())["epoch"] + 1 if begun else 0
    value = score(config, first - 1)
    for epoch in range(first, config.trainer.max_epochs):
        make_trouble(config, epoch)
        time.sleep(config.trainer.seconds)
        value = score(config, epoch)
        with (folder / "epochs.log").open("a") as file:
            file.write(f"{epoch} {os.getpid()}\n")
        if session is not None:
            session.report(value, epoch)
            if session.should_prune():
                from optuna import TrialPruned

                raise TrialPruned(f"pruned after epoch {epoch}")
        # After the report, so that a kill between the two repeats a step and never misses one.
        temporary = folder / "last.json.tmp"
        temporary.write_text(json.dumps({"epoch": epoch}))
        temporary.replace(checkpoint)
    return value


@hydra.main(version_base="1.3", config_path="pkg://fer_lightning.conf", config_name="sweep_app")
def main(config: DictConfig) -> float | None:
    from fer_lightning.sweeps.jobs.attached import attach

    folder = Path(HydraConfig.get().runtime.output_dir)
    if config.plain_return:
        return train(config, None, folder)
    session = attach()
    assert session is not None
    with session:
        try:
            value = train(config, session, folder)
        except ArithmeticError:
            value = float("nan")
        metrics = {"val/acc": value, "cost": float(sum(config.model.layers))}
        session.complete(metrics, attrs={"epochs": config.trainer.max_epochs, "node": ray_node()})
    return None


if __name__ == "__main__":
    from fer_lightning.errors import UserError

    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        main()
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_status)
