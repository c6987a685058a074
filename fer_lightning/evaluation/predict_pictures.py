"""The logits of labelled pictures, by any classifier."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from fer_lightning.data.labelled_pictures import LabelledPictures, SplitPictures
from fer_lightning.evaluation.evaluate import predict_split
from fer_lightning.messages import progress
from fer_lightning.runs.predictions import Predictions
from fer_lightning.training.contract import is_trained_here


def predict_pictures(model: nn.Module, pictures: LabelledPictures) -> Predictions:
    """Return the logits of all pictures in their order.

    Parameters
    ----------
    model
        Maps levels 0–255 ``[N, C, H, W]`` to logits ``[N, K]``, in evaluation mode.
    """
    if is_trained_here(model) and isinstance(pictures, SplitPictures):
        return predict_split(model, pictures.data, pictures.split)  # which checks that they fit
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    with torch.no_grad():
        parts = [
            model(images.to(device).float()).float().cpu().numpy()
            for images, _, _ in progress(pictures.batches(), f"{pictures.split} pictures")
        ]
    return Predictions(np.concatenate(parts), pictures.labels, pictures.ids, pictures.class_names)
