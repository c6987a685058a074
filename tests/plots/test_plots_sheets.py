from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colormaps

from fer_lightning.plots.confusion_sheet import CELL, confusion_sheet
from fer_lightning.plots.lettering import color_bar, colored, font, wrap
from fer_lightning.plots.saliency_sheet import saliency_sheet
from fer_lightning.runs.confusion_counts import Confusion


def rgb(share: float) -> np.ndarray:
    """The colour of a share on the project's scale, uint8."""
    return np.rint(np.array(colormaps["cividis"](share)[:3]) * 255).astype(int)


def test_a_cell_has_the_colour_of_its_share_of_the_row():
    matrix = Confusion(np.array([[30, 10], [0, 0]]), ("yes", "no"))
    sheet = np.asarray(confusion_sheet(matrix), int)
    flat = sheet.reshape(-1, 3)

    def seen(color: np.ndarray) -> int:
        return int((np.abs(flat - color).max(1) <= 2).sum())

    area = CELL * CELL
    assert seen(rgb(0.75)) > 0.6 * area
    assert seen(rgb(0.25)) > 0.6 * area
    assert seen(np.array([0xDD] * 3)) > 1.2 * area  # the class without faces: two grey cells
    assert seen(rgb(0.5)) < 0.1 * area


def test_long_names_and_many_classes_stay_within_the_sheet():
    names = tuple(f"a rather long name {number}" for number in range(9))
    sheet = np.asarray(confusion_sheet(Confusion(np.eye(9, dtype=int) * 4, names), "A title " * 30), int)
    border = np.concatenate([sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]])
    assert (border == 255).all()  # nothing is cut off at the edge


def test_faces_lie_above_their_maps_each_on_its_own_scale():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (3, 48, 48), dtype=np.uint8)
    maps = np.zeros((3, 48, 48))
    maps[0, :24] = 1.0
    maps[1, :24] = 1000.0
    sheet = np.asarray(saliency_sheet(images, maps, ["a", "b", "c"], "gradient: not checked"), int)
    step = 96 + 6
    for column in range(3):
        x, y = 8 + column * step, 8 + 18
        face = sheet[y : y + 96 : 2, x : x + 96 : 2]
        assert np.array_equal(face, np.repeat(images[column][..., None], 3, -1))
        below = sheet[y + step : y + step + 96 : 2, x : x + 96 : 2]
        top = rgb(1.0 if column < 2 else 0.0)
        assert np.abs(below[:24] - top).max() <= 1
        assert np.abs(below[24:] - rgb(0.0)).max() <= 1


def test_the_sheet_is_small_enough_for_a_page_of_many_runs():
    import io

    random = np.random.default_rng(0)
    images = random.integers(0, 256, (7, 48, 48), dtype=np.uint8)
    picture = saliency_sheet(images, random.random((7, 48, 48)), list("abcdefg"), "gradient: not checked")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    assert buffer.tell() < 200_000
    assert picture.width < 800


def test_faces_maps_and_titles_are_one_each():
    with pytest.raises(ValueError, match="2 images, 1 maps, 2 titles: expected one of each face"):
        saliency_sheet(np.zeros((2, 8, 8)), np.zeros((1, 8, 8)), ["a", "b"], "")


def test_colours_are_the_scale_and_clip_at_its_ends():
    found = colored(np.array([-1.0, 0.0, 0.5, 1.0, 9.0]), "cividis", 0.0, 1.0).astype(int)
    expected = np.array([rgb(0.0), rgb(0.0), rgb(0.5), rgb(1.0), rgb(1.0)])
    assert np.abs(found - expected).max() <= 1
    bar = np.asarray(color_bar("cividis", 50, 4, "up"), int)
    assert np.abs(bar[0, 0] - rgb(1.0)).max() <= 1
    assert np.abs(bar[-1, 0] - rgb(0.0)).max() <= 1


def test_lines_are_no_wider_than_asked_and_lose_no_word():
    text = "one two three four five six seven\nand a line of its own"
    lines = wrap(text, 11, 80)
    assert all(font(11).getlength(line) <= 80 for line in lines)
    assert " ".join(lines) == text.replace("\n", " ")
