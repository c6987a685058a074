"""What covering a region of the face costs, against a box of the same size elsewhere and an untrained network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from fer_lightning.config.values import Count, CountOrZero, OpenShare, checked
from fer_lightning.errors import DataError
from fer_lightning.explain.fill import Fill, fill_words, filled
from fer_lightning.explain.region_boxes import SIZE, Regions
from fer_lightning.explain.region_effects import RegionEffects, region_effects
from fer_lightning.explain.trust_checks.randomization import redrawn, weighted_layers
from fer_lightning.explain.undisturbed import device_of, undisturbed
from fer_lightning.messages import progress

Measure = Literal["probability", "accuracy"]
_PLACES = 64  # places from which each face's control boxes are drawn


@dataclass(frozen=True, eq=False)
class _Losses:
    """What each face loses, float64 ``[N, R]``, and how far its logits move, for the regions and elsewhere."""

    here: np.ndarray
    elsewhere: np.ndarray
    moved_here: np.ndarray
    moved_elsewhere: np.ndarray


class RegionOcclusion:
    """Covers the regions of faces one by one and measures what the network loses (Zeiler & Fergus 2014).

    The same boxes at random places outside the region are covered too: what is lost there is lost by covering
    anything. The same network with newly drawn weights shows what is in the pictures and not in the learning.

    Parameters
    ----------
    boxes, size
        See :class:`fer_lightning.explain.region_boxes.Regions`.
    fill
        What covers a box: ``mean`` (each face's mean), ``blur``, ``black``, or a grey level.
    measure
        ``probability``: what is lost of the true class's probability; ``accuracy``: of the share classified right.
    draws
        Places elsewhere that each face is covered at, for each region.
    confidence, resamples
        Of the intervals, which hold for all classes and regions together, and of their bootstrap over faces.
    seed
        Of the places, the untrained weights and the bootstrap.
    batch_size
        Pictures in one pass.
    """

    @checked("regions.")
    def __init__(
        self,
        boxes: Mapping[str, Sequence[Sequence[int]]] | None = None,
        size: Count = SIZE,
        *,
        fill: Fill = "mean",
        measure: Measure = "probability",
        draws: Count = 4,
        confidence: OpenShare = 0.95,
        resamples: Annotated[int, Field(ge=100)] = 2000,
        seed: CountOrZero = 0,
        batch_size: Count = 128,
    ) -> None:
        self.regions = Regions(boxes, size)
        self.fill, self.measure, self.draws = fill, measure, draws
        self.confidence, self.resamples, self.seed, self.batch_size = confidence, resamples, seed, batch_size

    def __call__(
        self, model: nn.Module, images: Tensor, labels: np.ndarray, class_names: Sequence[str]
    ) -> RegionEffects:
        """Measure ``model`` on faces; it is left as it was.

        Parameters
        ----------
        images
            Levels 0–255 ``[N, C, H, W]``; the intervals want some twenty faces of each class at least.
        labels
            int ``[N]``.
        class_names
            The C names.

        Raises
        ------
        DataError
            There are no faces, or not one label each.
        """
        labels = np.asarray(labels)
        if len(images) == 0 or labels.shape != (len(images),):
            raise DataError(f"{len(images)} faces with {labels.shape} labels: expected one each, and some")
        images = images.float()
        trained = self._losses(model, images, labels)
        with redrawn(model, weighted_layers(model), seed=self.seed):
            untrained = self._losses(model, images, labels)
        return region_effects(
            trained=(trained.here, trained.elsewhere, trained.moved_here, trained.moved_elsewhere),
            untrained=(
                untrained.here,
                untrained.elsewhere,
                untrained.moved_here,
                untrained.moved_elsewhere,
            ),
            labels=labels,
            class_names=tuple(class_names),
            regions=self.regions.names,
            measure=self.measure,
            fill=fill_words(self.fill),
            confidence=self.confidence,
            resamples=self.resamples,
            seed=self.seed,
        )

    def _losses(self, model: nn.Module, images: Tensor, labels: np.ndarray) -> _Losses:
        device = device_of(model)
        images, targets = images.to(device), torch.from_numpy(labels.astype(np.int64)).to(device)
        height, width = images.shape[2:]
        columns: list[list[np.ndarray]] = [[], [], [], []]
        with torch.no_grad(), undisturbed(model):
            cover = filled(images, self.fill)
            whole = self._logits(model, images)
            before = self._worth(whole, targets)
            for name in progress(self.regions.names, "regions"):
                mask = self.regions.mask(name, height, width)[None].repeat(len(images), axis=0)
                places = self._places(name, len(images), height, width)
                lost, moved = [], []
                for covered in (mask, *places):
                    where = torch.from_numpy(covered).to(device)[:, None]
                    logits = self._logits(model, torch.where(where, cover, images))
                    lost.append((before - self._worth(logits, targets)).double().cpu().numpy())
                    moved.append(_moved(whole, logits))
                columns[0].append(lost[0])
                columns[1].append(np.mean(lost[1:], axis=0))
                columns[2].append(moved[0])
                columns[3].append(np.mean(moved[1:], axis=0))
        return _Losses(*(np.stack(column, axis=1) for column in columns))

    def _places(self, name: str, count: int, height: int, width: int) -> list[np.ndarray]:
        """Return for each draw a mask for each face, bool ``[N, H, W]``."""
        pool = self.regions.elsewhere(name, height, width, _PLACES, self.seed)
        rng = np.random.default_rng([self.seed, 1, self.regions.names.index(name)])
        return [pool[rng.integers(0, _PLACES, count)] for _ in range(self.draws)]

    def _logits(self, model: nn.Module, images: Tensor) -> Tensor:
        return torch.cat([model(batch).float() for batch in images.split(self.batch_size)])

    def _worth(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self.measure == "accuracy":
            return (logits.argmax(1) == targets).double()
        return logits.double().softmax(1).gather(1, targets[:, None])[:, 0]


def _moved(before: Tensor, after: Tensor) -> np.ndarray:
    """Length of the change of each face's centred logits, float64 ``[N]``: it does not depend on what is true."""
    change = (after - before).double()
    change = change - change.mean(dim=1, keepdim=True)
    return np.asarray(change.square().sum(dim=1).sqrt().cpu().numpy())
