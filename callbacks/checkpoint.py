"""The best and the last checkpoint of a run, in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import ModelCheckpoint

_PATHS = ("best_model_path", "last_model_path", "kth_best_model_path")


class RunCheckpoint(ModelCheckpoint):
    """``checkpoints/best.ckpt`` and ``checkpoints/last.ckpt``, written when an epoch ends.

    A checkpoint holds no absolute path, so a run's folder can be moved and resumed elsewhere.

    Parameters
    ----------
    folder
        The run's folder.
    monitor, mode
        The metric that decides, and whether ``max`` or ``min`` of it is best; ``None`` keeps only the last.
    """

    def __init__(self, folder: str | Path, monitor: str | None = "val/acc", mode: str = "max") -> None:
        super().__init__(
            dirpath=Path(folder) / "checkpoints",
            filename="best",
            monitor=monitor,
            mode=mode,
            save_top_k=1 if monitor else 0,
            save_last=True,
            auto_insert_metric_name=False,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return Lightning's state with paths as names within the folder."""
        state = super().state_dict()
        state["dirpath"] = ""
        for key in _PATHS:
            state[key] = Path(state[key]).name if state[key] else ""
        state["best_k_models"] = {Path(path).name: value for path, value in state["best_k_models"].items()}
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state of the interrupted run, with paths in this run's folder."""
        folder = Path(str(self.dirpath))
        state = dict(state_dict, dirpath=str(self.dirpath))
        for key in _PATHS:
            state[key] = str(folder / state[key]) if state[key] else ""
        state["best_k_models"] = {str(folder / name): value for name, value in state["best_k_models"].items()}
        super().load_state_dict(state)
