"""`predict`: class probabilities of pictures, from files or arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fer_lightning.api.evaluated import Checkpoint, checkpoint_paths
from fer_lightning.config.values import Processors, checked
from fer_lightning.data.pictures import read_pictures
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.evaluation.fitted_temperature import Temperature, temperatures_of
from fer_lightning.evaluation.picture_predictions import PicturePredictions, load_ensemble, probabilities


@checked()
def predict(
    checkpoint: Checkpoint | Sequence[Checkpoint],
    images: str | Path | Sequence[str | Path] | np.ndarray,
    *,
    temperature: Temperature | None = None,
    threads: Processors | None = None,
) -> PicturePredictions:
    """Return the class probabilities of pictures.

    Parameters
    ----------
    checkpoint
        A file or a `Run`; of several the probabilities are averaged.
    images
        Files, folders and patterns such as ``"faces/*.png"``, of any size and colour; or levels of pictures of the size
        that the model was trained on, uint8 ``[N, H, W]``, for a model of colour pictures also ``[N, H, W, 3]``.
    temperature
        A number by which the logits are divided before the softmax: above 1, all classes become more equal. "fitted"
        takes the one with which each checkpoint's run is calibrated on its validation faces.
    threads
        Of the processor.

    Raises
    ------
    UserError
        A checkpoint cannot be read, the models do not go together, or none of the pictures can be read.

    Examples
    --------
    >>> found = predict("runs/one/checkpoints/best.ckpt", ["me.png", "faces/"])  # doctest: +SKIP
    >>> found.predicted, found.probabilities  # doctest: +SKIP
    """
    found = predict_readable(checkpoint, images, threads, temperature)
    if not found.names:
        raise DataError(f"predict: none of the pictures could be read ({'; '.join(found.skipped)})")
    return found


def predict_readable(
    checkpoint: Checkpoint | Sequence[Checkpoint],
    images: str | Path | Sequence[str | Path] | np.ndarray,
    threads: Processors | None = None,
    temperature: Temperature | None = None,
) -> PicturePredictions:
    """Return the same, also where none of the pictures can be read."""
    words = [images] if isinstance(images, (str, Path)) else images
    if len(words) == 0:
        raise ConfigError("predict: expected at least one picture, folder or pattern")
    if threads:
        torch.set_num_threads(threads)
    paths = checkpoint_paths(checkpoint)
    modules = load_ensemble(paths)
    at = temperatures_of(paths, temperature)
    size, channels = int(modules[0].record["image_size"]), int(modules[0].record.get("channels", 1))
    about = _about(modules) | {"temperatures": at}
    if isinstance(words, np.ndarray):
        faces = _faces(words, size, channels)
        names = tuple(map(str, range(len(faces))))
        found = probabilities(modules, faces, at)
        return PicturePredictions(names, probabilities=found, notes=_said(at), **about)
    pictures = read_pictures(words, size, channels)
    return PicturePredictions(
        tuple(map(str, pictures.paths)),
        probabilities=probabilities(modules, pictures.images, at) if pictures.paths else np.zeros((0, 0)),
        skipped=pictures.problems,
        notes=(*_said(at), *pictures.notes),
        **about,
    )


def _about(modules: Sequence[Any]) -> dict[str, Any]:
    return {
        "class_names": tuple(modules[0].class_names),
        "models": len(modules),
        "synthetic": any(bool(module.record.get("data", {}).get("synthetic")) for module in modules),
    }


def _said(temperatures: Sequence[float]) -> tuple[str, ...]:
    if not temperatures:
        return ()
    shown = dict.fromkeys(f"{value:.4g}" for value in temperatures)
    return (f"probabilities at temperature {', '.join(shown)}",)


def _faces(images: np.ndarray, size: int, channels: int) -> np.ndarray:
    """Return levels as the model takes them; grey ones of a model of colour in three equal channels, as of a file."""
    shape = (size, size) if channels == 1 else (size, size, channels)
    if channels > 1 and images.shape[1:] == (size, size):
        images = np.repeat(images[..., None], channels, axis=-1)
    if images.dtype != np.uint8 or images.shape[1:] != shape:
        raise DataError(
            f"images: {images.dtype} of shape {list(images.shape)}; expected uint8 [N, {', '.join(map(str, shape))}]"
        )
    return np.ascontiguousarray(images)
