"""What is measured on a split, from its logits; `objective` knows each name's direction and which are shares."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_recall,
)


def confusion_matrix(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the counts, int64 ``[C, C]``; rows are the true classes, columns the predicted."""
    return multiclass_confusion_matrix(logits, labels, num_classes=logits.shape[1])


def classification_metrics(logits: Tensor, labels: Tensor, class_names: Sequence[str]) -> dict[str, float]:
    """Measure predictions against labels.

    Parameters
    ----------
    logits
        float ``[N, C]``.
    labels
        int64 ``[N]``.
    class_names
        The C names; each class's recall is given as ``recall/<name>``.

    Returns
    -------
    dict
        ``loss`` (mean cross-entropy in nats, without label smoothing or class weights), ``acc`` (share that
        is right), ``f1`` (macro mean over classes), ``ece`` (expected calibration error over 15 bins,
        Guo et al. 2017) and the recalls. A class without faces has no recall and is left out.
    """
    count = len(class_names)
    logits = logits.float()
    if not torch.isfinite(logits).all():
        # A diverged net has no probabilities; a number here would pass for a result.
        return {"loss": float("nan"), "acc": float("nan"), "f1": float("nan"), "ece": float("nan")}
    measured = {
        "loss": F.cross_entropy(logits, labels).item(),
        "acc": multiclass_accuracy(logits, labels, num_classes=count, average="micro").item(),
        "f1": multiclass_f1_score(logits, labels, num_classes=count, average="macro").item(),
        "ece": multiclass_calibration_error(logits.softmax(1), labels, num_classes=count, n_bins=15).item(),
    }
    recalls = multiclass_recall(logits, labels, num_classes=count, average="none")
    present = torch.bincount(labels, minlength=count) > 0
    measured |= {f"recall/{class_names[i]}": recalls[i].item() for i in range(count) if present[i]}
    return measured
