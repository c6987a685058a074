"""Contact sheets: where every image goes, and that it is drawn there."""

from __future__ import annotations

import numpy as np
import pytest

from fer_lightning.plots.contact_sheet import GAP, contact_sheet, sheet_corners, tile


def test_corners_fill_rows_from_the_left() -> None:
    shape, corners = sheet_corners(5, height=4, width=6, columns=3)
    assert corners.tolist() == [[0, 0], [0, 8], [0, 16], [6, 0], [6, 8]]
    assert shape == (10, 22)
    shape, corners = sheet_corners(2, height=4, width=6, columns=1, title_rows=3)
    assert corners.tolist() == [[3, 0], [12, 0]]
    assert shape == (16, 6)


def test_fewer_images_than_columns_make_a_narrow_sheet() -> None:
    assert sheet_corners(2, 4, 6, columns=7)[0] == (4, 12 + GAP)


def test_tile_keeps_pixels_and_leaves_the_rest_empty() -> None:
    images = np.arange(3 * 2 * 2, dtype=np.uint8).reshape(3, 2, 2)
    sheet, corners = tile(images, columns=2)
    for image, (top, left) in zip(images, corners, strict=True):
        assert np.array_equal(sheet[top : top + 2, left : left + 2], image)
    assert np.isfinite(sheet).sum() == images.size


def test_sheet_is_drawn_with_titles_above_the_images() -> None:
    images = np.full((3, 48, 48), 100, dtype=np.uint8)
    ax = contact_sheet(images, titles=["happy", "sad", "fear"], columns=2)
    assert [text.get_text() for text in ax.texts] == ["happy", "sad", "fear"]
    assert [text.get_position() for text in ax.texts] == [(24.0, 7.5), (74.0, 7.5), (24.0, 66.5)]
    assert ax.images[0].get_clim() == (0, 255)
    assert ax.images[0].get_array().shape == (2 * 48 + 2 * 9 + 2, 2 * 48 + 2)


def test_given_axes_are_used() -> None:
    ax = contact_sheet(np.zeros((1, 4, 4)))
    assert contact_sheet(np.zeros((1, 4, 4)), ax=ax) is ax
    assert len(ax.images) == 2


@pytest.mark.parametrize(("count", "titles"), [(0, None), (2, ["one"])])
def test_wrong_numbers_are_refused(count: int, titles: list[str] | None) -> None:
    with pytest.raises(ValueError, match="expected"):
        contact_sheet(np.zeros((count, 4, 4)), titles)
