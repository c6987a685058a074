"""What the sheets of filters, top faces, feature maps and class images say and show, and that nothing is cut off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from fer_lightning.errors import DataError
from fer_lightning.explain.activation_maximization import Ascent
from fer_lightning.explain.class_image_ascent import ClassImages
from fer_lightning.explain.class_statistics import largest_logits, mean_faces
from fer_lightning.explain.top_faces import TopFaces
from fer_lightning.models import Small
from fer_lightning.plots.class_images import class_image_sheet, logit_texts, row_labels
from fer_lightning.plots.feature_maps import enlarged, feature_map_sheet, row_scale, strongest
from fer_lightning.plots.filters import filter_note, filter_sheet, filter_titles, group_letters
from fer_lightning.plots.top_face_rows import filter_text, most_selective, top_faces_sheet

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def assert_nothing_is_cut_off(ax):
    figure = ax.figure
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = canvas.get_width_height()
    for text in (*ax.texts, ax.title, ax._left_title):
        box = text.get_window_extent(canvas.get_renderer())
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width + 1, text.get_text()
        assert box.y1 <= height + 1, text.get_text()


def an_ascent(count=20, **changes):
    images = np.random.default_rng(0).uniform(0, 255, (count, 48, 48)).astype(np.float32)
    ones = np.ones(count, np.float32)
    found = Ascent(
        layer="model.features.block1.conv",
        filters=np.arange(count),
        images=images,
        activation=3 * ones,
        start=0 * ones,
        faces=2 * ones,
        stuck=np.arange(count) == 4,
        box=(20, 25, 21, 26),
        objective="map",
        seed=0,
    )
    return replace(found, **changes)


def test_titles_name_groups_and_stuck_filters():
    assert group_letters([[1, 2], [4, 5]], 6) == ["", "A", "A", "", "B", "B"]
    assert group_letters([[i] for i in range(27)], 27)[-1] == "A2"
    assert filter_titles(an_ascent(6), [[1, 3]]) == ["0", "1 A", "2", "3 A", "4 stuck", "5"]


def test_the_note_says_how_far_and_against_what():
    note = filter_note(an_ascent(6), [[1, 3]], synthetic=True)
    assert "features.block1.conv" in note
    assert "model." not in note
    assert "1.5 × the strongest synthetic face's" in note
    assert "2 filters repeat one another (groups by letter: 1)" in note
    assert "1 stuck" in note
    assert "receptive field 5×5" in filter_note(an_ascent(6, objective="unit"))
    silent = an_ascent(2, faces=np.array([0, 2.0]), stuck=np.zeros(2, bool))
    assert "1 filter that no image drives" in filter_note(silent)
    assert "×" not in filter_note(an_ascent(6, faces=None))


@pytest.mark.parametrize(("count", "objective"), [(20, "map"), (3, "map"), (20, "unit")])
def test_a_filter_sheet_shows_every_image_and_cuts_nothing_off(count, objective):
    found = an_ascent(count, objective=objective)
    ax = filter_sheet(found, [[0, 2]])
    assert [text.get_text() for text in ax.texts] == filter_titles(found, [[0, 2]])
    assert len(ax.patches) == 2
    assert ax.images[0].get_clim() == (0, 255)
    assert_nothing_is_cut_off(ax)
    if objective == "unit":
        shown = np.ma.filled(ax.images[0].get_array(), np.nan)
        assert set(np.unique(shown[np.isfinite(shown)])) == set(np.unique(found.images[:, 20:25, 21:26]))


def some_top_faces():
    generator = np.random.default_rng(0)
    return TopFaces(
        layer="model.features.block3.conv2",
        class_names=CLASSES,
        positions=generator.integers(0, 9, (5, 4)),
        values=generator.uniform(0, 3, (5, 4)).astype(np.float32),
        labels=np.array([[5, 5, 5, 2]] * 5),
        means=np.zeros((5, 7)),
        counts=np.full(7, 10),
        preferred=np.array([5, 5, 3, 3, 0]),
        effect=np.array([0.9, 1.4, 0.2, 0.3, 0.1]),
    )


def test_each_class_has_its_best_filter_before_others():
    assert most_selective(some_top_faces(), 5) == [1, 3, 4, 0, 2]
    assert most_selective(some_top_faces(), 2) == [1, 3]


def test_a_row_of_top_faces_says_which_class_and_how_clearly():
    assert filter_text(some_top_faces(), 1).splitlines() == [
        "filter 1: surprise",
        "most by surprise, d = 1.40",
        "3 of the 4 strongest",
    ]
    assert filter_text(some_top_faces(), 2).startswith("filter 2: no class")
    silent = some_top_faces()
    silent.values[2] = 0
    assert filter_text(silent, 2) == "filter 2: no image drives it"


def test_a_sheet_of_top_faces_shows_them_in_order():
    found, faces = some_top_faces(), np.arange(9)[:, None, None] * np.ones((9, 48, 48))
    images = np.full((2, 48, 48), 200.0)
    shown = faces[found.positions[[1, 3]].ravel()]
    ax = top_faces_sheet(found, shown, [1, 3], images, synthetic=True)
    shown = np.ma.filled(ax.images[0].get_array(), np.nan)
    assert [shown[30, 24 + 50 * column] for column in range(5)] == [200, *found.positions[1]]
    assert "synthetic" in ax._left_title.get_text()
    assert_nothing_is_cut_off(ax)
    with pytest.raises(ValueError, match="expected at least one"):
        top_faces_sheet(found, faces, [])


def test_maps_are_chosen_enlarged_and_scaled_row_by_row():
    maps = np.zeros((5, 2, 2))
    maps[3] = [[0, 4], [0, 0]]
    maps[1] = [[0, 0], [-1, 0]]
    assert strongest(maps, 2).tolist() == [1, 3]
    assert row_scale(maps) == (-1, 4)
    assert row_scale(maps[3:4] + 2) == (0, 6)
    big = enlarged(maps[3:4], 6)
    assert big.shape == (1, 6, 6)
    assert (big[0, :3, 3:] == 4).all()
    assert big.sum() == 4 * 9


def test_a_sheet_of_feature_maps_has_a_row_a_layer_and_says_its_scale():
    generator = np.random.default_rng(0)
    maps = {
        "model.features.block1": generator.normal(size=(16, 24, 24)),
        "block2": generator.normal(size=(3, 5, 5)),
    }
    ax = feature_map_sheet(maps, np.zeros((48, 48)), 6, "surprise", synthetic=True)
    texts = [text.get_text() for text in ax.texts]
    assert any(text.startswith("features.block1\n16 maps of 24×24\n") for text in texts)
    assert "synthetic" in ax._left_title.get_text()
    shown = np.ma.filled(ax.images[0].get_array().astype(float), np.nan)
    assert np.nanmax(shown) == pytest.approx(1)
    assert np.isfinite(shown).sum() == (6 + 3) * 48 * 48
    assert_nothing_is_cut_off(ax)


def some_class_images(**changes):
    found = ClassImages(
        images=np.random.default_rng(0).uniform(0, 255, (2, 7, 48, 48)),
        logits=np.full((2, 7), 12.345),
        probabilities=np.linspace(0.5, 1, 14).reshape(2, 7),
        start=np.zeros((2, 7)),
        seeds=(0, 3),
        regularised=True,
        guided=False,
    )
    return replace(found, **changes)


def test_class_images_say_kind_start_seed_logit_and_the_largest_of_faces():
    raw, guided = some_class_images(regularised=False), some_class_images(guided=True)
    assert row_labels(raw) == ["unregularised\nfrom noise\nseed 0", "unregularised\nfrom noise\nseed 3"]
    assert "guided" in row_labels(guided)[0]
    assert logit_texts(raw)[0] == "12.3 (50.0 %)"
    assert logit_texts(raw)[-1] == "12.3 (>99.9 %)"
    beyond = np.array([13.0, *[12.0] * 6])  # the largest logits of faces
    assert [text.endswith(" < images") for text in logit_texts(raw, beyond)] == [True, *[False] * 6] * 2
    ax = class_image_sheet([raw, guided], CLASSES, np.arange(7.0), synthetic=True)
    texts = [text.get_text() for text in ax.texts]
    assert "surprise\nimages up to 5.0" in texts
    assert "synthetic" in ax._left_title.get_text()
    assert ax.images[0].get_clim() == (0, 255)
    assert_nothing_is_cut_off(ax)
    with pytest.raises(ValueError, match="2 classes"):
        class_image_sheet([raw], "ab")


def test_mean_faces_and_largest_logits_equal_those_over_the_whole_set():
    generator = torch.Generator().manual_seed(0)
    images = (torch.rand(11, 1, 48, 48, generator=generator) * 255).byte()
    labels = torch.arange(11) % 3
    batches = list(zip(images.split(4), labels.split(4), torch.arange(11).split(4), strict=True))
    expected = torch.stack([images[labels == label].float().mean(0) for label in range(3)])
    assert torch.allclose(mean_faces(batches, 3), expected, atol=1e-3)
    model = Small(num_classes=3)
    largest = largest_logits(model, batches)
    assert model.training
    with torch.no_grad():
        assert torch.allclose(largest, model.eval()(images.float()).amax(0), rtol=1e-3, atol=1e-4)
    with pytest.raises(DataError, match="at least one of each"):
        mean_faces(batches, 4)
