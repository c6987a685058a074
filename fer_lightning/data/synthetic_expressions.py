"""What the seven synthetic expressions are made of: how far each part of the face moves."""

from __future__ import annotations

import numpy as np

from fer_lightning.data.faces import FER_CLASSES

Traits = dict[str, np.ndarray]
"""One float32 array [n] a name: how a face looks in this respect."""

# One column an expression, in FER2013's order. Lengths are in half image sizes (24 pixels of 48); up is positive in
# the names below. After Ekman and Friesen's Facial Action Coding System (1978); the action unit is in the comment.
#                    angry  disgust  fear   happy   sad  surprise neutral
MOVEMENTS: dict[str, tuple[float, ...]] = {
    "brow_inner":   (-0.17, -0.07,  0.13,  0.02,  0.15,  0.20,  0.00),  # 1 up, 4 down
    "brow_outer":   ( 0.07, -0.04,  0.02,  0.02, -0.10,  0.13,  0.00),  # 2 up
    "brow_arch":    (-0.03,  0.02, -0.01,  0.03,  0.00,  0.09,  0.02),
    "brow_squeeze": ( 0.06,  0.03,  0.04,  0.00,  0.03,  0.00,  0.00),  # 4, inner ends together
    "furrow":       ( 1.00,  0.40,  0.20,  0.00,  0.25,  0.00,  0.00),  # 4, upright lines between the brows
    "forehead":     ( 0.00,  0.00,  0.70,  0.00,  0.20,  1.00,  0.00),  # 1 and 2, level lines
    "lid_upper":    ( 0.01, -0.05,  0.08, -0.03, -0.04,  0.09,  0.00),  # 5 up, 7 and 43 down
    "lid_lower":    ( 0.02,  0.04, -0.02,  0.05,  0.01, -0.03,  0.00),  # 6 and 7 up
    "lid_tilt":     ( 0.05,  0.01, -0.02,  0.00, -0.06,  0.00,  0.00),  # outer corner up
    "nose_wrinkle": ( 0.25,  1.00,  0.00,  0.00,  0.00,  0.00,  0.00),  # 9
    "fold":         ( 0.20,  1.00,  0.10,  0.90,  0.15,  0.00,  0.05),  # 10 and 12, from nose to mouth
    "cheek":        ( 0.00,  0.30,  0.00,  1.00,  0.00,  0.00,  0.00),  # 6
    "mouth_width":  (-0.04, -0.06,  0.07,  0.13, -0.06, -0.17,  0.00),  # 20 and 12 wide, 18 and 27 narrow
    "mouth_corner": (-0.07, -0.12, -0.06,  0.20, -0.17,  0.00,  0.00),  # 12 up, 15 down
    "mouth_raise":  ( 0.00,  0.05,  0.00,  0.02, -0.01, -0.04,  0.00),  # the whole mouth
    "open_upper":   ( 0.00,  0.10,  0.06,  0.02,  0.00,  0.12,  0.00),  # 10, 25 to 27
    "open_lower":   ( 0.00,  0.03,  0.10,  0.16,  0.00,  0.24,  0.00),
    "mouth_square": ( 0.00,  0.20,  1.00,  0.15,  0.00,  0.00,  0.00),
    "teeth":        ( 0.00,  0.55,  0.55,  0.75,  0.00,  0.00,  0.00),  # share of the opening
    "lip":          (-0.03,  0.01,  0.00, -0.01,  0.01,  0.01,  0.00),  # thickness; 23 and 24 press
    "chin":         ( 0.30,  0.40,  0.00,  0.00,  1.00,  0.00,  0.00),  # 17
}  # fmt: skip


def expression_traits(weights: np.ndarray) -> Traits:
    """Mix the expressions: ``weights`` [n, 7] are shares of each class; what is missing to 1 is neutral."""
    neutral = FER_CLASSES.index("neutral")
    traits: Traits = {}
    for name, row in MOVEMENTS.items():
        movement = np.asarray(row, dtype=np.float32) - np.float32(row[neutral])
        traits[name] = np.float32(row[neutral]) + weights.astype(np.float32) @ movement
    return traits


def movement_ranges() -> dict[str, float]:
    """How far apart the expressions are in each movement: the unit of what differs between people."""
    return {name: max(row) - min(row) for name, row in MOVEMENTS.items()}
