"""Draw at random who the synthetic faces are, how they are held, and in what light they are seen."""

from __future__ import annotations

import numpy as np

from fer_lightning.data.synthetic_expressions import Traits

# Mean and deviation, cut at two deviations. Lengths in half image sizes, grey from 0 (black) to 1, angles in
# radians. The eyes, nose and mouth are where they are in FER2013's mean face.
NORMAL: dict[str, tuple[float, float]] = {
    "head_width": (0.84, 0.06),
    "head_height": (1.10, 0.06),
    "jaw": (0.17, 0.06),
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
    "tooth": (0.88, 0.06),
    "shift_x": (0.0, 0.05),
    "shift_y": (0.0, 0.04),
    "angle": (0.0, 0.10),
    "scale": (1.0, 0.06),
    "squeeze": (1.0, 0.04),
    "yaw": (0.0, 0.7),
    "light_x": (0.0, 0.22),
    "light_y": (-0.05, 0.15),
    "contrast": (0.90, 0.18),
    "brightness": (0.0, 0.10),
}

# How often, and between which values then; 0 otherwise.
SOMETIMES: dict[str, tuple[float, float, float]] = {
    "beard": (0.15, 0.20, 0.60),
    "glasses": (0.12, 0.40, 0.90),
    "sunglasses": (0.02, 0.80, 0.95),
    "occluder": (0.12, 1.00, 1.00),
    "blur": (0.55, 0.30, 1.00),
}

# Centre, half sizes, angle and grey level of what is held before the face; and the deviation of the noise.
EVEN: dict[str, tuple[float, float]] = {
    "occluder_x": (-0.9, 0.9),
    "occluder_y": (-0.9, 0.9),
    "occluder_width": (0.10, 0.40),
    "occluder_height": (0.15, 0.70),
    "occluder_angle": (-1.6, 1.6),
    "occluder_level": (0.10, 0.90),
    "noise": (0.01, 0.05),
}


def draw_people(generator: np.random.Generator, count: int) -> Traits:
    """Draw everything about ``count`` faces but their expression."""
    traits: Traits = {}
    for name, (mean, deviation) in NORMAL.items():
        normal = np.clip(generator.standard_normal(count, dtype=np.float32), -2, 2)
        traits[name] = np.float32(mean) + np.float32(deviation) * normal
    for name, (share, low, high) in SOMETIMES.items():
        happens = generator.random(count) < share
        traits[name] = np.where(happens, generator.uniform(low, high, count), 0).astype(np.float32)
    for name, (low, high) in EVEN.items():
        traits[name] = generator.uniform(low, high, count).astype(np.float32)
    # Brows go with the hair, but must be seen on the skin.
    traits["brow"] = np.minimum(0.5 * traits["hair"] + 0.06, traits["skin"] - 0.2)
    return traits
