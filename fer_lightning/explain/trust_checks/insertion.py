"""What becomes of a class's probability when a map's pixels go first, and when they come first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from fer_lightning.errors import DataError
from fer_lightning.explain.fill import Fill, filled
from fer_lightning.explain.undisturbed import device_of, undisturbed
from fer_lightning.messages import progress


@dataclass(frozen=True, eq=False)
class InsertionDeletion:
    """Scores of the class as pixels come and go.

    Attributes
    ----------
    shares
        float64 ``[S + 1]``, from 0 to 1: the share of pixels that has come, or gone.
    insertion, deletion
        float64 ``[N, S + 1]``: the class's score of each face.
    """

    shares: np.ndarray
    insertion: np.ndarray
    deletion: np.ndarray

    @property
    def insertion_auc(self) -> np.ndarray:
        """Area under each insertion curve, float64 ``[N]``; high is good."""
        return np.trapezoid(self.insertion, self.shares, axis=1)

    @property
    def deletion_auc(self) -> np.ndarray:
        """Area under each deletion curve, float64 ``[N]``; low is good."""
        return np.trapezoid(self.deletion, self.shares, axis=1)

    @property
    def gain(self) -> np.ndarray:
        """Insertion minus deletion, float64 ``[N]``; about 0 for a random order."""
        return self.insertion_auc - self.deletion_auc


def pixel_ranks(maps: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return each pixel's place in its map's order, int64 ``[N, H·W]``; 0 is the most salient.

    Equal values are ordered by chance: in the order of rows, a blank map would be a statement about foreheads.
    """
    values = maps.reshape(len(maps), -1)
    mixed = np.random.default_rng(seed).permuted(
        np.tile(np.arange(values.shape[1]), (len(values), 1)), axis=1
    )
    order = np.take_along_axis(
        mixed, np.argsort(-np.take_along_axis(values, mixed, axis=1), axis=1, kind="stable"), axis=1
    )
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(values.shape[1])[None], axis=1)
    return ranks


def insertion_deletion(
    model: nn.Module,
    images: Tensor,
    targets: np.ndarray,
    maps: np.ndarray,
    *,
    fill: Fill = "blur",
    steps: int = 16,
    score: str = "probability",
    batch_size: int = 64,
    seed: int = 0,
) -> InsertionDeletion:
    """Follow the class's score as the most salient pixels are taken away, and as they are put back.

    Petsiuk et al. 2018 (RISE), https://arxiv.org/abs/1806.07421; one fill for both directions, so that a random
    order gains nothing.

    Parameters
    ----------
    model
        Levels float ``[N, C, H, W]`` to logits; left as it was.
    images, targets, maps
        ``[N, C, H, W]`` levels 0–255, int ``[N]``, and ``[N, H, W]`` with large values for salient pixels.
    fill
        What stands for a pixel taken away, as in ``filled``.
    steps
        In how many equal steps all pixels go.
    score
        ``probability`` (of the softmax) or ``logit``.

    Raises
    ------
    DataError
        The maps' shape is not the images'.
    """
    if maps.shape != (len(images), *images.shape[2:]):
        raise DataError(f"maps of shape {maps.shape} for images of shape {tuple(images.shape)}")
    device = device_of(model)
    ranks = torch.from_numpy(pixel_ranks(maps, seed)).view(len(images), 1, *images.shape[2:])
    classes = torch.as_tensor(targets).long()
    pixels = maps[0].size
    parts = []
    with undisturbed(model), torch.no_grad():
        for start in range(0, len(images), batch_size):
            batch = slice(start, start + batch_size)
            faces, rows = images[batch].to(device).float(), ranks[batch].to(device)
            empty, asked = filled(faces, fill), classes[batch].to(device)
            curves = []
            for step in progress(range(steps + 1), "pixels put in and taken out"):
                gone = rows < round(pixels * step / steps)
                pair = torch.cat([torch.where(gone, faces, empty), torch.where(gone, empty, faces)])
                logits = model(pair)
                values = logits.softmax(1) if score == "probability" else logits
                curves.append(values.gather(1, asked.repeat(2)[:, None])[:, 0].view(2, -1).cpu())
            parts.append(torch.stack(curves, dim=2))
    insertion, deletion = torch.cat(parts, dim=1).double().numpy()
    shares = np.array([round(pixels * step / steps) / pixels for step in range(steps + 1)])
    return InsertionDeletion(shares, insertion, deletion)
