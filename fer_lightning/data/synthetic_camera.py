"""What is between a drawn face and its picture: things before the face, light, blur and noise."""

from __future__ import annotations

import numpy as np

from fer_lightning.data.synthetic_expressions import Traits
from fer_lightning.data.synthetic_shapes import inside


def photograph(image: np.ndarray, traits: Traits, grain: np.ndarray) -> np.ndarray:
    """Turn drawn faces, float32 [n, S, S] from 0 to 1, into grey levels uint8 [n, S, S].

    ``grain`` [n, S, S] is standard normal noise; the trait ``noise`` is its deviation, in units of white.
    Both arrays are overwritten.
    """
    size = image.shape[-1]
    t = {name: values[:, None, None] for name, values in traits.items()}
    axis = (np.arange(size, dtype=np.float32) * 2 + 1) / size - 1
    x, y = axis[None, None, :], axis[None, :, None]
    _hold_something(image, t, x, y, 2.0 / size)
    image *= 1 + t["light_x"] * x + t["light_y"] * y
    _blur(image, t["blur"])
    image -= 0.5
    image *= t["contrast"]
    image += 0.5 + t["brightness"]
    grain *= t["noise"]
    image += grain
    image *= 255
    np.clip(image, 0, 255, out=image)
    return np.rint(image, out=image).astype(np.uint8)


def _hold_something(image: np.ndarray, t: Traits, x: np.ndarray, y: np.ndarray, pixel: float) -> None:
    """Draw a soft rectangle, such as a hand, a phone or a scarf, before the faces that have one."""
    chosen = np.flatnonzero(t["occluder"])
    if len(chosen) == 0:
        return
    o = {name: values[chosen] for name, values in t.items() if name.startswith("occluder")}
    cos, sin = np.cos(o["occluder_angle"]), np.sin(o["occluder_angle"])
    x, y = x - o["occluder_x"], y - o["occluder_y"]
    across = np.abs(cos * x + sin * y) - o["occluder_width"]
    along = np.abs(cos * y - sin * x) - o["occluder_height"]
    level = o["occluder_level"] * (1 + 0.3 * across)
    image[chosen] += inside(np.maximum(across, along), 3 * pixel) * (level - image[chosen])


def _blur(image: np.ndarray, amount: np.ndarray) -> None:
    """Mix each pixel with its neighbours, twice 1-2-1 in each direction, by ``amount`` [n, 1, 1]."""
    for _ in range(2):
        image[:, 1:-1] += (amount * 0.25) * (image[:, :-2] + image[:, 2:] - 2 * image[:, 1:-1])
        image[:, :, 1:-1] += (amount * 0.25) * (image[:, :, :-2] + image[:, :, 2:] - 2 * image[:, :, 1:-1])
