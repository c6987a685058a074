"""The loss of a training: cross-entropy with label smoothing, class weights, mixup and soft targets."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class TrainingLoss(nn.CrossEntropyLoss):
    """Cross-entropy of logits ``[B, C]`` with class indices ``[B]`` or probabilities ``[B, C]``.

    Parameters
    ----------
    focal_gamma
        Factor ``(1 - p) ** focal_gamma`` on the loss of a class of probability ``p`` (Lin et al., "Focal loss for dense
        object detection", 2017); 0 is cross-entropy.
    label_smoothing
        Share of the target spread over all classes (Szegedy et al. 2016).
    mixup
        Both parameters of the beta distribution from which each batch's share of blending is drawn (Zhang et al.,
        "mixup: beyond empirical risk minimization", 2018); 0 blends nothing.
    class_weights
        float ``[C]``: the weight of each class; ``None`` weighs all alike.
    targets
        float ``[N, C]``: what to train each face on, by its position in the data, as
        :func:`~fer_lightning.training.distillation.soft_targets` returns;
        ``None`` takes the labels.

    Examples
    --------
    >>> TrainingLoss()(torch.zeros(1, 2), torch.tensor([1])).item()
    0.6931471824645996
    """

    targets: Tensor | None

    def __init__(
        self,
        *,
        focal_gamma: float = 0.0,
        label_smoothing: float = 0.0,
        mixup: float = 0.0,
        class_weights: Tensor | None = None,
        targets: Tensor | None = None,
    ) -> None:
        super().__init__(weight=class_weights, label_smoothing=label_smoothing)
        self.focal_gamma, self.mixup = focal_gamma, mixup
        # On the device, and in no checkpoint.
        self.register_buffer("targets", targets, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the mean over the batch; of class indices with ``class_weights`` the weighted one, as PyTorch does."""
        if not self.focal_gamma:
            return super().forward(logits, target)
        log_p = logits.log_softmax(1)
        # Not 0 where the class is sure: the power of a share below 1 has no gradient there.
        losses = -((-log_p.expm1()).clamp(min=1e-7) ** self.focal_gamma) * log_p
        count: float | Tensor = len(logits)
        if self.weight is not None:
            losses = losses * self.weight
            count = count if target.is_floating_point() else self.weight[target].sum()
        return (losses * probabilities(target, logits.shape[1], self.label_smoothing)).sum() / count

    def of_batch(
        self, net: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return a batch's loss and logits ``[B, C]``, its images blended with each other under mixup.

        Parameters
        ----------
        net
            Images to logits.
        images
            Augmented faces, float ``[B, 1, H, W]``. With mixup each keeps the larger share of its blend.
        labels, positions
            int64 ``[B]``: classes, and positions in the data.
        """
        targets = labels if self.targets is None else self.targets[positions]
        if not self.mixup:
            logits = net(images)
            return self(logits, targets), logits
        share = self.draw_share()
        order = torch.randperm(len(labels), device=labels.device)
        logits = net(torch.lerp(images[order], images, share))
        return share * self(logits, targets) + (1 - share) * self(logits, targets[order]), logits

    def draw_share(self) -> float:
        """Return the larger of two shares of a blend; on the CPU, so that no device waits for it."""
        share = float(torch.distributions.Beta(self.mixup, self.mixup).sample())
        return max(share, 1 - share)


def probabilities(target: Tensor, classes: int, smoothing: float = 0.0) -> Tensor:
    """Return class indices ``[B]``, or probabilities, as probabilities ``[B, C]``, of which a share is smoothed."""
    shares = target if target.is_floating_point() else functional.one_hot(target, classes).float()
    return shares * (1 - smoothing) + smoothing / classes if smoothing else shares


class MultiTargetLoss(TrainingLoss):
    """The loss of the likeliest of a face's classes, all of which count alike (Barsoum et al. 2016, section 4).

    Targets are probabilities ``[B, C]``, of which it matters only which are above 0.

    Examples
    --------
    >>> MultiTargetLoss()(torch.zeros(1, 4), torch.tensor([[0.5, 0.5, 0.0, 0.0]])).item()
    1.3862943649291992
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the mean over the batch."""
        return -logits.log_softmax(1).masked_fill(target <= 0, -torch.inf).amax(1).mean()
