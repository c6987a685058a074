"""What the seven synthetic expressions are made of: how far each part of the face moves."""

from __future__ import annotations

import numpy as np

from fer_lightning.data.faces import FER_CLASSES

Traits = dict[str, np.ndarray]
"""One float32 array [n] a name: how each face looks in this respect."""

# A column for each expression in FER2013's order. Lengths are in half image sizes (24 of 48 pixels), others
# are shares. After Ekman and Friesen, Facial Action Coding System (1978); the comment names the action unit.
#                    angry  disgust  fear   happy   sad  surprise neutral
MOVEMENTS: dict[str, tuple[float, ...]] = {
    "brow_inner":   (-0.17, -0.07,  0.13,  0.02,  0.15,  0.20,  0.00),  # 1 up, 4 down
    "brow_outer":   ( 0.07, -0.04,  0.02,  0.02, -0.10,  0.13,  0.00),  # 2 up
    "brow_arch":    (-0.03,  0.02, -0.01,  0.03,  0.00,  0.09,  0.02),
    "brow_squeeze": ( 0.06,  0.03,  0.04,  0.00,  0.03,  0.00,  0.00),  # 4, towards each other
    "furrow":       ( 1.00,  0.40,  0.20,  0.00,  0.25,  0.00,  0.00),  # 4, upright lines between the brows
    "forehead":     ( 0.00,  0.00,  0.70,  0.00,  0.20,  1.00,  0.00),  # 1 and 2, level lines
    "lid_upper":    ( 0.01, -0.05,  0.08, -0.03, -0.04,  0.09,  0.00),  # 5 up, 7 and 43 down
    "lid_lower":    ( 0.02,  0.04, -0.02,  0.05,  0.01, -0.03,  0.00),  # 6 and 7 up
    "lid_tilt":     ( 0.05,  0.01, -0.02,  0.00, -0.06,  0.00,  0.00),  # outer corner up
    "nose_wrinkle": ( 0.25,  1.00,  0.00,  0.00,  0.00,  0.00,  0.00),  # 9
    "fold":         ( 0.20,  1.00,  0.10,  0.90,  0.15,  0.00,  0.05),  # 10 and 12, from nose to mouth
    "cheek":        ( 0.00,  0.30,  0.00,  1.00,  0.00,  0.00,  0.00),  # 6
    "mouth_width":  (-0.04, -0.05,  0.06,  0.13, -0.06, -0.15,  0.00),  # 12 and 20 wider, 18 and 27 narrower
    "mouth_corner": (-0.07, -0.12, -0.06,  0.20, -0.17,  0.00,  0.00),  # 12 up, 15 down
    "mouth_raise":  ( 0.00,  0.05,  0.00,  0.02, -0.01, -0.04,  0.00),  # the whole mouth
    "open_upper":   ( 0.00,  0.10,  0.06,  0.02,  0.00,  0.12,  0.00),  # 10, and 25 to 27
    "open_lower":   ( 0.00,  0.05,  0.12,  0.18,  0.00,  0.26,  0.00),
    "mouth_square": ( 0.00,  0.20,  1.00,  0.15,  0.00,  0.00,  0.00),  # 20, open up to the corners
    "teeth":        ( 0.30,  0.60,  0.60,  0.80,  0.00,  0.00,  0.00),  # share of the opening
    "lip":          (-0.03,  0.01,  0.00, -0.01,  0.01,  0.01,  0.00),  # thickness; 23 and 24 press
    "chin":         ( 0.30,  0.40,  0.00,  0.00,  1.00,  0.00,  0.00),  # 17
}  # fmt: skip

NEVER_NEGATIVE = (
    *("furrow", "forehead", "nose_wrinkle", "fold", "cheek", "chin"),
    *("open_upper", "open_lower", "mouth_square", "teeth"),
)
STYLE = (
    0.10  # deviation of a movement between faces of one expression, as a share of its range over expressions
)


def draw_expressions(generator: np.random.Generator, labels: np.ndarray, ambiguous: float) -> Traits:
    """Draw the movements of the faces whose classes are ``labels`` [n]; ``ambiguous`` is a share of them."""
    traits = mixed_expressions(draw_weights(generator, labels, ambiguous))
    for name, row in MOVEMENTS.items():
        style = np.clip(generator.standard_normal(len(labels), dtype=np.float32), -2.5, 2.5)
        traits[name] += np.float32(STYLE * (max(row) - min(row))) * style
        if name in NEVER_NEGATIVE:
            np.maximum(traits[name], 0, out=traits[name])
    # Mouths open more or less within each expression, and some speak.
    openness = generator.uniform(0.35, 1.15, len(labels)).astype(np.float32)
    speaks = generator.random(len(labels)) < 0.2
    spoken = np.where(speaks, generator.uniform(0.03, 0.09, len(labels)), 0).astype(np.float32)
    traits["open_upper"] *= openness
    traits["open_lower"] = traits["open_lower"] * openness + spoken
    return traits


def draw_weights(generator: np.random.Generator, labels: np.ndarray, ambiguous: float) -> np.ndarray:
    """Draw how much of each expression a face shows, float32 [n, 7].

    A plain face shows its own class at an intensity of 0.4 to 1.15. An ambiguous one shows its class and
    another one about equally: it could bear either label.
    """
    count, classes = len(labels), len(FER_CLASSES)
    intensity = 0.4 + 0.75 * generator.beta(2.2, 1.5, count)
    share = np.where(generator.random(count) < ambiguous, generator.uniform(0.35, 0.6, count), 1.0)
    other = (labels + generator.integers(1, classes, count)) % classes
    weights = np.zeros((count, classes), dtype=np.float32)
    faces = np.arange(count)
    weights[faces, labels] = share * intensity
    weights[faces, other] += (1 - share) * intensity
    return weights


def mixed_expressions(weights: np.ndarray) -> Traits:
    """Movements of faces that show each expression as much as ``weights`` [n, 7] say, all 0 being neutral."""
    neutral = FER_CLASSES.index("neutral")
    traits: Traits = {}
    for name, row in MOVEMENTS.items():
        movement = np.asarray(row, dtype=np.float32) - np.float32(row[neutral])
        # A sum and no matrix product: what a BLAS returns depends on the machine's threads.
        traits[name] = np.float32(row[neutral]) + (weights * movement).sum(axis=1, dtype=np.float32)
    return traits
