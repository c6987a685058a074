"""Draw faces from their traits: skin, hair, brows, eyes, nose, mouth, beard and glasses."""

from __future__ import annotations

import numpy as np

from fer_lightning.data.synthetic_expressions import Traits
from fer_lightning.data.synthetic_shapes import Pixels, hill, inside, paint

DARK = 0.10  # grey level of an open mouth and of glasses


def render(traits: Traits, size: int) -> np.ndarray:
    """Draw faces, float32 [n, S, S] from 0 (black) to 1 (white), from traits that are float32 [n] each.

    Lines are as wide as they must be for 48 pixels: a larger image shows the same face and no finer one.
    """
    t = {name: values[:, None, None] for name, values in traits.items()}
    pixel = 2.0 / min(size, 48)
    u, v = face_coordinates(t, size)
    image = _head(t, u, v, pixel)
    # A turned head: its parts move aside and the far half looks narrower.
    u = (u - 0.10 * t["yaw"]) * (1 - 0.12 * t["yaw"] * u)
    for part, first, last in PARTS:
        rows = slice(int(size * first), int(np.ceil(size * last)))
        part(t, image[:, rows], u[:, rows], v[:, rows], pixel)
    return image


def face_coordinates(t: Traits, size: int) -> tuple[Pixels, Pixels]:
    """Where in the face each pixel is: rightwards and down from its centre, 1 being half an image."""
    axis = (np.arange(size, dtype=np.float32) * 2 + 1) / size - 1
    x = axis[None, None, :] - t["shift_x"]
    y = axis[None, :, None] - t["shift_y"]
    cos, sin = np.cos(t["angle"]) / t["scale"], np.sin(t["angle"]) / t["scale"]
    return (cos * x - sin * y) / t["squeeze"], sin * x + cos * y


def _head(t: Traits, u: Pixels, v: Pixels, pixel: float) -> Pixels:
    width = t["head_width"] * (1 - t["jaw"] * np.square(np.maximum(v, 0)))
    radius = np.square(u / width) + np.square((v + 0.05) / t["head_height"])
    image = t["background"] + t["background_slope"] * u
    hair = inside(np.square(u / (t["head_width"] * 1.16)) + np.square((v + 0.1) / 1.3) - 1, 5 * pixel)
    hair *= inside(v - t["hair_length"], 4 * pixel)
    paint(image, hair, t["hair"])
    skin = t["skin"] * (1.08 - 0.30 * np.square(radius))
    lines = np.cos((v - t["brow_height"] + 0.1 * np.square(u)) * (2 * np.pi / 0.13))
    lines *= hill(u, v - t["brow_height"] + 0.29, 0.55, 0.2)
    skin *= 1 + 0.22 * t["forehead"] * lines
    paint(image, inside(radius - 1, 4 * pixel), skin)
    fringe = inside(v - t["hairline"] - t["hairline_arch"] * np.square(u), 3 * pixel)
    fringe *= inside(radius - 1.1, 4 * pixel)
    paint(image, fringe, t["hair"])
    return image


def _brows(t: Traits, image: Pixels, u: Pixels, v: Pixels, pixel: float) -> None:
    half = 0.23
    side = np.abs(u)  # both brows, and later both eyes, in one: the halves of a face are mirror images
    along = (side - (t["eye_distance"] + 0.02 - t["brow_squeeze"])) * (1 / half)
    rise = 0.5 * (t["brow_inner"] * (1 - along) + t["brow_outer"] * (1 + along))
    rise += (0.03 + t["brow_arch"]) * (1 - np.square(along))
    across = np.abs(v - t["brow_height"] + rise) - t["brow_thickness"] * (1.1 - 0.35 * along)
    brow = inside(across, 1.5 * pixel) * inside(np.abs(along) - 1, 2 * pixel / half)
    paint(image, brow * t["brow_strength"], t["brow"])
    furrow = inside(np.abs(side - 0.07) - 0.2 * pixel, 1.4 * pixel)
    furrow *= hill(0 * v, v - t["brow_height"] - 0.08, 1.0, 0.19)
    image *= 1 - 0.55 * t["furrow"] * furrow


def _eyes(t: Traits, image: Pixels, u: Pixels, v: Pixels, pixel: float) -> None:
    aside = np.abs(u) - t["eye_distance"]
    along = aside * (1 / t["eye_width"])
    end = np.abs(along)
    down = v - t["eye_height"]
    image *= 1 - 0.22 * hill(aside, down + 0.03, 0.36, 0.27)  # the socket's shadow
    almond = np.maximum(1 - np.square(along), 0)
    upper = -(t["eye_open"] + t["lid_upper"]) * almond - t["lid_tilt"] * along
    lower = (0.045 - t["lid_lower"]) * almond - t["lid_tilt"] * along
    white = inside(np.maximum(upper - down, down - lower), 1.4 * pixel) * inside(end - 1, 7.5 * pixel)
    paint(image, white, t["eye_white"])
    iris = inside(np.square(aside) + np.square(down + 0.02) - 0.0085, 0.24 * pixel)
    paint(image, iris * white, t["iris"])
    lid = inside(np.abs(down - upper) - 0.5 * pixel, 1.5 * pixel) * inside(end - 1.05, 0.3)
    image *= 1 - 0.75 * lid
    below = inside(np.abs(down - lower) - 0.2 * pixel, 1.5 * pixel) * inside(end - 1.0, 0.3)
    image *= 1 - 0.30 * below
    crease = inside(np.abs(down - upper + 0.075) - 0.1 * pixel, 1.5 * pixel) * inside(end - 0.9, 0.3)
    image *= 1 - 0.22 * crease


def _nose(t: Traits, image: Pixels, u: Pixels, v: Pixels, pixel: float) -> None:
    u = u - 0.06 * t["yaw"]  # the nose stands out, so a turned head moves it further
    side = np.abs(u)
    down = v - t["nose_tip"]
    image *= 1 + 0.10 * hill(u, down + 0.22, 0.10, 0.40)
    image *= 1 - 0.28 * hill(side - t["nose_width"], down + 0.03, 0.075, 0.10)
    image *= 1 - 0.25 * hill(u, down - 0.06, t["nose_width"] * 1.2, 0.07)
    image *= 1 - 0.60 * hill(side - t["nose_width"] * 0.55, down - 0.02, 0.065, 0.05)
    wrinkles = np.cos((down + 0.30 - 0.5 * side) * (2 * np.pi / 0.125)) * hill(u, down + 0.30, 0.24, 0.22)
    image *= 1 + 0.40 * t["nose_wrinkle"] * wrinkles


def _cheeks(t: Traits, image: Pixels, u: Pixels, v: Pixels, pixel: float) -> None:
    side = np.abs(u)
    image *= 1 + 0.14 * t["cheek"] * hill(side - 0.47, v - 0.20, 0.25, 0.22)
    down = (v - t["nose_tip"]) * (1 / 0.42)
    line = t["nose_width"] + 0.05 + (t["mouth_half"] + t["mouth_width"]) * 0.62 * down
    fold = inside(np.abs(side - line) - 0.3 * pixel, 2.2 * pixel) * hill(0 * v, down - 0.35, 1.0, 0.75)
    image *= 1 - 0.38 * t["fold"] * fold
    image *= 1 - 0.12 * t["chin"] * hill(side, v - 0.86, 0.22, 0.10)


def _beard(t: Traits, image: Pixels, u: Pixels, v: Pixels, pixel: float) -> None:
    around_mouth = np.clip((np.square(u) + np.square(v - 0.35)) * 6 - 0.2, 0, 1)
    cheek_to_chin = np.clip((v - 0.30) * 4, 0, 1) * np.clip((1 - np.square(u)) * 3, 0, 1)
    image *= 1 - t["beard"] * around_mouth * cheek_to_chin


def _mouth(t: Traits, image: Pixels, u: Pixels, v: Pixels, pixel: float) -> None:
    along = u / np.maximum(t["mouth_half"] + t["mouth_width"], 0.12)
    squared = np.square(along)
    within = np.maximum(1 - squared, 0)
    down = v - t["mouth_height"] + t["mouth_raise"] + t["mouth_corner"] * (squared - 0.4)
    profile = within ** np.maximum(0.75 - 0.45 * t["mouth_square"], 0.25)
    top, bottom = -t["open_upper"] * profile, t["open_lower"] * profile
    lip = np.maximum(t["lip_thickness"] + t["lip"], 0.01) * np.sqrt(within)
    ends = inside(np.abs(along) - 1, 6 * pixel)
    lips = inside(np.maximum(top - 0.8 * lip - down, down - bottom - 1.2 * lip), 1.5 * pixel) * ends
    image *= 1 - t["lip_strength"] * lips
    opening = inside(np.maximum(top - down, down - bottom) - 0.35 * pixel, 1.3 * pixel) * ends
    paint(image, opening, DARK)
    gap = bottom - top
    teeth = inside(np.maximum(top - down, down - top - t["teeth"] * gap), 1.2 * pixel)
    teeth *= np.clip(gap * (1 / pixel) - 1, 0, 1)  # none in a line that is no opening
    paint(image, teeth, t["tooth"])
    image *= 1 - 0.2 * hill(u, down - bottom - 1.2 * lip - 0.07, 0.25, 0.07)


def _glasses(t: Traits, image: Pixels, u: Pixels, v: Pixels, pixel: float) -> None:
    wearers = np.flatnonzero(t["glasses"] + t["sunglasses"])
    if len(wearers) == 0:
        return
    frame, glass = t["glasses"][wearers], t["sunglasses"][wearers]
    side = np.abs(u[wearers])
    down = v[wearers] - t["eye_height"][wearers] - 0.03
    rim = np.sqrt(np.square(side - t["eye_distance"][wearers]) + np.square(1.2 * down)) - 0.27
    bridge = np.maximum(np.abs(down) - 0.3 * pixel, side - 0.14)
    cover = inside(np.minimum(np.abs(rim) - 0.3 * pixel, bridge), 1.5 * pixel) * np.maximum(frame, glass)
    cover = np.maximum(cover, inside(rim, 1.5 * pixel) * glass)
    image[wearers] += cover * (DARK - image[wearers])


# From back to front, with the shares of the rows (from top to bottom) that the part can reach in any pose.
PARTS = (
    (_brows, 0.0, 0.54),
    (_eyes, 0.15, 0.67),
    (_nose, 0.2, 0.8),
    (_cheeks, 0.42, 1.0),
    (_beard, 0.48, 1.0),
    (_mouth, 0.5, 1.0),
    (_glasses, 0.08, 0.72),
)
