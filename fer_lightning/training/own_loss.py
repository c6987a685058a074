"""A loss of somebody else in place of cross-entropy, with what it can honour of the other options of ``loss``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from fer_lightning.config.signatures import find_target, named_parameters
from fer_lightning.errors import ConfigError
from fer_lightning.messages import one_line
from fer_lightning.training.loss import TrainingLoss, probabilities
from fer_lightning.training.own_part import build_callable

_WEIGHTS = ("class_weights", "weight")


class OwnLoss(TrainingLoss):
    """Any function of logits and targets, as the loss of a training.

    Parameters
    ----------
    function
        Takes logits ``[B, C]`` and targets, returns a scalar or the loss of each face, ``[B]``.
    soft
        Whether its targets are probabilities ``[B, C]``; else they are class indices, int64 ``[B]``.
    smoothing, mixup, targets
        See `TrainingLoss`.
    """

    def __init__(
        self,
        function: Callable[[Tensor, Tensor], Tensor],
        *,
        soft: bool,
        smoothing: float = 0.0,
        mixup: float = 0.0,
        targets: Tensor | None = None,
    ) -> None:
        super().__init__(mixup=mixup, targets=targets)
        self.function, self.soft, self.smoothing = function, soft, smoothing

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the mean over the batch."""
        if self.soft:
            target = probabilities(target, logits.shape[1], self.smoothing).to(logits.dtype)
        return self.function(logits, target).mean()


def own_loss(
    node: Mapping[str, Any],
    options: Mapping[str, Any],
    class_weights: Tensor | None,
    targets: Tensor | None,
    classes: int,
) -> OwnLoss:
    """Return the loss that ``loss._target_`` names, tried on three faces.

    It is given class indices where it takes them and the labels are such, else probabilities.

    Parameters
    ----------
    node, options
        What is for the target, and the project's own keys of ``loss``.
    class_weights, targets
        float ``[C]``, which it gets where it has a parameter ``class_weights`` or ``weight``; and as in `TrainingLoss`.

    Raises
    ------
    ConfigError
        It cannot be built or called, returns something else, or does not go with an option.
    """
    offered = {"num_classes": classes, **dict.fromkeys(_WEIGHTS, class_weights)}
    target = find_target(node["_target_"], "loss._target_")
    if class_weights is not None and not named_parameters(target) & {*_WEIGHTS}:
        _refuse(
            node,
            "class_weights",
            options,
            f"takes none; expected a parameter {' or '.join(_WEIGHTS)}, or none",
        )
    if options["focal_gamma"]:
        _refuse(node, "focal_gamma", options, "is not cross-entropy; expected 0")
    function = build_callable(node, "loss", offered)
    smoothing = float(options["label_smoothing"])
    soft_labels = targets is not None or smoothing > 0
    of_indices = _problem(function, torch.arange(3) % classes, classes)
    soft = soft_labels or of_indices is not None
    of_shares = _problem(function, torch.full((3, classes), 1 / classes), classes) if soft else None
    if of_shares is not None:
        if of_indices is not None:
            raise ConfigError(
                f"loss: {node['_target_']} {of_indices}; with probabilities as targets it {of_shares}"
            )
        key = "label_smoothing" if smoothing else "teacher" if options.get("teacher") else None
        why = f"takes no probabilities as targets: it {of_shares}"
        if key is None:
            raise ConfigError(f"loss: {node['_target_']} {why}; the labels of these data are probabilities")
        _refuse(node, key, options, why)
    return OwnLoss(function, soft=soft, smoothing=smoothing, mixup=float(options["mixup"]), targets=targets)


def _refuse(node: Mapping[str, Any], key: str, options: Mapping[str, Any], why: str) -> None:
    raise ConfigError(f"loss.{key}={options[key]} with loss._target_={node['_target_']}: the loss {why}")


def _problem(function: Callable[..., Any], targets: Tensor, classes: int) -> str | None:
    """Say what a loss does wrong with three faces' logits and these targets; ``None`` if nothing."""
    # No two rows and no two classes are alike, and there are never as many of one as of the other.
    logits = torch.linspace(-1, 1, 3 * classes).view(3, classes).requires_grad_()
    if classes == 3:
        logits, targets = logits[:2], targets[:2]
    with torch.enable_grad(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = function(logits, targets)
        except Exception as error:  # whatever other people's code says of it
            return (
                f"fails on logits {list(logits.shape)} and targets {list(targets.shape)}: {one_line(error)}"
            )
    if not isinstance(found, Tensor) or found.shape not in ((), (len(logits),)):
        shape = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
        return f"returns {shape} for {len(logits)} faces; expected one number, or one for each"
    return None if found.requires_grad else "returns what has no gradient"
