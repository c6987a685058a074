"""Explanations as functions of any network and pictures of any range; `fer_lightning.explain` exports them.

All of them share one convention of shapes. Pictures are NumPy arrays ``[N, H, W]`` (grey) or ``[N, H, W, 3]`` (RGB), or
tensors ``[N, C, H, W]``, as the network takes them but for the layout. Maps are float32 ``[N, H, W]``, whatever the
channels. ``input_range`` says what is black and what is white: two numbers, or two sequences of one a channel, such as
`standardized_range` returns; by default what `range_of` makes of the pictures. Within, everything is in levels 0–255,
and so are the settings of methods (``sigma``, ``fill``) and the pictures that are returned. Networks are left as they
were: mode, weights, buffers, gradients and random states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fer_lightning.data.input_range import InputRange, Scale, range_of, taking_levels
from fer_lightning.data.picture_arrays import as_tensor
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.explain import activation_maximization, class_image_ascent, layer_outputs
from fer_lightning.explain.activation_maximization import Ascent
from fer_lightning.explain.class_image_ascent import ClassImages
from fer_lightning.explain.image_parameters import Channels
from fer_lightning.explain.lime_explanation import Lime, LimeExplanation
from fer_lightning.explain.region_effects import RegionEffects
from fer_lightning.explain.region_occlusion import RegionOcclusion
from fer_lightning.explain.saliency_methods import Attribution, Method, attributions, make_method
from fer_lightning.explain.trust_checks import TrustReport, TrustRules, check_trust, count_classes
from fer_lightning.explain.undisturbed import device_of

Pictures = np.ndarray | Tensor


def in_levels(
    model: nn.Module, pictures: Pictures, input_range: InputRange | None = None
) -> tuple[nn.Module, Tensor]:
    """Return the network as one that takes levels, and the pictures as levels ``[N, C, H, W]``.

    Raises
    ------
    DataError
        The pictures are no pictures.
    """
    shape = tuple(pictures.shape)
    array = isinstance(pictures, np.ndarray)
    if array and (len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)):
        images = as_tensor(np.ascontiguousarray(pictures))
    else:
        images = torch.as_tensor(pictures)
    if images.ndim != 4 or 0 in images.shape or (array and len(shape) == 4 and shape[3] != 3):
        expected = "[N, H, W] or [N, H, W, 3]" if array else "[N, C, H, W]"
        raise DataError(f"pictures of shape {shape}: expected {expected} with at least one")
    images = images.detach()
    scale = Scale.of(range_of(images) if input_range is None else input_range)
    return taking_levels(model, scale), scale.levels(images)


def saliency(
    model: nn.Module,
    images: Pictures,
    *,
    method: str | Method = "gradient",
    targets: Tensor | np.ndarray | Sequence[int] | None = None,
    input_range: InputRange | None = None,
    batch_size: int = 64,
    seed: int = 0,
    **settings: Any,
) -> Attribution:
    """Say how much each pixel of each picture counts for a class.

    Parameters
    ----------
    model
        Maps pictures to logits ``[N, K]``.
    method
        ``gradient``, ``smoothgrad``, ``integrated_gradients``, ``grad_cam`` or ``occlusion``, or a method.
    targets
        int ``[N]``: the class each picture is asked about; by default the one that the model predicts.
    settings
        Of the method, such as ``samples=50`` of ``smoothgrad``.

    Returns
    -------
    Attribution
        ``maps`` and ``signed``, float32 ``[N, H, W]``, and the ``targets``.

    Examples
    --------
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
    >>> saliency(net, torch.rand(5, 3, 8, 8), method="occlusion", window=4).maps.shape
    (5, 8, 8)
    """
    network, levels = in_levels(model, images, input_range)
    chosen = make_method(method, **settings)
    return attributions(network, levels, targets, chosen, batch_size=batch_size, seed=seed)


def trust(
    model: nn.Module,
    images: Pictures,
    targets: Tensor | np.ndarray,
    methods: Sequence[str | Method] | None = None,
    rules: TrustRules | None = None,
    *,
    input_range: InputRange | None = None,
    batch_size: int = 64,
) -> TrustReport:
    """Check whether saliency shows what the network does, beside noise and edges; see `check_trust`.

    Parameters
    ----------
    images, targets
        Pictures that the model classifies correctly, some fifty of them, and the class of each.
    methods
        Names or methods; by default all that go with the network.
    rules
        Settings and thresholds.
    """
    network, levels = in_levels(model, images, input_range)
    return check_trust(network, levels, np.asarray(targets), methods, rules, batch_size=batch_size)


def lime(
    model: nn.Module, images: Pictures, *, input_range: InputRange | None = None, **settings: Any
) -> list[LimeExplanation]:
    """Explain each picture by its superpixels, for all classes; ``settings`` are those of `Lime`.

    Examples
    --------
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 24 * 24, 2))
    >>> (found,) = lime(net, torch.rand(1, 3, 24, 24), superpixels=9)
    >>> found.map(label=0).shape
    (24, 24)
    """
    network, levels = in_levels(model, images, input_range)
    explain = Lime(**settings)
    return [explain(network, image.to(device_of(network))) for image in levels]


def regions(
    model: nn.Module,
    images: Pictures,
    labels: np.ndarray | Tensor | Sequence[int],
    class_names: Sequence[str] | None = None,
    *,
    input_range: InputRange | None = None,
    **settings: Any,
) -> RegionEffects:
    """Measure what covering regions of pictures costs each class; ``settings`` are those of `RegionOcclusion`.

    ``boxes={"left": [[0, 0, 48, 24]]}, size=48`` names the regions as boxes ``[top, bottom, left, right]`` in pixels of
    a square of ``size``; by default they are those of a face.
    """
    network, levels = in_levels(model, images, input_range)
    known = np.asarray(labels)
    names = (
        tuple(map(str, range(count_classes(network, levels)))) if class_names is None else tuple(class_names)
    )
    return RegionOcclusion(**settings)(network, levels, known, names)


def class_images(
    model: nn.Module,
    image_size: int | tuple[int, int],
    *,
    channels: Channels = 1,
    input_range: InputRange = (0.0, 1.0),
    **settings: Any,
) -> ClassImages:
    """Find the image that the network takes for each class most surely.

    ``settings`` are those of `class_image_ascent.class_images`: ``seeds``, ``regularised``, ``steps`` and others.
    """
    network = taking_levels(model, Scale.of(input_range))
    return class_image_ascent.class_images(network, image_size, channels=channels, **settings)


def filters(
    model: nn.Module,
    layer: str,
    image_size: int | tuple[int, int],
    *,
    channels: Channels = 1,
    input_range: InputRange = (0.0, 1.0),
    **settings: Any,
) -> Ascent:
    """Find the image that drives each filter of a layer most; ``settings`` are those of `gradient_ascent`."""
    network = taking_levels(model, Scale.of(input_range))
    return activation_maximization.gradient_ascent(network, layer, image_size, channels=channels, **settings)


def feature_maps(
    model: nn.Module,
    images: Pictures,
    layers: Sequence[str] | None = None,
    *,
    input_range: InputRange | None = None,
) -> Mapping[str, np.ndarray]:
    """Return what layers make of one picture, float32 ``[K, h, w]`` by layer name; by default every block's.

    Raises
    ------
    ConfigError
        There is more than one picture, or a layer puts out no maps.
    """
    network, levels = in_levels(model, images, input_range)
    if len(levels) != 1:
        raise ConfigError(f"{len(levels)} pictures: expected one")
    found = layer_outputs.feature_maps(network, levels, layers)
    return {name if network is model else name.removeprefix("model."): maps for name, maps in found.items()}
