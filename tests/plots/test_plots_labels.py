from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from fer_lightning.plots.doubtful_faces import captions, plot_doubtful_faces
from fer_lightning.plots.reliability import MOST, plot_calibration, plot_reliability, reliability_points
from fer_lightning.runs.predictions import Predictions
from fer_lightning.stats.arm_calibration import arm_calibration
from fer_lightning.stats.calibration import reliability
from fer_lightning.stats.label_doubts import DoubtfulFace


def faces(count: int) -> list[DoubtfulFace]:
    return [DoubtfulFace(n + 1, f"f{n}", "sad", "neutral", -0.5, 0.875, 8) for n in range(count)]


def test_each_face_has_its_label_and_what_it_is_taken_for_above_it() -> None:
    assert captions(faces(1)[0]) == ("1. sad", "→ neutral 88 %")
    images = np.arange(10 * 48 * 48, dtype=np.float32).reshape(10, 48, 48) % 255
    ax = plot_doubtful_faces(faces(10), images, title="SYNTHETIC DATA", columns=8)
    texts = [text.get_text() for text in ax.texts]
    assert texts[:2] == ["1. sad", "→ neutral 88 %"]
    assert len(texts) == 20
    assert ax.get_title(loc="left").startswith("SYNTHETIC DATA")
    sheet = np.asarray(ax.images[0].get_array())
    left, bottom = ax.texts[0].get_position()
    assert np.array_equal(sheet[int(bottom) + 11 : int(bottom) + 59, int(left) : int(left) + 48], images[0])
    with pytest.raises(ValueError, match="10 images of 9 faces"):
        plot_doubtful_faces(faces(9), images)


def test_a_diagram_shows_the_bins_in_per_cent_and_the_arms_errors() -> None:
    found = reliability(np.array([0.5, 0.9, 0.6, 0.8]), np.array([True, True, False, False]), bins=2)
    assert reliability_points(found) == pytest.approx(np.array([[55, 50], [85, 50]]))
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 4, (300, 3)), rng.integers(0, 3, 300)
    arm = arm_calibration("x" * 60, {0: Predictions(logits, labels)})
    ax = plot_reliability(arm, Figure().add_subplot())
    _, before, after = ax.lines
    assert np.asarray(before.get_xydata()) == pytest.approx(reliability_points(arm.drawn_before))
    assert np.asarray(after.get_xydata()) == pytest.approx(reliability_points(arm.drawn_after))
    name, errors = ax.get_title(loc="left").splitlines()
    assert len(name) < 40
    assert errors == (
        f"T {arm.temperatures[0]:.2f}, error {100 * arm.before.ece:.1f} → {100 * arm.after.ece:.1f} %"
    )
    many = plot_calibration([arm] * (MOST + 1), "SYNTHETIC DATA")
    assert sum(bool(each.lines) for each in many.axes) == MOST
    assert many.get_suptitle() == f"Calibration (the first {MOST} of {MOST + 1} arms), SYNTHETIC DATA"
