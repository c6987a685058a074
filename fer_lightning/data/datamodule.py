"""The Lightning data module: faces from the cache, on the device, in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Annotated, Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from pydantic import Field
from torch import Tensor

from fer_lightning.config.expectation import shown_value
from fer_lightning.config.values import Count, CountOrZero, ShareAboveZero, ShareBelowOne, checked
from fer_lightning.data.arrays import check_pictures
from fer_lightning.data.chosen_faces import ChosenFaces, Form
from fer_lightning.data.duplicates import Exclusion
from fer_lightning.data.fer_plus import LabelMode
from fer_lightning.data.loader import BatchLoader
from fer_lightning.data.picture_arrays import as_tensor, channels_of
from fer_lightning.data.placement import fits
from fer_lightning.data.synthetic import Drawing
from fer_lightning.errors import ConfigError

# Options that say nothing of the faces of a source.
_UNUSED = {
    "synthetic": ("path", "val_fraction", "test_fraction", "unreadable", "names", "labels", "label_mode"),
    "fer2013": ("names", "drawing"),
    "image_folder": ("drawing", "labels", "label_mode"),
    "arrays": ("drawing", "labels", "label_mode", "names", "unreadable"),
    "file_list": ("drawing", "labels", "label_mode", "names"),
}


class FaceDataModule(ChosenFaces, pl.LightningDataModule):
    """Faces of one source, split, thinned out as asked, and cut into batches.

    Parameters
    ----------
    name
        ``synthetic``, ``fer2013``, ``image_folder``, ``arrays`` or ``file_list``.
    path
        The file or folder; not for ``synthetic``.
    image_size
        Height and width to which faces are brought, in pixels.
    channels
        1 for grey faces, 3 for colour.
    batch_size, eval_batch_size
        Faces in a batch of training, of validation and test; of each process.
    fraction, eval_fraction
        Stratified shares of the training faces to train on, and of the validation faces to validate on, in (0, 1].
    train_on
        ``train``, or ``train_val`` to train on the validation faces too (then nothing is validated).
    steps_per_epoch
        Batches in an epoch; ``None`` is one pass over the training faces.
    sampling
        ``shuffled``, or ``balanced``: faces of each class equally often in an epoch, and within two in a batch.
    exclude
        Kinds of faces left out of training: ``leaked`` (copies of validation or test faces), ``duplicates``,
        ``conflicting`` (copies under different labels), ``blank``, ``nearly_leaked`` (near copies of validation
        or test faces, exact ones included).
    folds, fold
        Of a cross-validation, at least 2, and the number of the fold that is validated on, from 0: see
        :func:`~fer_lightning.data.folds.fold_splits`. Each ``seed`` has folds of its own.
    val_fraction, test_fraction, split_seed
        Of the stratified split, where the source has none of its own.
    unreadable
        ``refuse`` data with pictures that cannot be read, or ``skip`` these.
    names
        What the names of an ``image_folder``'s files say of person and class: see
        :class:`~fer_lightning.data.file_labels.FileNames`.
    labels, label_mode
        Of ``fer2013``: FER+'s ``fer2013new.csv``, and how its votes become labels.
    cache_dir
        Folder of the cache; ``None`` is the user's cache folder.
    on_device
        Whether all pictures lie on the device that trains, or are sent to it batch by batch; ``auto`` where they take
        at most half of its free memory.
    drawing
        Options of the synthetic faces.
    seed
        Of the order of training faces and of the chosen ``fraction``.
    """

    @checked("data.")
    def __init__(
        self,
        name: Form,
        path: str | None = None,
        *,
        image_size: Count = 48,
        channels: Literal[1, 3] = 1,
        batch_size: Count = 128,
        eval_batch_size: Count = 512,
        fraction: ShareAboveZero = 1.0,
        eval_fraction: ShareAboveZero = 1.0,
        train_on: Literal["train", "train_val"] = "train",
        steps_per_epoch: Count | None = None,
        sampling: Literal["shuffled", "balanced"] = "shuffled",
        exclude: list[Exclusion] | None = None,
        folds: Annotated[int, Field(ge=2)] | None = None,
        fold: CountOrZero | None = None,
        val_fraction: ShareBelowOne = 0.15,
        test_fraction: ShareBelowOne = 0.15,
        split_seed: CountOrZero = 0,
        unreadable: Literal["refuse", "skip"] = "refuse",
        names: str | None = None,
        labels: str | None = None,
        label_mode: LabelMode = "majority",
        cache_dir: str | None = None,
        on_device: Literal["auto"] | bool = "auto",
        drawing: Drawing | None = None,
        seed: CountOrZero = 0,
    ) -> None:
        pl.LightningDataModule.__init__(self)
        source = {
            "image_size": image_size,
            "channels": channels,
            "cache_dir": cache_dir,
            "val_fraction": val_fraction,
            "test_fraction": test_fraction,
            "split_seed": split_seed,
            "unreadable": unreadable,
            "names": names,
            "labels": labels,
            "label_mode": label_mode,
        }
        self._refuse_unused(name, {**source, "path": path, "drawing": drawing})
        ChosenFaces.__init__(
            self,
            name,
            path,
            source,
            drawing or Drawing(),
            fraction=fraction,
            eval_fraction=eval_fraction,
            train_on=train_on,
            exclude=exclude or [],
            folds=folds,
            fold=fold,
            seed=seed,
        )
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.steps_per_epoch, self.sampling, self.on_device = steps_per_epoch, sampling, on_device
        self._ahead = False
        self._tensors: tuple[Tensor, Tensor] | None = None

    @classmethod
    def from_arrays(
        cls,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        ids: np.ndarray | None = None,
        group: np.ndarray | None = None,
        split: np.ndarray | None = None,
        class_names: Sequence[str] | None = None,
        name: str = "arrays",
        **options: Any,
    ) -> FaceDataModule:
        """Make a data module of arrays in memory; what they may be: see :func:`~fer_lightning.data.arrays.arrange`.

        Parameters
        ----------
        options
            Of this class; ``image_size`` and ``channels`` are those of ``images`` unless given.

        Examples
        --------
        >>> images = np.random.default_rng(0).integers(0, 256, (40, 24, 24, 3), np.uint8)
        >>> FaceDataModule.from_arrays(images, np.arange(40) % 2).channels
        3
        """
        check_pictures(images, name)
        own = {"image_size": images.shape[1], "channels": channels_of(images)}
        data = cls("arrays", **(own | options))
        given = {"ids": ids, "group": group, "split": split, "class_names": class_names}
        data.arrays = {"images": images, "labels": labels, "name": name, "where": name, **given}
        return data

    def _refuse_unused(self, form: str, given: Mapping[str, Any]) -> None:
        """Refuse an option of other data than ``form``: whoever gives ``path`` does not mean drawn faces."""
        parameters = signature(type(self)).parameters
        for key in _UNUSED[form]:
            if given[key] != parameters[key].default:
                others = " or ".join(f"data={other}" for other in _UNUSED if key not in _UNUSED[other])
                raise ConfigError(
                    f"data.{key}={shown_value(given[key])}: data={form} does not use it; expected {others}"
                )

    def prepare_data(self) -> None:
        """Build the cache, in one process of each machine."""
        _ = self.faces

    def _on_device(self) -> tuple[Tensor, Tensor]:
        if self._tensors is None:
            device = self.trainer.strategy.root_device if self.trainer is not None else torch.device("cpu")
            # On the CPU this shares the pages of the cache; elsewhere it is the only copy to the device.
            images = as_tensor(self.faces.images)
            self._ahead = not fits(images.nbytes, device, self.on_device)
            self._tensors = (
                images if self._ahead else images.to(device),
                torch.from_numpy(np.array(self.faces.labels)).to(device),
            )
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
            reshuffle=not getattr(trainer, "overfit_batches", 0),
            ahead=self._ahead,
            balanced=train and self.sampling == "balanced",
        )

    def train_dataloader(self) -> BatchLoader:
        """Return the shuffled training batches."""
        return self._loader(self.train_indices, train=True)

    def val_dataloader(self) -> BatchLoader | list[BatchLoader]:
        """Return the validation batches in the order of the source; none when they are trained on."""
        if self.train_on == "train_val":
            return []
        limit = self.trainer.limit_val_batches if self.trainer is not None else 1.0
        return self._loader(self._first_of_all_classes(self.val_indices, limit), train=False)

    def test_dataloader(self) -> BatchLoader:
        """Return the test batches in the order of the source."""
        limit = self.trainer.limit_test_batches if self.trainer is not None else 1.0
        return self._loader(self._first_of_all_classes(self.faces.indices("test"), limit), train=False)

    def _first_of_all_classes(self, chosen: np.ndarray, limit: float) -> np.ndarray:
        """Put faces of all classes into the first batches, to which the trainer limits the evaluation."""
        if limit == 1.0 and isinstance(limit, float):
            return chosen
        batches = limit if isinstance(limit, int) else int(-(-len(chosen) // self.eval_batch_size) * limit)
        first = self.subset(chosen, max(1, batches) * self.eval_batch_size / max(1, len(chosen)))
        mixed = np.random.default_rng(self.source["split_seed"]).permutation(first)
        return np.concatenate([mixed, np.setdiff1d(chosen, first)])

    def split_dataloader(self, split: str) -> BatchLoader:
        """Return the batches of ``train``, ``val`` or ``test`` in the order of the source."""
        return self._loader(self.faces.indices(split), train=False)
