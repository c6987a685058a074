"""Tint synthetic faces: skin, hair, lips and background in colour, with the grey levels of their pictures as luma."""

from __future__ import annotations

import numpy as np

from fer_lightning.data.picture_arrays import LUMA
from fer_lightning.data.synthetic_drawing import face_coordinates
from fer_lightning.data.synthetic_expressions import Traits
from fer_lightning.data.synthetic_shapes import Pixels, hill, inside, paint

# How far red and blue lie above the grey level, as shares of it: mean, and deviation cut at two deviations.
TINTS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "background": ((0.0, 0.15), (0.0, 0.15)),
    "hair": ((0.25, 0.12), (-0.25, 0.12)),
    "skin": ((0.24, 0.04), (-0.22, 0.05)),
    "lips": ((0.40, 0.06), (-0.10, 0.05)),
}


def draw_tints(generator: np.random.Generator, count: int) -> Traits:
    """Draw the colours of ``count`` faces: float32 ``[n]`` by part and by ``red`` or ``blue``."""
    return {
        f"{part}_{channel}": np.float32(mean)
        + np.float32(deviation) * np.clip(generator.standard_normal(count, dtype=np.float32), -2, 2)
        for part, both in TINTS.items()
        for channel, (mean, deviation) in zip(("red", "blue"), both, strict=True)
    }


def tint(images: np.ndarray, traits: Traits) -> np.ndarray:
    """Colour faces, uint8 [n, S, S] to uint8 [n, S, S, 3], whose luma is their grey level within one.

    Where a colour would leave the levels 0 to 255, it is as strong as they allow.
    """
    t = {name: values[:, None, None] for name, values in traits.items()}
    u, v = face_coordinates(t, images.shape[-1])
    pixel = 2.0 / min(images.shape[-1], 48)
    covers = _covers(t, u, v, pixel)
    grey = images.astype(np.float32)
    red, blue = (_painted(t, covers, channel, images.shape) * grey for channel in ("red", "blue"))
    above = np.stack([red, -(LUMA[0] * red + LUMA[2] * blue) / LUMA[1], blue], axis=-1)
    room = np.where(above > 0, 255 - grey[..., None], grey[..., None])
    strength = np.min(room / np.maximum(np.abs(above), 1e-6), axis=-1, keepdims=True)
    colours = grey[..., None] + above * np.minimum(strength, 1)
    return np.rint(np.clip(colours, 0, 255)).astype(np.uint8)


def _covers(t: Traits, u: Pixels, v: Pixels, pixel: float) -> dict[str, Pixels]:
    """Where the parts lie, from back to front."""
    radius = np.square(u / (t["head_width"] * (1 - t["jaw"] * np.square(np.maximum(v, 0)))))
    radius = radius + np.square((v + 0.05) / t["head_height"])
    behind = inside(np.square(u / (t["head_width"] * 1.16)) + np.square((v + 0.1) / 1.3) - 1, 5 * pixel)
    head = inside(radius - 1, 4 * pixel)
    fringe = inside(v - t["hairline"] - t["hairline_arch"] * np.square(u), 3 * pixel)
    return {
        "hair": behind * inside(v - t["hair_length"], 4 * pixel),
        "skin": head * (1 - fringe),
        "lips": hill(u, v - t["mouth_height"], 0.4, 0.2),
    }


def _painted(t: Traits, covers: dict[str, Pixels], channel: str, shape: tuple[int, ...]) -> Pixels:
    layer = np.broadcast_to(t[f"background_{channel}"], shape).copy()
    for part, cover in covers.items():
        paint(layer, cover, t[f"{part}_{channel}"])
    return layer
