"""The report page in a real browser; skipped where there is no Chromium."""

from __future__ import annotations

import numpy as np
import pytest

from browser import CHROMIUM
from fer_lightning.report.page.page_data import page_model
from fer_lightning.report.page.write import render, write_page
from fer_lightning.sweeps.study.results import load_study, load_trials
from page_study import judged, make_study

PATIENCE = 120_000  # milliseconds: on a busy machine a page waits for its turn, which is no fault of its own
playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A search and an ablation as pages, with their trials."""
    made = {}
    for kind, n_runs in (("search", 22), ("ablation", 16)):
        folder = tmp_path_factory.mktemp("browser") / kind
        make_study(folder, n_runs, kind=kind, faces=140, epochs=4, pictures=kind == "ablation")
        trials = load_trials(folder)
        report = judged(folder) if kind == "ablation" else None
        made[kind] = (write_page(page_model(load_study(folder), trials, report), folder), trials)
    return made


@pytest.fixture
def opened(browser, pages):
    """Open a page; whatever its console says fails the test."""
    said: list[str] = []
    contexts = []

    def visit(kind: str, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request", lambda request: said.append(request.url) if request.url.startswith("http") else None
        )
        page.goto(pages[kind][0].as_uri())
        page.wait_for_selector("body.ready")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert said == []


def rows(page) -> list[int]:
    return [int(text) for text in page.locator("#rows th").all_inner_texts()]


def test_a_click_on_a_heading_sorts_and_a_second_turns_it_round(opened, pages):
    page = opened("search")
    values = {t.number: t.value for t in pages["search"][1] if t.state == "COMPLETE"}
    assert rows(page) == list(range(22))
    head = page.locator("th[data-column='val/acc']")
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    complete = [number for number in rows(page) if number in values]
    assert complete == sorted(values, key=lambda number: -values[number])
    assert set(rows(page)[-2:]) == {10, 21}  # failed runs have no value and come last
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert [number for number in rows(page) if number in values] == complete[::-1]
    assert set(rows(page)[-2:]) == {10, 21}


def test_the_filter_keeps_runs_by_word_state_level_and_limits(opened, pages):
    page = opened("search")
    trials = pages["search"][1]
    page.fill("#filter-words", "out of memory")
    assert rows(page) == [10, 21]
    page.fill("#filter-words", "")
    page.get_by_label("complete", exact=True).uncheck()
    page.get_by_label("failed", exact=True).uncheck()
    assert rows(page) == [4, 9, 14, 19]
    page.get_by_role("button", name="Show all runs").click()
    assert len(rows(page)) == 22
    page.get_by_text("Filter by parameter").click()
    low, high = page.get_by_label("model.dropout from"), page.get_by_label("model.dropout to")
    low.fill("0.2")
    high.fill("0.5")
    high.press("Tab")
    assert rows(page) == [t.number for t in trials if 0.2 <= t.params["model.dropout"] <= 0.5]
    page.get_by_label("selu", exact=True).uncheck()
    assert rows(page) == [
        t.number
        for t in trials
        if 0.2 <= t.params["model.dropout"] <= 0.5 and t.params["model.activation"] != "selu"
    ]
    assert page.locator("#filter .status").inner_text() == f"{len(rows(page))} of 22 runs"


def test_a_brush_along_an_axis_filters_the_table_and_a_click_lets_go(opened, pages):
    page = opened("search")
    area = page.locator("[data-axis='model.dropout']")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    x, middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, middle)
    page.mouse.down()
    page.mouse.move(x, box["y"], steps=4)
    page.mouse.up()
    kept = rows(page)
    ordered = sorted(pages["search"][1], key=lambda t: t.params["model.dropout"])
    assert 0 < len(kept) < 22
    assert set(kept) == {t.number for t in ordered[-len(kept) :]}  # the upper part of the axis
    assert page.locator(".line.out").count() == 22 - len(kept)
    assert "≤ model.dropout" in page.locator("#filter .chips").inner_text()
    page.mouse.click(x, middle)
    assert len(rows(page)) == 22


def test_two_arms_are_compared_by_what_differs(opened):
    page = opened("ablation")
    page.get_by_label("Compare arm dropout=0.9").check()
    assert "choose one more" in page.locator("#tray").inner_text()
    page.get_by_label("Compare arm baseline").check()
    page.get_by_role("button", name="Compare 2").click()
    place = page.locator("#comparison")
    config = place.locator("table.config tbody tr").all_inner_texts()
    assert [line.split() for line in config] == [["settings.dropout", "0.9", "0.5"]]
    assert place.locator("table.matrix").count() == 3
    # Of 4 runs of 140 faces, 80 in each class, the diagonals tell the accuracies.
    place.get_by_label("show per cent").uncheck()
    counts = [
        [int(cell) for cell in place.locator("table.matrix").nth(i).locator("td").all_inner_texts()]
        for i in (0, 1)
    ]
    assert [sum(cells) for cells in counts] == [560, 560]
    right = [sum(cells[::8]) for cells in counts]
    assert 400 > right[1] > right[0] + 50
    difference = place.locator("table.matrix").nth(2).locator("td").first.inner_text()
    expected = 100 * (counts[1][0] - counts[0][0]) / 80
    assert float(difference.replace("−", "-")) == pytest.approx(expected, abs=0.51)
    assert place.locator("svg .curve").count() > 4
    assert place.locator("img").count() == 3
    assert place.locator("h4").all_inner_texts() == [
        "One image of each class",
        "Mistakes that each run is surest of",
    ]
    assert "sad taken for fear" in str(place.locator("img").last.get_attribute("alt"))
    assert "dropout=0.9: no such grid is stored." in place.inner_text()
    assert "no better than edges" in place.inner_text() or "faithful" in place.inner_text()
    assert all(image.get_attribute("alt") for image in place.locator("img").all())
    assert place.locator("img").first.evaluate("image => image.complete && image.naturalWidth > 0")


def test_runs_are_chosen_in_the_table_and_left_out_again(opened):
    page = opened("search")
    page.get_by_label("Compare run 0", exact=True).check()
    page.get_by_label("Compare run 1", exact=True).check()
    assert page.locator("#comparison table.matrix").count() == 3
    page.get_by_label("Leave out run 1").click()
    assert page.locator("#comparison table.matrix").count() == 0
    assert not page.get_by_label("Compare run 1", exact=True).is_checked()


def _contrast(first: str, second: str) -> float:
    def light(colour: str) -> float:
        parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(first), light(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(opened, scheme):
    page = opened("ablation", color_scheme=scheme)
    colour = "selector => getComputedStyle(document.querySelector(selector)).color"
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    verdicts = [f"tr[data-verdict='{word}'] .verdict" for word in ("better", "worse")]
    for selector in ("body", ".small", "nav a", "thead th", *verdicts):
        assert _contrast(page.evaluate(colour, selector), paper) >= 4.5, selector
    warning = page.evaluate("getComputedStyle(document.querySelector('.synthetic')).backgroundColor")
    assert _contrast(page.evaluate(colour, ".synthetic"), warning) >= 4.5


def test_a_phones_width_needs_no_sideways_scrolling(opened):
    page = opened("ablation", viewport={"width": 390, "height": 844})
    page.get_by_label("Compare arm dropout=0.9").check()
    page.get_by_label("Compare arm baseline").check()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_markup_from_a_study_runs_nothing(browser, tmp_path):
    hostile = "<img src=x onerror=\"document.title='hit'\"><b>bold</b>"
    folder = make_study(
        tmp_path / "study", 8, kind="ablation", faces=20, epochs=2, pictures=False, note=hostile,
        baseline=hostile, classes=(hostile, "b"),
    )  # fmt: skip
    trials = load_trials(folder)
    (tmp_path / "page.html").write_text(render(page_model(load_study(folder), trials, judged(folder))))
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_selector("body.ready")
    for box in page.locator("input[data-arm]").all():
        box.check()
    assert page.locator("main img, main b").count() == 0
    assert page.title() != "hit"
    assert hostile in page.locator("#comparison").inner_text()
    page.close()


def test_drawings_come_by_themselves_and_are_all_on_paper(opened):
    page = opened("search")
    page.wait_for_selector("body.drawn")
    assert page.locator("#parallel .line").count() == 22
    for axis in page.locator("#parallel .parallel-axis").all():
        heights = sorted(float(tick.get_attribute("y")) for tick in axis.locator(".tick.halo").all())
        assert len(heights) > 1
        assert min(np.diff(heights)) > 13  # texts of 11.5 pixels do not touch
    assert page.locator("#history .mark").count() == 22
    assert page.locator("#slices svg").count() == 5
    # What was not drawn yet when paper is asked for is drawn then.
    page = opened("search", viewport={"width": 1280, "height": 300})
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#slices svg").count() == 5


@pytest.mark.slow
def test_500_runs_open_in_3_seconds_and_stay_under_40_megabytes(browser, tmp_path):
    """Seconds of the page's own thread: the clock's seconds are those of everything else that runs, too."""
    folder = make_study(tmp_path / "study", 500, faces=140, epochs=20, journal=True)
    path = write_page(page_model(load_study(folder), load_trials(folder)), folder)
    assert path.stat().st_size < 40e6
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.goto(path.as_uri())
    page.wait_for_selector("body.drawn", state="attached")
    measured = {row["name"]: row["value"] for row in session.send("Performance.getMetrics")["metrics"]}
    assert 0 < measured["ThreadTime"] < 3
    assert page.locator("#rows tr").count() == 500
    page.close()
