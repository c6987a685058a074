"""The page's slices in a real browser: the table, its strips of faces, and a click that shows a slice's faces."""

from __future__ import annotations

import numpy as np
import pytest

from browser import CHROMIUM
from fer_lightning.study.study_report import report_study
from sliced_study import FACES, GROUPS, make_sliced_study

PATIENCE = 120_000  # milliseconds: on a busy machine a page waits for its turn
pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    made = make_sliced_study(tmp_path_factory.mktemp("sliced") / "study")
    report_study(made.folder, made.folder)
    return made


@pytest.fixture
def page(browser, study):
    said: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((study.folder / "report.html").as_uri())
    page.wait_for_selector("body.ready")
    yield page
    page.close()
    assert said == []


def shown(page) -> set[int]:
    return {int(tile.get_attribute("data-face")) for tile in page.locator("#face-tiles .tile").all()}


def test_a_click_on_a_slice_shows_its_faces_as_the_baseline_sees_them(page, study):
    assert page.locator("nav a[href='#where-it-fails']").count() == 1
    section = page.locator("#where-it-fails")
    section.scroll_into_view_if_needed()
    assert section.locator("tbody tr:not(.slice-faces)").count() == 1
    page.wait_for_selector("#where-it-fails .slice-faces canvas")
    assert section.locator(".slice-faces canvas").count() == min(12, int(study.planted.sum()))
    page.get_by_role("button", name="Show the faces of slice 1").click()
    page.wait_for_selector("#face-tiles .tile")
    assert shown(page) == set(np.flatnonzero(study.planted).tolist())
    assert page.locator("select[name=first]").input_value() == "arm:baseline"
    assert page.locator("select[name=slice]").input_value() == "1"
    assert page.locator(".status").last.inner_text().startswith(f"{study.planted.sum()} faces of {FACES}")
    page.get_by_role("button", name="Show all faces").click()
    assert page.locator("select[name=slice]").input_value() == "0"
    names = page.locator("select[name=slice] option").all_inner_texts()
    assert names == ["any", "1 (fails)", *(str(number) for number in range(2, GROUPS + 1))]


def test_the_filter_goes_together_with_the_others(page, study):
    page.locator("#faces").scroll_into_view_if_needed()
    page.wait_for_selector("#face-tiles .tile")
    page.locator("select[name=slice]").select_option("1")
    label = int(np.bincount(study.labels[study.planted]).argmax())
    page.locator("select[name=truth]").select_option(str(label))
    assert shown(page) == set(np.flatnonzero(study.planted & (study.labels == label)).tolist())
