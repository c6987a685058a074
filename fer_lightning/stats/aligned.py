"""Which images each run classifies right, with the images of all runs in one common order."""

from __future__ import annotations

import numpy as np

from fer_lightning.stats.records import ArmRun

OTHER_ACCURACY = "its stored logits give another accuracy"


def contradicts(run: ArmRun) -> bool:
    """Whether a run's logits are another model's than its value: they differ by more than one image."""
    found = run.correctness
    if found is None or run.value is None:
        return False
    return abs(found.share - run.value) > 1 / len(found.right) + 1e-6


def aligned_correctness(runs: list[ArmRun]) -> tuple[np.ndarray | None, str | None]:
    """Which images each run classifies right, float32 [R, N] with images in one common order.

    Returns
    -------
    The table, or None and the reason why there is none.
    """
    rows: list[np.ndarray] = []
    reference: np.ndarray | None = None
    for run in runs:
        found = run.correctness
        if found is None:
            return None, f"no logits of arm {run.arm!r}, seed {run.seed}"
        key, correct = found.images, found.right
        if contradicts(run):
            return None, OTHER_ACCURACY
        if found.named:
            order = np.argsort(found.images, kind="stable")
            key, correct = key[order], correct[order]
        if reference is None:
            reference = key
        if len(reference) != len(key):
            numbers = f"{len(key)} images, arm {runs[0].arm!r}, seed {runs[0].seed} on {len(reference)}"
            return None, f"arm {run.arm!r}, seed {run.seed} was validated on {numbers}"
        if not np.array_equal(reference, key):
            return None, f"arm {run.arm!r}, seed {run.seed} was validated on other images"
        rows.append(correct)
    return np.stack(rows).astype(np.float32), None
