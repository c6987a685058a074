"""Groups of faces that a network takes for alike, and what their pictures are like: one forward pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from fer_lightning.config.values import Slices
from fer_lightning.data.labelled_pictures import LabelledPictures
from fer_lightning.errors import DataError
from fer_lightning.evaluation.evaluation import Evaluation
from fer_lightning.explain.penultimate import penultimate_features
from fer_lightning.messages import counted
from fer_lightning.runs.predictions import Predictions
from fer_lightning.stats.arm_calibration import can_be_calibrated
from fer_lightning.stats.face_groups import FEWEST_FACES, face_groups, group_count
from fer_lightning.stats.judged_slices import face_slices
from fer_lightning.stats.slices import FaceSlices, Slice


@dataclass(frozen=True, eq=False)
class GroupedFaces:
    """N faces in groups.

    Attributes
    ----------
    ids, labels
        str and int64 ``[N]``.
    group
        int64 ``[N]``, numbers from 0.
    levels
        float ``[N, 2]``: mean and standard deviation of each face's levels 0–255, over pixels and channels.
    """

    ids: np.ndarray
    labels: np.ndarray
    group: np.ndarray
    levels: np.ndarray

    def rows_of(self, predictions: Predictions) -> np.ndarray:
        """Return where the faces of predictions stand, int64.

        Raises
        ------
        DataError
            The predictions have no ids, or one of their faces is not here.
        """
        if predictions.ids is None:
            raise DataError("the predictions do not name their faces")
        # FER2013 has files of one name in two classes.
        known = {
            pair: row for row, pair in enumerate(zip(self.ids.tolist(), self.labels.tolist(), strict=True))
        }
        pairs = list(zip(predictions.ids.tolist(), predictions.labels.tolist(), strict=True))
        for name, _ in (pair for pair in pairs if pair not in known):
            raise DataError(f"the data have no face {name} with the label that it was validated with")
        return np.array([known[pair] for pair in pairs], np.int64)


def grouped_faces(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor, Tensor]],
    ids: np.ndarray,
    labels: np.ndarray,
    count: int,
) -> GroupedFaces:
    """Divide faces into groups by the features of a network's penultimate layer.

    Parameters
    ----------
    model, batches
        As for `penultimate_features`.
    ids, labels
        Of the faces ``[N]``, in the order of the batches.
    count
        Groups; see `group_count`.

    Raises
    ------
    ConfigError, DataError
        The network has no penultimate layer, or its features are not finite.
    """
    levels: list[Tensor] = []

    def looked_at() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for images, own, positions in batches:
            pixels = images.float().flatten(1)
            levels.append(torch.stack((pixels.mean(dim=1), pixels.std(dim=1, correction=0)), dim=1).cpu())
            yield images, own, positions

    features = penultimate_features(model, looked_at())
    return GroupedFaces(ids, labels, face_groups(features, count), torch.cat(levels).numpy())


def evaluated_slices(
    found: Evaluation, model: nn.Module, pictures: LabelledPictures, asked: Slices
) -> FaceSlices:
    """Find the slices of an evaluation.

    Parameters
    ----------
    found
        Of the model, or of the average of several of which it is one.
    model
        Gives the features; in evaluation mode it takes levels 0–255.
    pictures
        That were evaluated.
    asked
        Into how many groups at most.

    Raises
    ------
    DataError
        There are too few faces, or logits or features are not finite.
    ConfigError
        The network has no penultimate layer.
    """
    faces = len(pictures.labels)
    if not (count := group_count(asked, faces)):
        raise DataError(
            f"{counted(faces, 'face')} are too few for slices; expected {2 * FEWEST_FACES} at least"
        )
    if not can_be_calibrated(found.predictions):
        raise DataError("logits of some faces are not finite; expected numbers")
    grouped = grouped_faces(model, pictures.batches(), pictures.ids, pictures.labels, count)
    source = "the model" if found.models == 1 else "the first of the models"
    slices = face_slices([found.predictions], grouped.group, source=source)
    return with_pictures(slices, grouped.levels, None if found.trained_on else found.nearly)


def with_pictures(found: FaceSlices, levels: np.ndarray, near: np.ndarray | None = None) -> FaceSlices:
    """Add what each slice's pictures are like.

    Parameters
    ----------
    levels
        float ``[N, 2]``, in the order of the slices' faces.
    near
        bool ``[N]``: faces of which training has seen a copy or near copy.
    """

    def described(each: Slice) -> Slice:
        chosen = found.group == each.number
        brightness, contrast = levels[chosen].mean(axis=0).tolist()
        copies = None if near is None else float(near[chosen].mean())
        return replace(each, brightness=brightness, contrast=contrast, near_copies=copies)

    return replace(found, slices=tuple(map(described, found.slices)))
