"""What is explained: a classifier, the split it is looked at on, and a person's own pictures."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.data.label import data_label
from fer_lightning.data.pictures import Pictures
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.evaluation.evaluate import predict_split
from fer_lightning.messages import progress
from fer_lightning.runs.predictions import Predictions
from fer_lightning.training.module import ExpressionClassifier


class Subject:
    """A classifier and the faces it is explained on.

    Parameters
    ----------
    module
        Grey levels ``[N, 1, H, W]`` to logits ``[N, C]``; a function is called when the module is first needed.
    data
        Its data; ``None`` where only own pictures are looked at.
    split
        ``train``, ``val`` or ``test``.
    own
        A person's own pictures.
    compared
        Another classifier of the same classes, whose confusions are set beside.
    epoch, best
        Number of the epoch that the weights are of, from 1, and whether it is the best one; for titles.
    predict
        Returns the predictions, of all of the split's faces or of some, in their order; without it the whole split is
        predicted.
    """

    def __init__(
        self,
        module: ExpressionClassifier | Callable[[], ExpressionClassifier],
        data: FaceDataModule | None = None,
        split: str = "val",
        own: Pictures | None = None,
        compared: ExpressionClassifier | None = None,
        *,
        epoch: int | None = None,
        best: bool = False,
        predict: Callable[[Subject], Predictions] | None = None,
    ) -> None:
        self._module, self._predict = module, predict
        self.data, self.split, self.own, self.compared = data, split, own, compared
        self.epoch, self.best = epoch, best

    @cached_property
    def module(self) -> ExpressionClassifier:
        """The classifier."""
        return self._module if isinstance(self._module, ExpressionClassifier) else self._module()

    @property
    def weights(self) -> str:
        """Which epoch the weights are of, such as ``best epoch 4``; empty where that is unknown."""
        return "" if self.epoch is None else f"{'best epoch' if self.best else 'epoch'} {self.epoch}"

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the logits."""
        return self.module.class_names

    @property
    def image_size(self) -> int:
        """Height and width that the network takes, in pixels."""
        return int(self.module.record["image_size"])

    @property
    def blank(self) -> Tensor:
        """A black picture as the network takes it, float32 ``[1, C, H, W]``."""
        channels = int(self.module.record.get("channels", 1))
        return torch.zeros(1, channels, self.image_size, self.image_size, device=self.device)

    @property
    def device(self) -> torch.device:
        """Where the network lies."""
        return next(self.module.parameters()).device

    @property
    def datamodule(self) -> FaceDataModule:
        """The data.

        Raises
        ------
        DataError
            There are none.
        """
        if self.data is None:
            raise DataError("needs the faces that the model was trained on, and they are not there")
        return self.data

    @property
    def synthetic(self) -> bool:
        """Whether the faces, or those the model was trained on, were drawn by a program."""
        drawn = bool(self.module.record.get("data", {}).get("synthetic"))
        return drawn or (self.data is not None and self.data.faces.synthetic)

    @property
    def title(self) -> str:
        """Data, split and epoch, for a figure."""
        faces = self.datamodule.faces
        parts = (data_label(faces.name, faces.synthetic), self.split, self.weights)
        return ", ".join(part for part in parts if part)

    @cached_property
    def predictions(self) -> Predictions:
        """Logits of the split's faces, in their order."""
        if self._predict is not None:
            return self._predict(self)
        return predict_split(self.module, self.datamodule, self.split)

    @cached_property
    def positions(self) -> np.ndarray:
        """Where the split's faces, or those of them that are predicted, lie among all faces, int64 ``[N]``."""
        faces = self.datamodule.faces
        chosen = faces.indices(self.split)
        ids = None if self._predict is None else self.predictions.ids
        if ids is None or len(ids) == len(chosen):
            return chosen
        # FER2013 has files of one name in two classes.
        wanted = set(zip(ids.tolist(), self.predictions.labels.tolist(), strict=True))
        names = zip(faces.ids[chosen].tolist(), faces.labels[chosen].tolist(), strict=True)
        return chosen[[name in wanted for name in names]]

    def rows_of(self, ids: Sequence[str]) -> np.ndarray:
        """Return the rows of faces in :attr:`predictions` by their ids, int64 ``[len(ids)]``.

        Raises
        ------
        ConfigError
            The split has no such face; the message names the nearest.
        """
        if not ids:
            return np.zeros(0, np.int64)
        known = {
            str(name): row for row, name in enumerate(np.asarray(self.datamodule.faces.ids)[self.positions])
        }
        for name in ids:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"the first is {next(iter(known))}"
                raise ConfigError(f"ids={name}: the {self.split} split has no such face; {hint}")
        return np.array([known[name] for name in ids], np.int64)

    def images(self, rows: np.ndarray) -> np.ndarray:
        """Return faces by their rows in :attr:`predictions`, uint8 ``[N, H, W]``."""
        return np.asarray(self.datamodule.faces.images[self.positions[rows]])

    def tensor(self, images: np.ndarray) -> Tensor:
        """Return ``[N, H, W]`` as the network takes them, float32 ``[N, 1, H, W]`` on its device."""
        return torch.from_numpy(np.ascontiguousarray(images)).unsqueeze(1).float().to(self.device)

    def batches(self) -> Iterable[tuple[Tensor, Tensor, Tensor]]:
        """Return the split's images, labels and positions batch by batch."""
        batches = self.datamodule.split_dataloader(self.split)
        for images, labels, positions in progress(batches, f"{self.split} faces"):
            yield images.float().to(self.device), labels, positions
