"""Test-time augmentation: several views of one face, whose predictions are averaged."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from fer_lightning.errors import ConfigError
from fer_lightning.models.size import require_any_size


def check_views(model: nn.Module, size: int, crop: int | None) -> None:
    """Check that ``model`` can see crops of ``crop`` pixels from faces of ``size``.

    Raises
    ------
    ConfigError
        The crop is no whole number from 1 to ``size``, or the net takes one size only.
    """
    if crop is None:
        return
    if isinstance(crop, bool) or not isinstance(crop, int) or not 1 <= crop <= size:
        raise ConfigError(f"crop={crop}: expected null or pixels, a whole number from 1 to {size}")
    require_any_size(model, f"crop={crop}", size)


def views(images: Tensor, *, crop: int | None = None, flip: bool = False) -> Iterator[Tensor]:
    """Yield the views of faces [B, C, H, W], each [B, C, H', W'].

    Parameters
    ----------
    images
        The faces.
    crop
        Side in pixels of five squares: the four corners and the middle (Krizhevsky et al. 2012); None: the face.
    flip
        Each view also mirrored left to right.
    """
    corners = [(0, 0)]
    height, width = images.shape[-2:]
    if crop is not None:
        down, right = height - crop, width - crop
        corners = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    for top, left in corners:
        view = images if crop is None else images[..., top : top + crop, left : left + crop]
        yield view
        if flip:
            yield view.flip(-1)
