"""What the figures of saliency and of its checks show."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from fer_lightning.explain.trust_checks import MethodTrust, TrustReport, TrustRules
from fer_lightning.explain.trust_checks.estimate import Estimate
from fer_lightning.plots.saliency import pictures, plot_saliency, salient_pixels, scaled
from fer_lightning.plots.style import save_figure
from fer_lightning.plots.trust import plot_trust, trust_data
from tests.support.pixels import border, pixels, shade

FACES = np.arange(2 * 36).reshape(2, 6, 6) * 3.0
MAPS = np.stack([np.arange(36.0).reshape(6, 6), np.zeros((6, 6))])


def test_the_most_salient_pixels_are_kept_and_a_blank_map_keeps_none():
    salient = salient_pixels(MAPS, 0.25)
    assert np.flatnonzero(salient[0]).tolist() == list(range(27, 36))
    assert not salient[1].any()
    with pytest.raises(ValueError, match=r"share=0: expected a share"):
        salient_pixels(MAPS, 0)


def test_each_map_is_on_its_own_scale():
    found = scaled(np.stack([MAPS[0], 1000 * MAPS[0]]))
    np.testing.assert_allclose(found[0], found[1])
    assert found.max() == 1
    assert found[0, 3, 3] == pytest.approx(21 / np.percentile(np.arange(36), 99))
    assert scaled(MAPS)[1].max() == 0


def test_the_parts_are_face_map_masked_face_and_overlay():
    face = pictures(FACES, MAPS, "face")
    np.testing.assert_allclose(face, np.repeat(FACES[..., None] / 255, 3, -1))
    heat = mpl.colormaps["cividis"](scaled(MAPS))[..., :3]
    np.testing.assert_allclose(pictures(FACES, MAPS, "map"), heat)
    masked = pictures(FACES, MAPS, "masked", 0.25)
    np.testing.assert_allclose(masked[0, 5, 5], face[0, 5, 5])
    assert np.ptp(masked[0, 0, 0]) > 0.05  # no grey stands for what was masked
    over = pictures(FACES, MAPS, "overlay")
    np.testing.assert_allclose(over[1], face[1])  # where nothing is salient the face is as it was
    np.testing.assert_allclose(over[0, 5, 5], 0.25 * face[0, 5, 5] + 0.75 * heat[0, 5, 5])
    with pytest.raises(ValueError, match="part=mask: expected one of face, map"):
        pictures(FACES, MAPS, "mask")


def texts(ax) -> list[str]:
    return ax.collections[0].get_label().split("\n")


def test_faces_are_columns_and_the_caption_is_the_verdict():
    ax = plot_saliency(FACES, MAPS, ["happy", "sad"], verdict="gradient: trusted", note="drawn faces")
    assert texts(ax) == ["happy", "image", "map", "top 20 %", "sad", "gradient: trusted", "drawn faces"]


def test_faces_lie_above_their_maps_each_on_its_own_scale_and_row_after_row():
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    maps = np.zeros((3, 48, 48))
    maps[0, :24] = 1.0
    maps[1, :24] = 1000.0
    ax = plot_saliency(images, maps, ["a", "b", "c"], parts=("face", "map"), columns=2)
    picture = pixels(ax)
    assert (border(picture) == 255).all()
    head, step, left = 18, 2 * 51, 28  # pixels: a title, a face and its gap, the parts' names
    for number in range(3):
        x, y = left + number % 2 * step, head + number // 2 * (head + 2 * step)
        face = picture[y : y + 96, x : x + 96]
        assert np.array_equal(face, np.kron(images[number], np.ones((2, 2), int))[..., None].repeat(3, -1))
        below = picture[y + step : y + step + 96, x : x + 96]
        assert np.abs(below[:48] - shade(1.0 if number < 2 else 0.0)).max() <= 1
        assert np.abs(below[48:] - shade(0.0)).max() <= 1


def test_the_picture_of_a_run_is_small_enough_for_a_page_of_many_runs(tmp_path):
    random = np.random.default_rng(0)
    faces = random.integers(0, 256, (7, 48, 48), dtype=np.uint8)
    ax = plot_saliency(faces, random.random((7, 48, 48)), list("abcdefg"), parts=("face", "map"))
    assert save_figure(ax, tmp_path / "saliency.png", dpi=100).stat().st_size < 200_000
    assert pixels(ax).shape[1] < 800


def test_one_face_has_its_parts_side_by_side_and_no_verdict_is_said():
    ax = plot_saliency(FACES[:1], MAPS[:1], ["happy\n93 %"], parts=("face", "overlay"))
    assert texts(ax) == ["image", "happy", "93 %", "map on image", "not checked"]
    assert (border(pixels(ax)) == 255).all()
    sheet = np.asarray(ax.images[0].get_array())
    np.testing.assert_allclose(sheet[-6:, :6], pictures(FACES[:1], MAPS[:1], "face")[0])
    np.testing.assert_allclose(sheet[-6:, -6:], pictures(FACES[:1], MAPS[:1], "overlay")[0])
    with pytest.raises(ValueError, match="1 images, 2 maps, 1 titles"):
        plot_saliency(FACES[:1], MAPS, ["happy"])


def report() -> TrustReport:
    near, far, one = Estimate(0.1, 0.05, 0.15), Estimate(0.3, 0.25, 0.35), Estimate(1, 1, 1)
    good = {"faithfulness": far, "over_edges": far, "over_random": far, "redrawn": near, "other_class": near}
    bad = {"faithfulness": far, "over_edges": Estimate(0.1, -0.1, 0.2), "over_random": far, "redrawn": one}
    edges = {"faithfulness": near, "redrawn": one, "other_class": one}
    methods = (
        MethodTrust("occlusion", "", good | {"completeness": Estimate(0.01, 0, 0.02)}, "trusted", {}),
        MethodTrust("gradient", "", bad, "not better than edges, not of these weights", {}),
        MethodTrust("sobel", "", edges, "control", {}),
    )
    return TrustReport(methods, TrustRules(), 49, "drawn", True)


def test_a_panel_shows_each_check_with_its_threshold_and_who_passes():
    data = trust_data(report())
    assert [panel.threshold for panel in data.panels] == [0.1, 0.5, 0.9, 0.05]
    faithful, redrawn, other, completeness = (panel.passed for panel in data.panels)
    assert faithful == (
        True,
        False,
        None,
    )  # judged by the paired difference, though the interval drawn is above
    assert redrawn == (True, False, None)
    assert other == (True, None, None)
    assert completeness == (True, None, None)
    for panel in data.panels:
        low, high = panel.limits()
        assert low < min(0, *(each.low for each in panel.estimates if each))
        assert high > max(panel.threshold, *(each.high for each in panel.estimates if each))
    assert "images of SYNTHETIC DATA (drawn)" in data.caption


def test_the_figure_names_methods_and_verdicts():
    ax = plot_trust(trust_data(report()))
    parts = [each for each in ax.figure.axes if each.get_title(loc="left")]
    assert [label.get_text() for label in parts[0].get_yticklabels()] == ["occlusion", "gradient", "sobel"]
    words = [text.get_text() for text in parts[-1].texts if text.get_text() != "–"]
    assert words == ["trusted", "not better than edges,\nnot of these weights", "control"]
    assert parts[1].get_title(loc="left") == "similarity under\nredrawn weights"
