"""Explanations as functions of any network and pictures of any range; `fer_lightning.explain` exports them.

All of them share one convention of shapes. Pictures are NumPy arrays ``[N, H, W]`` (grey) or ``[N, H, W, 3]`` (RGB), or
tensors ``[N, C, H, W]``, as the network takes them but for the layout. Maps are float32 ``[N, H, W]``, whatever the
channels. ``input_range`` says what is black and what is white: two numbers, or two sequences of one a channel, such as
`standardized_range` returns; by default what `range_of` makes of the pictures. Within, everything is in levels 0–255,
and so are the settings of methods (``sigma``, ``fill``) and the pictures that are returned. Networks are left as they
were: mode, weights, buffers, gradients and random states. What does not fit is a `UserError` of one line, which names
the argument and what was expected (`fer_lightning.explain.examined`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from fer_lightning.config.values import Count, CountOrZero, check_value
from fer_lightning.data.input_range import InputRange
from fer_lightning.errors import ConfigError
from fer_lightning.explain import activation_maximization, class_image_ascent, layer_outputs
from fer_lightning.explain.activation_maximization import Ascent
from fer_lightning.explain.class_image_ascent import ClassImages
from fer_lightning.explain.examined import (
    Pictures,
    check_settings,
    class_indices,
    examine,
    examine_size,
    names_of,
)
from fer_lightning.explain.image_parameters import Channels
from fer_lightning.explain.lime_explanation import Lime, LimeExplanation
from fer_lightning.explain.region_effects import RegionEffects
from fer_lightning.explain.region_occlusion import RegionOcclusion
from fer_lightning.explain.saliency_methods import Attribution, Method, attributions, make_method
from fer_lightning.explain.trust_checks import TrustReport, TrustRules, check_trust
from fer_lightning.explain.undisturbed import device_of


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
    check_value(batch_size, Count, "batch_size")
    check_value(seed, CountOrZero, "seed")
    found = examine(model, images, input_range)
    asked = None if targets is None else class_indices(targets, "targets", found)
    chosen = make_method(method, **settings)
    return attributions(found.network, found.levels, asked, chosen, batch_size=batch_size, seed=seed)


def trust(
    model: nn.Module,
    images: Pictures,
    targets: Tensor | np.ndarray | Sequence[int],
    methods: str | Sequence[str | Method] | None = None,
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
    check_value(batch_size, Count, "batch_size")
    found = examine(model, images, input_range)
    known = class_indices(targets, "targets", found)
    methods = [methods] if isinstance(methods, str) else methods
    return check_trust(found.network, found.levels, known, methods, rules, batch_size=batch_size)


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
    found = examine(model, images, input_range)
    explain = Lime(**check_settings(Lime.__init__, settings, "lime."))
    device = device_of(model)
    return [explain(found.network, image.to(device)) for image in found.levels]


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
    found = examine(model, images, input_range)
    known, names = class_indices(labels, "labels", found), names_of(class_names, found.classes)
    cover = RegionOcclusion(**check_settings(RegionOcclusion.__init__, settings, "regions."))
    return cover(found.network, found.levels, known, names)


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
    check_settings(class_image_ascent.class_images, settings, "")
    network = examine_size(model, image_size, channels, input_range)
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
    check_settings(activation_maximization.gradient_ascent, settings, "")
    network = examine_size(model, image_size, channels, input_range)
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
    found = examine(model, images, input_range)
    if len(found.levels) != 1:
        raise ConfigError(f"images: {len(found.levels)} pictures; expected one, such as images[:1]")
    maps = layer_outputs.feature_maps(found.network, found.levels, layers)
    own = found.network is model
    return {name if own else name.removeprefix("model."): each for name, each in maps.items()}
