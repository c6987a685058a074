"""The temperatures at which trained classifiers predict: one that is given, or each run's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from fer_lightning.config.values import Positive
from fer_lightning.errors import DataError
from fer_lightning.runs.run import Run
from fer_lightning.stats.arm_calibration import can_be_calibrated, run_temperature

Temperature = Positive | Literal["fitted"]
"""A number by which logits are divided, or ``fitted`` for what each run's validation faces ask for."""


def temperatures_of(paths: Sequence[Path], temperature: Temperature | None) -> tuple[float, ...]:
    """Return the temperature of each checkpoint; none at all where none is asked for.

    Parameters
    ----------
    paths
        Of the checkpoints, which ``fitted`` expects in the folder of their run.

    Raises
    ------
    DataError
        ``fitted`` is asked for a checkpoint without its run's validation logits, or of another epoch than theirs.
    """
    if temperature is None:
        return ()
    if temperature != "fitted":
        return (float(temperature),) * len(paths)
    return tuple(map(_fitted, paths))


def _fitted(path: Path) -> float:
    expected = "expected checkpoints/best.ckpt in its run's folder, or a number"
    if path.name != "best.ckpt":
        raise DataError(f"temperature=fitted: {path} is not of the epoch of val_logits.npz; {expected}")
    found = Run(path.absolute().parent.parent).predictions
    if found is None:
        raise DataError(f"temperature=fitted: no val_logits.npz beside the checkpoints of {path}; {expected}")
    if not can_be_calibrated(found):
        raise DataError(
            f"temperature=fitted: the val_logits.npz of {path} are of one face or no numbers; {expected}"
        )
    return run_temperature(found)
