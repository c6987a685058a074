"""Letters that fonts lack: other fonts are asked, and what none has is said once."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import pytest
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.textpath import TextPath

from fer_lightning import messages
from fer_lightning.plots import style
from fer_lightning.plots.lettering import width_inches
from fer_lightning.plots.style import figure_style, new_axes, save_figure


@pytest.mark.filterwarnings("error")
def test_letters_that_no_font_has_are_said_once_and_other_warnings_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_logged", set())
    monkeypatch.setattr(style, "families", lambda: ["cmss10"])  # it has no Greek
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
    style.families.cache_clear()
    assert style.families() == ["DejaVu Sans", "STIXGeneral"]
    assert "STIXGeneral" in fontManager.get_font_names()
    lacking = "\u231a"  # in STIXGeneral, not in DejaVu Sans
    with figure_style():
        ax = new_axes(2, 1)
        ax.set_title(lacking)
    style.known_letters.cache_clear()
    with caplog.at_level(logging.INFO):
        save_figure(ax, tmp_path / "picture.png")
        outlined = width_inches(lacking, 50)
        assert "boxes" not in caplog.text
        width_inches(lacking + "\u8868", 50)
    assert "figures show boxes for \u8868: no font" in caplog.text
    fallback = TextPath((0, 0), lacking, 50, prop=FontProperties(family="STIXGeneral"))
    assert outlined == pytest.approx(fallback.vertices[:, 0].max() / 72, abs=1e-3)
    for kept in (style.families, style.known_letters):
        kept.cache_clear()
