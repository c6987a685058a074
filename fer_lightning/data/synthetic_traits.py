"""Draw at random who the synthetic faces are, how they are held, and in what light and state they are seen."""

from __future__ import annotations

import numpy as np

from fer_lightning.data.faces import FER_CLASSES
from fer_lightning.data.synthetic_expressions import Traits, expression_traits, movement_ranges

# Mean and deviation, cut at two deviations. Lengths in half image sizes, levels from 0 (black) to 1 (white).
NORMAL: dict[str, tuple[float, float]] = {
    "head_width": (0.84, 0.06),
    "head_height": (1.10, 0.06),
    "jaw": (0.22, 0.07),
    "skin": (0.62, 0.12),
    "hair": (0.22, 0.14),
    "hairline": (-0.84, 0.08),
    "hairline_arch": (0.20, 0.15),
    "hair_length": (0.10, 0.50),
    "background": (0.45, 0.22),
    "background_slope": (0.00, 0.15),
    "eye_distance": (0.39, 0.025),
    "eye_height": (-0.18, 0.025),
    "eye_width": (0.185, 0.016),
    "eye_open": (0.080, 0.014),
    "eye_white": (0.86, 0.06),
    "iris": (0.16, 0.07),
    "brow_height": (-0.46, 0.035),
    "brow_thickness": (0.035, 0.011),
    "brow_strength": (0.80, 0.12),
    "nose_tip": (0.21, 0.035),
    "nose_width": (0.15, 0.02),
    "mouth_half": (0.33, 0.03),
    "mouth_height": (0.57, 0.03),
    "lip_thickness": (0.055, 0.014),
    "lip_strength": (0.25, 0.10),
    "tooth_level": (0.88, 0.06),
    "shift_x": (0.0, 0.06),
    "shift_y": (0.0, 0.05),
    "angle": (0.0, 0.12),
    "scale": (1.0, 0.07),
    "squeeze": (1.0, 0.05),
    "yaw": (0.0, 0.8),
    "light_x": (0.0, 0.26),
    "light_y": (-0.05, 0.20),
    "contrast": (0.85, 0.20),
    "brightness": (0.0, 0.11),
}

# How often, and the value's range when it happens; 0 otherwise.
SOMETIMES: dict[str, tuple[float, float, float]] = {
    "beard": (0.18, 0.20, 0.60),
    "glasses": (0.14, 0.40, 0.90),
    "sunglasses": (0.03, 0.80, 0.95),
    "occluder": (0.16, 1.00, 1.00),
    "blur": (0.55, 0.30, 1.00),
    "talking": (0.20, 0.03, 0.09),
}


def draw_traits(generator: np.random.Generator, labels: np.ndarray, ambiguous: float) -> Traits:
    """Draw every trait of the faces whose classes are ``labels`` [n]; ``ambiguous`` is a share of them."""
    count = len(labels)
    traits = expression_traits(draw_weights(generator, labels, ambiguous))
    for name, width in movement_ranges().items():
        traits[name] += np.float32(0.10 * width) * generator.standard_normal(count, dtype=np.float32)
    for name, (mean, deviation) in NORMAL.items():
        normal = generator.standard_normal(count, dtype=np.float32)
        traits[name] = np.float32(mean) + np.float32(deviation) * np.clip(normal, -2, 2)
    for name, (share, low, high) in SOMETIMES.items():
        happens = generator.random(count) < share
        traits[name] = np.where(happens, generator.uniform(low, high, count), 0).astype(np.float32)
    openness = generator.uniform(0.35, 1.15, count).astype(np.float32)
    for name in ("open_upper", "open_lower"):
        traits[name] = np.maximum(traits[name] * openness, 0)
    traits["open_lower"] += traits["talking"]
    traits["lip_thickness"] = np.maximum(traits["lip_thickness"], 0.02)
    traits["brow_level"] = np.minimum(0.5 * traits["hair"] + 0.06, traits["skin"] - 0.2)
    for name, (low, high) in _OCCLUDER.items():
        traits[name] = generator.uniform(low, high, count).astype(np.float32)
    return traits


# Centre, half sizes, angle (radians) and level of what is held before the face.
_OCCLUDER = {
    "occluder_x": (-0.9, 0.9),
    "occluder_y": (-0.9, 0.9),
    "occluder_width": (0.10, 0.40),
    "occluder_height": (0.15, 0.70),
    "occluder_angle": (-1.6, 1.6),
    "occluder_level": (0.10, 0.90),
}


def draw_weights(generator: np.random.Generator, labels: np.ndarray, ambiguous: float) -> np.ndarray:
    """Draw how much of each expression a face shows, float32 [n, 7].

    A plain face shows its own class at an intensity of 0.3 to 1.1. An ambiguous one shows its class and another one
    about equally: it could bear either label.
    """
    count, classes = len(labels), len(FER_CLASSES)
    intensity = 0.3 + 0.8 * generator.beta(2.2, 1.6, count)
    share = np.where(generator.random(count) < ambiguous, generator.uniform(0.35, 0.6, count), 1.0)
    other = (labels + generator.integers(1, classes, count)) % classes
    weights = np.zeros((count, classes), dtype=np.float32)
    rows = np.arange(count)
    weights[rows, labels] = share * intensity
    weights[rows, other] += (1 - share) * intensity
    return weights
