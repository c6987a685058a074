"""The Lightning data module: faces from the cache, on the device, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from fer_lightning.config.values import Count, CountOrZero, ShareAboveZero, ShareBelowOne, checked
from fer_lightning.data.duplicates import Exclusion, exclusion_mask, has_training_copy
from fer_lightning.data.faces import Faces
from fer_lightning.data.loader import BatchLoader
from fer_lightning.data.near_copies import NEAR_SIZE, has_near_copy
from fer_lightning.data.source import load_faces
from fer_lightning.data.splits import stratified_fraction
from fer_lightning.data.synthetic import Drawing, synthetic_faces
from fer_lightning.errors import ConfigError


class FaceDataModule(pl.LightningDataModule):
    """Faces of one source, split, thinned out as asked, and cut into batches.

    Parameters
    ----------
    name
        ``synthetic``, ``fer2013`` or ``image_folder``.
    path
        The file or folder; not for ``synthetic``.
    image_size
        Height and width to which faces are brought, in pixels.
    batch_size, eval_batch_size
        Faces in a batch of training, of validation and test; of each process.
    fraction
        Stratified share of the training faces to train on, in (0, 1].
    train_on
        ``train``, or ``train_val`` to train on the validation faces too (then nothing is validated).
    steps_per_epoch
        Batches in an epoch; ``None`` is one pass over the training faces.
    exclude
        Kinds of faces left out of training: ``leaked`` (copies of validation or test faces), ``duplicates``,
        ``conflicting`` (copies under different labels), ``blank``, ``nearly_leaked`` (near copies of validation
        or test faces, exact ones included).
    val_fraction, test_fraction, split_seed
        Of the stratified split, where the source has none of its own.
    cache_dir
        Folder of the cache; ``None`` is the user's cache folder.
    drawing
        Options of the synthetic faces.
    seed
        Of the order of training faces and of the chosen ``fraction``.
    """

    @checked("data.")
    def __init__(
        self,
        name: Literal["synthetic", "fer2013", "image_folder"],
        path: str | None = None,
        *,
        image_size: Count = 48,
        batch_size: Count = 128,
        eval_batch_size: Count = 512,
        fraction: ShareAboveZero = 1.0,
        train_on: Literal["train", "train_val"] = "train",
        steps_per_epoch: Count | None = None,
        exclude: list[Exclusion] | None = None,
        val_fraction: ShareBelowOne = 0.15,
        test_fraction: ShareBelowOne = 0.15,
        split_seed: CountOrZero = 0,
        cache_dir: str | None = None,
        drawing: Drawing | None = None,
        seed: CountOrZero = 0,
    ) -> None:
        super().__init__()
        self.source: dict[str, Any] = {
            "image_size": image_size,
            "cache_dir": cache_dir,
            "val_fraction": val_fraction,
            "test_fraction": test_fraction,
            "split_seed": split_seed,
        }
        self.drawing = drawing or Drawing()
        self.form, self.path = name, path
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.fraction, self.train_on, self.steps_per_epoch = fraction, train_on, steps_per_epoch
        self.exclude, self.seed = list(exclude or []), seed
        self._faces: Faces | None = None
        self._tensors: tuple[Tensor, Tensor] | None = None
        self._train_indices: np.ndarray | None = None

    @property
    def faces(self) -> Faces:
        """All faces of the source, memory-mapped; read on first use."""
        if self._faces is None:
            self._faces = self._load(self.image_size)
        return self._faces

    def _load(self, image_size: int) -> Faces:
        if self.form == "synthetic":
            return synthetic_faces(image_size=image_size, cache_dir=self.source["cache_dir"], **self.drawing)
        return load_faces(self.form, self.path, **(self.source | {"image_size": image_size}))

    def _compared_images(self) -> np.ndarray:
        """All faces at the size at which near copies are told, whatever size a model sees: uint8 ``[N, H, W]``."""
        return (self.faces if self.image_size == NEAR_SIZE else self._load(NEAR_SIZE)).images

    def prepare_data(self) -> None:
        """Build the cache, in one process of each machine."""
        _ = self.faces

    @property
    def train_indices(self) -> np.ndarray:
        """Positions of the faces that are trained on, int64 ``[M]``."""
        if self._train_indices is None:
            self._train_indices = self._choose_training_faces()
        return self._train_indices

    @property
    def training_splits(self) -> tuple[str, ...]:
        """The splits from which the training faces are taken."""
        return ("train", "val") if self.train_on == "train_val" else ("train",)

    def _choose_training_faces(self) -> np.ndarray:
        faces = self.faces
        chosen = self._indices_of(self.training_splits)
        if self.exclude:
            compared = self._compared_images() if "nearly_leaked" in self.exclude else None
            excluded = exclusion_mask(faces, self.exclude, self.training_splits, compared)
            chosen = chosen[~excluded[chosen]]
        if self.fraction < 1:
            chosen = stratified_fraction(chosen, faces.labels, self.fraction, self.source["split_seed"])
        if len(chosen) == 0:
            raise ConfigError(f"data.fraction={self.fraction}, data.exclude={self.exclude}: no face is left")
        return chosen

    @property
    def num_classes(self) -> int:
        """Number of classes of the source."""
        return len(self.faces.class_names)

    @property
    def image_size(self) -> int:
        """Height and width of a face in pixels."""
        return int(self.source["image_size"])

    def training_images(self) -> np.ndarray:
        """Return the faces that are trained on, uint8 ``[M, H, W]``."""
        return self.faces.images[self.train_indices]

    def class_counts(self) -> np.ndarray:
        """Return the number of training faces of each class, int64 ``[C]``."""
        return np.bincount(self.faces.labels[self.train_indices], minlength=self.num_classes)

    def copied_from_training(self, split: str, training: Sequence[str] | None = None) -> np.ndarray:
        """Return for each face of ``split`` whether the splits trained on hold an exact copy of it, bool ``[N]``.

        Those are ``training``, or :attr:`training_splits`; whatever share of them was trained on, all their faces
        count. A split that is itself among them is held as a whole.
        """
        faces, splits = self.faces, self.training_splits if training is None else training
        if split in splits:
            return np.ones(len(faces.indices(split)), bool)
        return has_training_copy(faces, self._indices_of(splits))[faces.indices(split)]

    def nearly_copied_from_training(self, split: str, training: Sequence[str] | None = None) -> np.ndarray:
        """Return for each face of ``split`` whether the splits trained on hold a near copy of it, bool ``[N]``.

        Of which faces: see :meth:`copied_from_training`.
        """
        faces, splits = self.faces, self.training_splits if training is None else training
        if split in splits:
            return np.ones(len(faces.indices(split)), bool)
        images = self._compared_images()
        return has_near_copy(images[faces.indices(split)], images[self._indices_of(splits)])

    def _indices_of(self, splits: Iterable[str]) -> np.ndarray:
        found = [self.faces.indices(split) for split in splits]
        return np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)

    def _on_device(self) -> tuple[Tensor, Tensor]:
        if self._tensors is None:
            device = self.trainer.strategy.root_device if self.trainer is not None else torch.device("cpu")
            # On the CPU this shares the pages of the cache; elsewhere it is the only copy to the device.
            images = torch.from_numpy(self.faces.images).unsqueeze(1).to(device)
            self._tensors = images, torch.from_numpy(np.array(self.faces.labels)).to(device)
        return self._tensors

    def _loader(self, indices: np.ndarray, *, train: bool) -> BatchLoader:
        images, labels = self._on_device()
        trainer = self.trainer
        return BatchLoader(
            images,
            labels,
            indices,
            min(self.batch_size, len(indices)) if train else self.eval_batch_size,
            shuffle=train,
            seed=self.seed,
            steps=self.steps_per_epoch if train else None,
            rank=trainer.global_rank if trainer is not None else 0,
            world_size=trainer.world_size if trainer is not None else 1,
        )

    def train_dataloader(self) -> BatchLoader:
        """Return the shuffled training batches."""
        return self._loader(self.train_indices, train=True)

    def val_dataloader(self) -> BatchLoader | list[BatchLoader]:
        """Return the validation batches in the order of the source; none when they are trained on."""
        return [] if self.train_on == "train_val" else self._loader(self.faces.indices("val"), train=False)

    def test_dataloader(self) -> BatchLoader:
        """Return the test batches in the order of the source."""
        return self._loader(self.faces.indices("test"), train=False)

    def split_dataloader(self, split: str) -> BatchLoader:
        """Return the batches of ``train``, ``val`` or ``test`` in the order of the source."""
        return self._loader(self.faces.indices(split), train=False)
