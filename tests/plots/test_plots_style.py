"""Letters that fonts lack: other fonts are asked, and what none has is said once."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import pytest
from matplotlib.font_manager import fontManager

from fer_lightning import messages
from fer_lightning.plots import style
from fer_lightning.plots.style import figure_style, new_axes, save_figure


@pytest.mark.filterwarnings("error")
def test_letters_that_no_font_has_are_said_once_and_other_warnings_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_logged", set())
    monkeypatch.setattr(style, "_families", lambda: ["cmr10"])  # it has no Greek
    with figure_style():
        ax = new_axes(2, 1)
        ax.set_title("ab\u03b1\u03b2")
    with caplog.at_level(logging.INFO):
        save_figure(ax, tmp_path / "one.png")
        save_figure(ax, tmp_path / "two.png")
    said = [record.getMessage() for record in caplog.records if "boxes" in record.getMessage()]
    assert said == ["figures show boxes for \u03b1\u03b2: no font that matplotlib finds has these letters"]
    assert (tmp_path / "two.png").stat().st_size > 0

    monkeypatch.setattr(ax.get_figure(), "savefig", lambda *_, **__: warnings.warn("another", stacklevel=1))
    with pytest.raises(UserWarning, match="another"):
        save_figure(ax, tmp_path / "three.png")


def test_an_installed_font_is_asked_for_what_the_first_lacks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_logged", set())
    monkeypatch.setattr(style, "_FALLBACKS", ("STIXGeneral", "a font that is not here"))
    style._families.cache_clear()
    assert style._families() == ["DejaVu Sans", "STIXGeneral"]
    assert "STIXGeneral" in fontManager.get_font_names()
    lacking = "\u231a"  # in STIXGeneral, not in DejaVu Sans
    with figure_style():
        ax = new_axes(2, 1)
        ax.set_title(lacking)
    with caplog.at_level(logging.INFO):
        save_figure(ax, tmp_path / "picture.png")
    style._families.cache_clear()
    assert "boxes" not in caplog.text
