"""The Lightning data module: faces from the cache, on the device, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from inspect import signature
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from fer_lightning.config.values import Count, CountOrZero, ShareAboveZero, ShareBelowOne, checked
from fer_lightning.data.arrays import arrange, as_faces, check_pictures
from fer_lightning.data.duplicates import Exclusion, exclusion_mask, has_training_copy
from fer_lightning.data.faces import Faces, Selection, as_tensor, channels_of
from fer_lightning.data.fer_plus import LabelMode
from fer_lightning.data.loader import BatchLoader
from fer_lightning.data.near_copies import NEAR_SIZE, has_near_copy
from fer_lightning.data.placement import fits
from fer_lightning.data.reading import Reading
from fer_lightning.data.source import load_faces
from fer_lightning.data.splits import Splitting, stratified_fraction
from fer_lightning.data.synthetic import Drawing, synthetic_faces
from fer_lightning.errors import ConfigError
from fer_lightning.messages import say_once

# Options that say nothing of the faces of a source.
_UNUSED = {
    "synthetic": ("path", "val_fraction", "test_fraction", "unreadable", "names", "labels", "label_mode"),
    "fer2013": ("names", "drawing"),
    "image_folder": ("drawing", "labels", "label_mode"),
    "arrays": ("drawing", "labels", "label_mode", "names", "unreadable"),
    "file_list": ("drawing", "labels", "label_mode", "names"),
}


class FaceDataModule(pl.LightningDataModule):
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
    exclude
        Kinds of faces left out of training: ``leaked`` (copies of validation or test faces), ``duplicates``,
        ``conflicting`` (copies under different labels), ``blank``, ``nearly_leaked`` (near copies of validation
        or test faces, exact ones included).
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
        name: Literal["synthetic", "fer2013", "image_folder", "arrays", "file_list"],
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
        exclude: list[Exclusion] | None = None,
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
        super().__init__()
        self.source: dict[str, Any] = {
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
        self._refuse_unused(name, {**self.source, "path": path, "drawing": drawing})
        self.drawing = drawing or Drawing()
        self.form, self.path = name, path
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.fraction, self.eval_fraction = fraction, eval_fraction
        self.train_on, self.steps_per_epoch = train_on, steps_per_epoch
        self.exclude, self.seed, self.on_device = list(exclude or []), seed, on_device
        self._ahead = False
        self._arrays: dict[str, Any] | None = None
        self._faces: Faces | None = None
        self._tensors: tuple[Tensor, Tensor] | None = None
        self._train_indices: np.ndarray | None = None

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
        data._arrays = {"images": images, "labels": labels, "name": name, "where": name, **given}
        return data

    def _refuse_unused(self, form: str, given: Mapping[str, Any]) -> None:
        """Refuse an option of other data than ``form``: whoever gives ``path`` does not mean drawn faces."""
        parameters = signature(type(self)).parameters
        for key in _UNUSED[form]:
            if given[key] != parameters[key].default:
                others = " or ".join(f"data={other}" for other in _UNUSED if key not in _UNUSED[other])
                raise ConfigError(f"data.{key}={given[key]}: data={form} does not use it; expected {others}")

    @property
    def faces(self) -> Faces:
        """All faces of the source, memory-mapped; read on first use."""
        if self._faces is None:
            self._faces = self._load(self.image_size, self.channels)
            for note in self._faces.notes:
                say_once(f"{self._faces.name}: {note}")
            if left_out := len(self._faces.unreadable):
                say_once(
                    f"{self._faces.name}: {left_out:,} pictures cannot be read and are left out; "
                    "a run lists them in unreadable.txt"
                )
        return self._faces

    def _load(self, image_size: int, channels: int) -> Faces:
        wanted: dict[str, Any] = {"image_size": image_size, "channels": channels}
        if self.form == "synthetic":
            return synthetic_faces(cache_dir=self.source["cache_dir"], **wanted, **self.drawing)
        if self._arrays is not None:
            splitting = Splitting(
                *(self.source[key] for key in ("val_fraction", "test_fraction", "split_seed"))
            )
            return as_faces(arrange(**self._arrays, how=Reading(image_size, splitting, channels=channels)))
        return load_faces(self.form, self.path, **(self.source | wanted))

    def _compared_images(self) -> np.ndarray:
        """All faces in grey at the size at which near copies are told, whatever a model sees: uint8 ``[N, H, W]``."""
        told = self.image_size == NEAR_SIZE and self.channels == 1
        return (self.faces if told else self._load(NEAR_SIZE, channels=1)).images

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
        chosen = self.subset(chosen, self.fraction)
        if len(chosen) == 0:
            raise ConfigError(f"data.fraction={self.fraction}, data.exclude={self.exclude}: no face is left")
        return chosen

    @cached_property
    def val_indices(self) -> np.ndarray:
        """Positions of the faces that are validated on, int64 ``[M]``, in the order of the source.

        Raises
        ------
        ConfigError
            There are none.
        """
        chosen = self.faces.indices("val")
        if self.train_on == "train" and not len(chosen):
            raise ConfigError(
                f"data.val_fraction={self.source['val_fraction']}: the data have no validation split; expected a share "
                "above 0 of the training faces, or data.train_on=train_val to train without validation"
            )
        return self.subset(chosen, self.eval_fraction)

    def subset(self, chosen: np.ndarray, share: float) -> np.ndarray:
        """Return a share of faces by their positions, drawn over the classes by ``split_seed``, ascending."""
        if share >= 1 or not len(chosen):
            return chosen
        return stratified_fraction(chosen, self.faces.labels, share, self.source["split_seed"])

    @property
    def num_classes(self) -> int:
        """Number of classes of the source."""
        return len(self.faces.class_names)

    @property
    def image_size(self) -> int:
        """Height and width of a face in pixels."""
        return int(self.source["image_size"])

    @property
    def channels(self) -> int:
        """1 for grey faces, 3 for colour."""
        return int(self.source["channels"])

    def training_images(self) -> Selection:
        """Return the faces that are trained on, ``[M, H, W]`` or ``[M, H, W, 3]``, without loading them."""
        return Selection(self.faces.images, self.train_indices)

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
        chosen, known = (Selection(images, rows) for rows in (faces.indices(split), self._indices_of(splits)))
        return has_near_copy(chosen, known)

    def _indices_of(self, splits: Iterable[str]) -> np.ndarray:
        found = [self.faces.indices(split) for split in splits]
        return np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)

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
