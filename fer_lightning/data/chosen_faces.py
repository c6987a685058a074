"""The faces of one source that a run is trained and validated on, and those of which training has seen a copy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from fer_lightning.data.arrays import arrange, as_faces
from fer_lightning.data.duplicates import Exclusion, exclusion_mask, has_training_copy
from fer_lightning.data.faces import Faces
from fer_lightning.data.folds import fold_splits
from fer_lightning.data.near_copies import NEAR_SIZE, has_near_copy
from fer_lightning.data.nearest_faces import nearest_faces
from fer_lightning.data.picture_arrays import Selection
from fer_lightning.data.reading import Reading
from fer_lightning.data.source import load_faces
from fer_lightning.data.splits import Splitting, stratified_fraction
from fer_lightning.data.synthetic import Drawing, synthetic_faces
from fer_lightning.errors import ConfigError
from fer_lightning.messages import counted, say_once

Form = Literal["synthetic", "fer2013", "image_folder", "arrays", "file_list"]
"""What faces are read from, as ``data.name`` says it."""


class ChosenFaces:
    """Faces of one source, split and thinned out as asked; see `FaceDataModule` for the values.

    Parameters
    ----------
    form, path, drawing
        What the faces are read from, or how they are drawn.
    source
        How they are read: ``image_size``, ``channels``, ``cache_dir``, ``val_fraction``, ``test_fraction``,
        ``split_seed``, ``unreadable``, ``names``, ``labels`` and ``label_mode``.
    fraction, eval_fraction, train_on, exclude
        Which of them are trained and validated on.
    folds, fold, seed
        Of a cross-validation, and the seed of its folds beside ``split_seed``; see `fold_splits`.

    Attributes
    ----------
    arrays
        What :func:`~fer_lightning.data.arrays.arrange` takes, for faces that were given as arrays; else None.
    """

    arrays: Mapping[str, Any] | None = None

    def __init__(
        self,
        form: Form,
        path: str | None,
        source: Mapping[str, Any],
        drawing: Drawing,
        *,
        fraction: float,
        eval_fraction: float,
        train_on: str,
        exclude: Iterable[Exclusion],
        folds: int | None = None,
        fold: int | None = None,
        seed: int = 0,
    ) -> None:
        self.form: Form = form
        self.path, self.source, self.drawing = path, dict(source), drawing
        self.fraction, self.eval_fraction = fraction, eval_fraction
        self.train_on, self.exclude = train_on, list(exclude)
        self.folds, self.fold, self.seed = folds, fold, seed
        self._check_folds()
        self._faces: Faces | None = None
        self._train_indices: np.ndarray | None = None

    def _check_folds(self) -> None:
        folds, given = f"data.folds={self.folds}", f"data.fold={self.fold}"
        if self.folds is None:
            if self.fold is not None:
                raise ConfigError(f"{given}: expected data.folds=…, the number of folds, beside it")
            return
        if self.fold is None:
            raise ConfigError(
                f"{folds}: expected data.fold=…, from 0 to {self.folds - 1}, beside it, or an ablation, which runs "
                "every arm on each fold"
            )
        if self.fold >= self.folds:
            raise ConfigError(f"{given}: expected a number from 0 to {self.folds - 1}, for {folds}")
        if self.train_on != "train":
            raise ConfigError(f"data.train_on={self.train_on}: {folds} validates on a fold; expected train")

    @property
    def faces(self) -> Faces:
        """All faces of the source, memory-mapped; read on first use."""
        if self._faces is None:
            self._faces = self._folded(self._load(self.image_size, self.channels))
            for note in self._faces.notes:
                say_once(f"{self._faces.name}: {note}")
            if self.folds is not None:
                train, val = (len(self._faces.indices(split)) for split in ("train", "val"))
                say_once(
                    f"{self._faces.name}: fold {self.fold} of {self.folds} is validated on: of the {train + val:,} "
                    f"training and validation faces, {train:,} are trained on and {val:,} validated on"
                )
            if left_out := len(self._faces.unreadable):
                say_once(
                    f"{self._faces.name}: left out, for they cannot be read: {counted(left_out, 'picture')}, "
                    "listed in the run's unreadable.txt"
                )
        return self._faces

    def _folded(self, faces: Faces) -> Faces:
        if self.folds is None or self.fold is None:
            return faces
        splits = fold_splits(
            faces.splits,
            faces.labels,
            faces.group,
            faces.class_names,
            folds=self.folds,
            fold=self.fold,
            seed=(self.source["split_seed"], self.seed),
        )
        return replace(faces, splits=splits)

    def _load(self, image_size: int, channels: int) -> Faces:
        wanted: dict[str, Any] = {"image_size": image_size, "channels": channels}
        if self.form == "synthetic":
            return synthetic_faces(cache_dir=self.source["cache_dir"], **wanted, **self.drawing)
        if self.arrays is not None:
            shares = (self.source[key] for key in ("val_fraction", "test_fraction", "split_seed"))
            return as_faces(
                arrange(**self.arrays, how=Reading(image_size, Splitting(*shares), channels=channels))
            )
        return load_faces(self.form, self.path, **(self.source | wanted))

    def _compared_images(self) -> np.ndarray:
        """All images at the size at which near copies are told, in the channels that a model sees.

        uint8 ``[N, H, W]`` or ``[N, H, W, 3]``.
        """
        return (self.faces if self.image_size == NEAR_SIZE else self._load(NEAR_SIZE, self.channels)).images

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

    def nearest_in_training(self, split: str, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return for each face of ``split`` the training faces that look most like it: see :func:`nearest_faces`.

        Returns
        -------
        tuple
            int64 ``[N, count]``, positions among all faces of the source; float32 ``[N, count]``, correlations of the
            pixels, falling. Whatever share of :attr:`training_splits` was trained on, all their faces count.
        """
        images, known = self._compared_images(), self._indices_of(self.training_splits)
        chosen = Selection(images, self.faces.indices(split))
        found, correlations = nearest_faces(chosen, Selection(images, known), count)
        return known[found], correlations

    def _indices_of(self, splits: Iterable[str]) -> np.ndarray:
        found = [self.faces.indices(split) for split in splits]
        return np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)
