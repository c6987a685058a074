"""What is measured on a split, from its logits; `config.metric_table` lists the metrics."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hydra.utils import get_object
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_recall,
)

from fer_lightning.config.metric_table import METRICS, single_values
from fer_lightning.training.own_metrics import OwnMetrics


def confusion_matrix(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the counts, int64 ``[C, C]``; rows are the true classes, columns the predicted."""
    return multiclass_confusion_matrix(logits, labels, num_classes=logits.shape[1])


def mean_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy in nats, without label smoothing or class weights."""
    return F.cross_entropy(logits, labels)


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the share of right predictions."""
    return multiclass_accuracy(logits, labels, num_classes=logits.shape[1], average="micro")


def macro_f1(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over the classes of their F1 scores."""
    return multiclass_f1_score(logits, labels, num_classes=logits.shape[1], average="macro")


def calibration_error(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the expected calibration error over 15 bins (Guo et al. 2017)."""
    return multiclass_calibration_error(logits.softmax(1), labels, num_classes=logits.shape[1], n_bins=15)


def recalls(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the recall of each class, float ``[C]``; NaN for a class without faces."""
    count = logits.shape[1]
    found = multiclass_recall(logits, labels, num_classes=count, average="none")
    return torch.where(torch.bincount(labels, minlength=count) > 0, found, torch.nan)


def classification_metrics(
    logits: Tensor, labels: Tensor, class_names: Sequence[str], own: OwnMetrics | None = None
) -> dict[str, float]:
    """Measure predictions against labels.

    Parameters
    ----------
    logits
        float ``[N, C]``.
    labels
        int64 ``[N]``.
    class_names
        The C names; each class's recall is given as ``recall/<name>``.
    own
        Metrics beside those of the table.

    Returns
    -------
    dict
        Every metric of :data:`~fer_lightning.config.metric_table.METRICS` that is computed: ``loss``, ``acc``, ``f1``,
        ``ece``, the recalls and the own ones. A class without faces has no recall and is left out.
    """
    logits = logits.float()
    if not torch.isfinite(logits).all():
        # A diverged net has no probabilities; a number here would pass for a result.
        return dict.fromkeys([*single_values(), *(own.functions if own else ())], float("nan"))
    measured: dict[str, float] = {}
    for name, metric in METRICS.items():
        if metric.compute is None:
            continue
        value = get_object(metric.compute)(logits, labels)
        if metric.per_class:
            of_classes = zip(class_names, value.tolist(), strict=True)
            measured |= {f"{name}/{each}": share for each, share in of_classes if share == share}
        else:
            measured[name] = float(value)
    return measured | (own(logits, labels, class_names) if own else {})
