"""Draw faces from their traits: soft shapes evaluated on the pixels of a whole batch."""

from __future__ import annotations

import numpy as np

from fer_lightning.data.synthetic_expressions import Traits

Pixels = np.ndarray  # float32 [n, S, S], or a band of its rows


def render(traits: Traits, size: int) -> np.ndarray:
    """Draw faces, float32 [n, S, S] with 0 black and 1 white; each trait is an array [n]."""
    t = {name: values.astype(np.float32)[:, None, None] for name, values in traits.items()}
    pixel = 2.0 / size
    u, v = _face_coordinates(t, size)
    image = _background_and_head(t, u, v, pixel)
    turned = (u - 0.10 * t["yaw"]) * (1 - 0.12 * t["yaw"] * u)
    upper = slice(0, round(size * 0.68))
    lower = slice(round(size * 0.42), size)
    side = np.abs(turned)
    _brows(t, image[:, upper], turned[:, upper], side[:, upper], v[:, upper], pixel)
    _eyes(t, image[:, upper], side[:, upper], v[:, upper], pixel)
    _nose(t, image, turned - 0.06 * t["yaw"], v, pixel)
    _cheeks(t, image[:, lower], side[:, lower], v[:, lower], pixel)
    _beard(t, image[:, lower], turned[:, lower], v[:, lower])
    _mouth(t, image[:, lower], turned[:, lower], v[:, lower], pixel)
    _glasses(t, image[:, upper], side[:, upper], v[:, upper], pixel)
    return image


def _face_coordinates(t: Traits, size: int) -> tuple[Pixels, Pixels]:
    """Coordinates of each pixel in the face: the pose undone. Both run from -1 to 1 in an upright centred face."""
    axis = (np.arange(size, dtype=np.float32) * 2 + 1) / size - 1
    x = axis[None, None, :] - t["shift_x"]
    y = axis[None, :, None] - t["shift_y"]
    cos, sin = np.cos(t["angle"]) / t["scale"], np.sin(t["angle"]) / t["scale"]
    return (cos * x - sin * y) / t["squeeze"], sin * x + cos * y


def _inside(distance: Pixels, softness: float | np.ndarray) -> Pixels:
    """1 where ``distance`` is well below 0, 0 where it is well above, linear across ``softness``."""
    distance *= -1 / softness
    distance += 0.5
    return np.clip(distance, 0, 1, out=distance)


def _blob(x: Pixels, y: Pixels, width: float | np.ndarray, height: float | np.ndarray) -> Pixels:
    """A soft hill of height 1 that ends at ``width`` and ``height``."""
    hill = 1 - np.square(x * (1 / width))
    hill -= np.square(y * (1 / height))
    np.maximum(hill, 0, out=hill)
    return np.square(hill, out=hill)


def _paint(image: Pixels, cover: Pixels, level: float | np.ndarray) -> None:
    """Cover the image with a grey level where ``cover`` is 1."""
    cover *= 1.0
    image += cover * (level - image)


def _background_and_head(t: Traits, u: Pixels, v: Pixels, pixel: float) -> Pixels:
    width = t["head_width"] * (1 - t["jaw"] * np.square(np.maximum(v, 0)))
    radius = np.square(u / width) + np.square((v + 0.05) / t["head_height"])
    image = t["background"] + t["background_slope"] * u
    hair = _inside(np.square(u / (t["head_width"] * 1.16)) + np.square((v + 0.1) / 1.3) - 1, 5 * pixel)
    hair *= _inside(v - t["hair_length"], 4 * pixel)
    _paint(image, hair, t["hair"])
    skin = t["skin"] * (1.08 - 0.30 * np.square(radius))
    _paint(image, _inside(radius - 1, 4 * pixel), skin)
    fringe = _inside(v - (t["hairline"] + t["hairline_arch"] * np.square(u)), 3 * pixel)
    fringe *= _inside(radius - 1.1, 4 * pixel)
    _paint(image, fringe, t["hair"])
    return image


def _brows(t: Traits, image: Pixels, u: Pixels, side: Pixels, v: Pixels, pixel: float) -> None:
    half = 0.23
    along = (side - (t["eye_distance"] + 0.02 - t["brow_squeeze"])) * (1 / half)
    rise = t["brow_inner"] * 0.5 * (1 - along) + t["brow_outer"] * 0.5 * (1 + along)
    rise += (0.03 + t["brow_arch"]) * (1 - np.square(along))
    across = np.abs(v - (t["brow_height"] - rise))
    across -= t["brow_thickness"] * (1.1 - 0.35 * along)
    cover = _inside(across, 1.5 * pixel) * _inside(np.abs(along) - 1, 2 * pixel / half)
    _paint(image, cover * t["brow_strength"], t["brow_level"])
    middle = _inside(np.abs(side - 0.07) - 0.2 * pixel, 1.4 * pixel)
    middle *= _blob(0 * v, v - (t["brow_height"] + 0.08), 1.0, 0.19)
    image *= 1 - 0.55 * t["furrow"] * middle
    lines = np.cos((v - t["brow_height"] + 0.1 * np.square(u)) * (2 * np.pi / 0.13))
    lines *= _blob(u, v - (t["brow_height"] - 0.30), 0.55, 0.2)
    image *= 1 + 0.22 * t["forehead"] * lines


def _eyes(t: Traits, image: Pixels, side: Pixels, v: Pixels, pixel: float) -> None:
    half = t["eye_width"]
    along = (side - t["eye_distance"]) * (1 / half)
    profile = np.maximum(1 - np.square(along), 0)
    down = v - t["eye_height"] + t["lid_tilt"] * along
    image *= 1 - 0.22 * _blob(side - t["eye_distance"], v - t["eye_height"] + 0.03, 0.36, 0.27)
    upper = -(t["eye_open"] + t["lid_upper"]) * profile
    lower = (0.045 - t["lid_lower"]) * profile
    opening = _inside(np.maximum(upper - down, down - lower), 1.4 * pixel)
    opening *= _inside(np.abs(along) - 1, 1.5 * pixel / 0.2)
    _paint(image, opening * 1.0, t["eye_white"])
    reach = np.square(side - t["eye_distance"]) + np.square(v - t["eye_height"] + 0.02)
    iris = _inside(reach - 0.0085, 0.010)
    _paint(image, iris * opening, t["iris"])
    lid = _inside(np.abs(down - upper) - 0.5 * pixel, 1.5 * pixel) * _inside(np.abs(along) - 1.05, 0.3)
    image *= 1 - 0.75 * lid
    below = _inside(np.abs(down - lower) - 0.2 * pixel, 1.5 * pixel) * _inside(np.abs(along) - 1.0, 0.3)
    image *= 1 - 0.30 * below
    crease = _inside(np.abs(down - upper + 0.075) - 0.1 * pixel, 1.5 * pixel)
    crease *= _inside(np.abs(along) - 0.9, 0.3)
    image *= 1 - 0.22 * crease


def _nose(t: Traits, image: Pixels, u: Pixels, v: Pixels, pixel: float) -> None:
    tip = t["nose_tip"]
    side = np.abs(u)
    bridge = _blob(u, v - (tip - 0.22), 0.10, 0.40)
    image *= 1 + 0.10 * bridge
    wing = _blob(side - t["nose_width"], v - (tip - 0.03), 0.075, 0.10)
    image *= 1 - 0.28 * wing
    image *= 1 - 0.25 * _blob(u, v - (tip + 0.06), t["nose_width"] * 1.2, 0.07)
    image *= 1 - 0.6 * _blob(side - t["nose_width"] * 0.55, v - (tip + 0.02), 0.065, 0.05)
    lines = np.cos((v - 0.5 * side - (tip - 0.30)) * (2 * np.pi / 0.125))
    lines *= _blob(u, v - (tip - 0.30), 0.24, 0.22)
    image *= 1 + 0.40 * t["nose_wrinkle"] * lines


def _cheeks(t: Traits, image: Pixels, side: Pixels, v: Pixels, pixel: float) -> None:
    image *= 1 + 0.14 * t["cheek"] * _blob(side - 0.47, v - 0.20, 0.25, 0.22)
    down = (v - t["nose_tip"]) * (1 / 0.42)
    line = t["nose_width"] + 0.05 + (t["mouth_half"] + t["mouth_width"]) * 0.62 * down
    fold = _inside(np.abs(side - line) - 0.3 * pixel, 2.2 * pixel) * _blob(0 * v, down - 0.35, 1.0, 0.75)
    image *= 1 - 0.38 * t["fold"] * fold
    image *= 1 - 0.12 * t["chin"] * _blob(side, v - 0.86, 0.22, 0.10)


def _mouth(t: Traits, image: Pixels, u: Pixels, v: Pixels, pixel: float) -> None:
    half = t["mouth_half"] + t["mouth_width"]
    along = u / half
    squared = np.square(along)
    within = np.maximum(1 - squared, 0)
    # A round opening follows a circle, a square one stays open up to its corners.
    profile = within ** (0.75 - 0.45 * t["mouth_square"])
    line = t["mouth_height"] - t["mouth_raise"] - t["mouth_corner"] * (squared - 0.4)
    down = v - line
    top, bottom = -t["open_upper"] * profile, t["open_lower"] * profile
    lip = (t["lip_thickness"] + t["lip"]) * np.sqrt(within)
    ends = _inside(np.abs(along) - 1, 2 * pixel / 0.35)
    lips = _inside(np.maximum(top - 0.8 * lip - down, down - bottom - 1.2 * lip), 1.5 * pixel) * ends
    image *= 1 - t["lip_strength"] * lips
    hole = _inside(np.maximum(top - down, down - bottom) - 0.35 * pixel, 1.3 * pixel) * ends
    _paint(image, hole * 1.0, 0.10)
    gap = bottom - top
    teeth = _inside(np.maximum(top + 0.3 * pixel - down, down - top - t["teeth"] * gap), 1.2 * pixel) * ends
    teeth *= np.clip(gap * (1 / (3 * pixel)) - 0.5, 0, 1) * _inside(np.abs(along) - 0.9, 0.2)
    _paint(image, teeth, t["tooth_level"])
    image *= 1 - 0.2 * _blob(u, down - bottom - 1.2 * lip - 0.07, 0.25, 0.07)


def _beard(t: Traits, image: Pixels, u: Pixels, v: Pixels) -> None:
    jaw = np.clip((v - 0.30) * 4, 0, 1) * np.clip((np.square(u) + np.square(v - 0.35)) * 6 - 0.2, 0, 1)
    image *= 1 - t["beard"] * jaw * np.clip((1 - np.square(u)) * 3, 0, 1)


def _glasses(t: Traits, image: Pixels, side: Pixels, v: Pixels, pixel: float) -> None:
    chosen = np.flatnonzero(t["glasses"] + t["sunglasses"])
    if len(chosen) == 0:
        return
    strength, dark = t["glasses"][chosen], t["sunglasses"][chosen]
    down = v[chosen] - t["eye_height"][chosen] - 0.03
    away = side[chosen] - t["eye_distance"][chosen]
    distance = np.sqrt(np.square(away) + np.square(1.2 * down)) - 0.27
    bridge = np.maximum(np.abs(down) - 0.3 * pixel, side[chosen] - 0.14)
    cover = _inside(np.minimum(np.abs(distance) - 0.3 * pixel, bridge), 1.5 * pixel) * np.maximum(
        strength, dark
    )
    cover = np.maximum(cover, _inside(distance, 1.5 * pixel) * dark)
    image[chosen] += cover * (0.08 - image[chosen])
