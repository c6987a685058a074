"""What is explained: a classifier, the pictures it is looked at on, and a person's own pictures."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fer_lightning.data.label import data_label
from fer_lightning.data.labelled_pictures import LabelledPictures
from fer_lightning.data.picture_arrays import as_tensor
from fer_lightning.data.pictures import Pictures
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.evaluation.predict_pictures import predict_pictures
from fer_lightning.explain.image_parameters import Channels
from fer_lightning.explain.undisturbed import device_of
from fer_lightning.messages import progress
from fer_lightning.runs.predictions import Predictions


class Subject:
    """A classifier and the pictures it is explained on.

    Parameters
    ----------
    module
        Levels 0–255 ``[N, C, H, W]`` to logits ``[N, K]``; a function is called when the module is first needed. It
        may have ``class_names``, and the ``record`` that says what it was trained on.
    pictures
        Those it is looked at on; ``None`` where only own pictures are looked at.
    own
        A person's own pictures.
    compared
        Another classifier of the same classes, whose confusions are set beside.
    epoch, best
        Number of the epoch that the weights are of, from 1, and whether it is the best one; for titles.
    predict
        Returns the predictions, of all of the pictures or of some, in their order; without it all are predicted.
    """

    def __init__(
        self,
        module: nn.Module | Callable[[], nn.Module],
        pictures: LabelledPictures | None = None,
        own: Pictures | None = None,
        compared: nn.Module | None = None,
        *,
        epoch: int | None = None,
        best: bool = False,
        predict: Callable[[Subject], Predictions] | None = None,
    ) -> None:
        self._module, self._predict = module, predict
        self.known_pictures, self.own, self.compared = pictures, own, compared
        self.epoch, self.best = epoch, best

    @cached_property
    def module(self) -> nn.Module:
        """The classifier."""
        return self._module if isinstance(self._module, nn.Module) else self._module()

    @property
    def record(self) -> dict[str, Any]:
        """What the classifier says of its training; empty where it says nothing."""
        return getattr(self.module, "record", {})

    @property
    def weights(self) -> str:
        """Which epoch the weights are of, such as ``best epoch 4``; empty where that is unknown."""
        return "" if self.epoch is None else f"{'best epoch' if self.best else 'epoch'} {self.epoch}"

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the logits."""
        known = getattr(self.module, "class_names", None)
        return tuple(self.pictures.class_names if known is None else known)

    @cached_property
    def _shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a picture."""
        if "image_size" in self.record:
            size = int(self.record["image_size"])
            return int(self.record.get("channels", 1)), size, size
        _, channels, height, width = as_tensor(self.pictures.images(np.zeros(1, np.int64))).shape
        return channels, height, width

    @property
    def channels(self) -> Channels:
        """1 where the network takes grey pictures, 3 for colour."""
        return 3 if self._shape[0] == 3 else 1

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width that the network takes, in pixels."""
        return self._shape[1:]

    @property
    def blank(self) -> Tensor:
        """A black picture as the network takes it, float32 ``[1, C, H, W]``."""
        return torch.zeros(1, *self._shape, device=self.device)

    @property
    def device(self) -> torch.device:
        """Where the network lies."""
        return device_of(self.module)

    @property
    def pictures(self) -> LabelledPictures:
        """The pictures.

        Raises
        ------
        DataError
            There are none.
        """
        if self.known_pictures is None:
            raise DataError("needs the images that the model was trained on, and they are not there")
        return self.known_pictures

    @property
    def synthetic(self) -> bool:
        """Whether the pictures, or those the model was trained on, were drawn by a program."""
        drawn = bool(self.record.get("data", {}).get("synthetic"))
        return drawn or (self.known_pictures is not None and self.known_pictures.synthetic)

    @property
    def title(self) -> str:
        """Data, split and epoch, for a figure."""
        pictures = self.pictures
        parts = (data_label(pictures.name, pictures.synthetic), pictures.split, self.weights)
        return ", ".join(part for part in parts if part)

    @cached_property
    def predictions(self) -> Predictions:
        """Logits of the pictures, in their order."""
        if self._predict is not None:
            return self._predict(self)
        return predict_pictures(self.module, self.pictures)

    @cached_property
    def positions(self) -> np.ndarray:
        """Which of the pictures are predicted, by their positions, int64 ``[N]``."""
        every = np.arange(len(self.pictures.labels))
        ids = self.predictions.ids
        if ids is None or len(ids) == len(every):
            return every
        # FER2013 has files of one name in two classes.
        wanted = set(zip(ids.tolist(), self.predictions.labels.tolist(), strict=True))
        names = zip(self.pictures.ids.tolist(), self.pictures.labels.tolist(), strict=True)
        return every[[name in wanted for name in names]]

    def rows_of(self, ids: Sequence[str]) -> np.ndarray:
        """Return the rows of pictures in :attr:`predictions` by their ids, int64 ``[len(ids)]``.

        Raises
        ------
        ConfigError
            There is no such picture; the message names the nearest.
        """
        if not ids:
            return np.zeros(0, np.int64)
        known = {str(name): row for row, name in enumerate(self.pictures.ids[self.positions])}
        for name in ids:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"the first is {next(iter(known))}"
                raise ConfigError(f"ids={name}: the {self.pictures.split} split has no such face; {hint}")
        return np.array([known[name] for name in ids], np.int64)

    def images(self, rows: np.ndarray) -> np.ndarray:
        """Return pictures by their rows in :attr:`predictions`, uint8 ``[N, H, W]`` or ``[N, H, W, 3]``."""
        return self.pictures.images(self.positions[rows])

    def tensor(self, images: np.ndarray) -> Tensor:
        """Return pictures as the network takes them, float32 ``[N, C, H, W]`` on its device."""
        return as_tensor(np.ascontiguousarray(images)).float().to(self.device)

    def batches(self) -> Iterable[tuple[Tensor, Tensor, Tensor]]:
        """Return all pictures, predicted or not, with labels and positions, batch by batch."""
        for images, labels, positions in progress(self.pictures.batches(), f"{self.pictures.split} images"):
            yield images.float().to(self.device), labels, positions
