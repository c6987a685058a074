"""Every saliency method by name, and the one way to call them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fer_lightning.errors import ConfigError, DataError, nearest
from fer_lightning.explain.saliency_methods.attribution import Attribution, Method
from fer_lightning.explain.saliency_methods.controls import Random, Sobel
from fer_lightning.explain.saliency_methods.grad_cam import GradCAM
from fer_lightning.explain.saliency_methods.gradient import Gradient, SmoothGrad
from fer_lightning.explain.saliency_methods.integrated_gradients import IntegratedGradients
from fer_lightning.explain.saliency_methods.occlusion import Occlusion
from fer_lightning.explain.undisturbed import device_of, undisturbed
from fer_lightning.messages import progress

METHODS: dict[str, Callable[..., Method]] = {
    each.name: each for each in (Gradient, SmoothGrad, IntegratedGradients, GradCAM, Occlusion)
}
CONTROLS: dict[str, Callable[..., Method]] = {each.name: each for each in (Random, Sobel)}


def make_method(method: str | Method, **options: Any) -> Method:
    """Return the method of this name with these options; a method is returned as it is.

    Raises
    ------
    ConfigError
        The name is unknown, or an option is.
    """
    if not isinstance(method, str):
        if options:
            raise ConfigError(
                f"{', '.join(options)}: settings go with the name of a method; expected them in the constructor of "
                f"{type(method).__name__}"
            )
        return method
    known = METHODS | CONTROLS
    if method not in known:
        raise ConfigError(f"method={method}: no such saliency method; {nearest(method, METHODS)}")
    try:
        return known[method](**options)
    except TypeError as error:
        raise ConfigError(f"method={method}: {str(error).partition(' ')[2]}") from error


def attributions(
    model: nn.Module,
    images: Tensor | np.ndarray,
    targets: Tensor | np.ndarray | Sequence[int] | None = None,
    method: str | Method = "gradient",
    *,
    batch_size: int = 64,
    seed: int = 0,
) -> Attribution:
    """Say how much each pixel of each face counts for a class; the model is left as it was.

    Parameters
    ----------
    model
        Levels float ``[N, C, H, W]`` to logits.
    images
        ``[N, C, H, W]`` of any kind of number, levels 0–255, grey (C = 1) or colour; they go to the model's
        device batch by batch.
    targets
        int ``[N]``: the class each face is asked about; ``None`` is the class that the model predicts.
    method
        A name of ``METHODS`` or ``CONTROLS`` with its defaults, or a method.
    batch_size
        Faces in one pass.
    seed
        Of the methods that draw noise.

    Returns
    -------
    Attribution
        On the CPU.

    Raises
    ------
    ConfigError
        The method is unknown, or does not go with this network.
    DataError
        Images or targets have another shape.
    """
    method = make_method(method)
    faces = torch.as_tensor(images)
    if faces.ndim != 4 or 0 in faces.shape:
        raise DataError(f"images of shape {tuple(faces.shape)}: expected [N, C, H, W] with at least one")
    wanted = None if targets is None else torch.as_tensor(targets).long()
    if wanted is not None and wanted.shape != faces.shape[:1]:
        raise DataError(
            f"targets of shape {tuple(wanted.shape)}: expected one for each of {len(faces)} images"
        )
    device = device_of(model)
    values, errors, asked = [], [], []
    with undisturbed(model), torch.inference_mode(False), torch.enable_grad():
        torch.manual_seed(seed)
        for start in progress(range(0, len(faces), batch_size), "saliency"):
            # A copy: tensors made in inference mode take no gradients.
            batch = faces[start : start + batch_size].to(device, torch.float32, copy=True)
            if wanted is None:
                with torch.no_grad():
                    classes = model(batch).argmax(1)
            else:
                classes = wanted[start : start + batch_size].to(device)
            signed, error = method.attribute(model, batch, classes)
            values.append(signed.detach().float().cpu())
            asked.append(classes.cpu())
            errors.append(None if error is None else error.detach().float().cpu())
    known = [error for error in errors if error is not None]
    return Attribution(
        signed=torch.cat(values).numpy(),
        targets=torch.cat(asked).numpy(),
        method=method.name,
        settings=method.settings,
        display=method.display,
        completeness_error=torch.cat(known).numpy() if known else None,
    )
