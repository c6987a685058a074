"""The loss of a training: cross-entropy with label smoothing, class weights, mixup and soft targets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.data.faces import Faces
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.runs.predictions import Predictions
from fer_lightning.training.distillation import HINT


class TrainingLoss(nn.CrossEntropyLoss):
    """Cross-entropy of logits ``[B, C]`` with class indices ``[B]`` or probabilities ``[B, C]``.

    Parameters
    ----------
    label_smoothing
        Share of the target spread over all classes (Szegedy et al. 2016).
    mixup
        Both parameters of the beta distribution from which each batch's share of blending is drawn (Zhang et al.,
        "mixup: beyond empirical risk minimization", 2018); 0 blends nothing.
    class_weights
        float ``[C]``: the weight of each class; ``None`` weighs all alike.
    targets
        float ``[N, C]``: what to train each face on, by its position in the data, as :func:`soft_targets` returns;
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
        label_smoothing: float = 0.0,
        mixup: float = 0.0,
        class_weights: Tensor | None = None,
        targets: Tensor | None = None,
    ) -> None:
        super().__init__(weight=class_weights, label_smoothing=label_smoothing)
        self.mixup = mixup
        # On the device, and in no checkpoint.
        self.register_buffer("targets", targets, persistent=False)

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


def build_loss(config: DictConfig, data: FaceDataModule, teachers: dict[str, Predictions]) -> TrainingLoss:
    """Return the loss of ``config.loss`` for the training faces of ``data``.

    Parameters
    ----------
    config
        The node ``loss``.
    teachers
        Of :func:`~fer_lightning.training.distillation.read_teachers`.

    Raises
    ------
    ConfigError
        The number of class weights is not that of the classes.
    DataError
        The teachers do not fit the data: see :func:`soft_targets`.
    """
    weights = OmegaConf.to_container(config)["class_weights"]  # type: ignore[index, call-overload]
    targets = None if data.faces.targets is None else torch.from_numpy(np.array(data.faces.targets))
    if teachers:
        targets = soft_targets(data.faces, data.train_indices, teachers, config.teacher_share)
    kind = TrainingLoss
    if data.source["label_mode"] == "multi_target":
        kind = MultiTargetLoss
        for key, plain in (("label_smoothing", 0), ("class_weights", "none"), ("teacher", None)):
            if config[key] != plain:
                raise ConfigError(
                    f"loss.{key}={config[key]} with data.label_mode=multi_target: expected {plain}"
                )
    return kind(
        label_smoothing=config.label_smoothing,
        mixup=config.mixup,
        class_weights=class_weights(weights, torch.from_numpy(data.class_counts())),
        targets=targets,
    )


def class_weights(given: str | list[float], counts: Tensor) -> Tensor | None:
    """Return the weight of each class, float ``[C]``, or ``None`` for all alike.

    Raises
    ------
    ConfigError
        The number of weights is not that of the classes.
    """
    if given == "none":
        return None
    if given == "balanced":
        present = counts.clamp(min=1).float()
        return present.sum() / (len(present) * present)
    if len(given) != len(counts):
        raise ConfigError(f"loss.class_weights: {len(given)} weights were given, expected {len(counts)}")
    return torch.tensor([float(weight) for weight in given])


def soft_targets(
    faces: Faces, positions: np.ndarray, teachers: dict[str, Predictions], share: float
) -> Tensor:
    """Return what to train each face on: float32 ``[N, C]``, rows that add up to 1.

    A net that learns from one like itself often becomes better than it (Furlanello et al., "Born-again neural
    networks", 2018; the idea is from Hinton et al., "Distilling the knowledge in a neural network", 2015).

    Parameters
    ----------
    faces
        All N faces of a source.
    positions
        int64 ``[M]``: those that are trained on. The other rows are their labels alone.
    teachers
        Of :func:`read_teachers`. A face's teachers are those whose files hold it, so that halves of the data may
        have different ones; the mean of their probabilities counts.
    share
        Of the teachers in the target, from 0 to 1; the label has the rest.

    Raises
    ------
    DataError
        A teacher knows other classes, or a face that is trained on has none that knows it under its label.
    """
    classes, ids = len(faces.class_names), np.asarray(faces.ids)
    # Some of FER2013's names stand for two faces, under different labels.
    row_of = {(str(ids[row]), int(faces.labels[row])): int(row) for row in positions}
    probabilities, count = np.zeros((len(faces), classes)), np.zeros(len(faces))
    for path, teacher in teachers.items():
        if teacher.class_names != faces.class_names:
            known = ", ".join(teacher.class_names) or "unnamed classes"
            raise DataError(f"loss.teacher: {path}: knows {known}; the data {', '.join(faces.class_names)}")
        names = zip(np.asarray(teacher.ids).tolist(), teacher.labels.tolist(), strict=True)
        rows = np.array([row_of.get(name, -1) for name in names], np.int64)
        held = rows >= 0
        probabilities[rows[held]] += torch.from_numpy(teacher.logits[held]).double().softmax(1).numpy()
        count[rows[held]] += 1
    missing = positions[count[positions] == 0]
    if len(missing):
        raise DataError(
            f"loss.teacher: {', '.join(teachers)}: {len(missing):,} of the {len(positions):,} faces to train on are "
            f"not there, the first {ids[missing[0]]} ({faces.class_names[faces.labels[missing[0]]]}); {HINT}"
        )
    targets = np.eye(classes)[faces.labels] if faces.targets is None else np.array(faces.targets, float)
    targets[positions] += share * (probabilities[positions] / count[positions, None] - targets[positions])
    return torch.from_numpy(targets).float()
