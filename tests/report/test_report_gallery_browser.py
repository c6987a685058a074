"""The page's faces in a real browser: filters, two arms beside each other, confusion cells, one face, keys, size."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from browser import CHROMIUM
from fer_lightning.report.page import page_gallery, page_model, write_page
from fer_lightning.runs.predictions import read_predictions, write_predictions
from fer_lightning.sweeps.study.results import load_study, load_trials
from page_study import FEW_FACES, judged, make_study

PATIENCE = 120_000  # milliseconds: on a busy machine a page waits for its turn
playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces") / "study"
    make_study(folder, 12, kind="ablation", epochs=2, data=FEW_FACES)
    trials = load_trials(folder)
    write_page(
        page_model(load_study(folder), trials, judged(folder), gallery=page_gallery(trials, folder)), folder
    )
    return folder


@pytest.fixture(scope="module")
def arms(study):
    """Of each arm its runs' predicted classes, int [3, 40]; and the true ones."""
    runs = [read_predictions(study / f"trial_{n:04d}" / "val_logits.npz") for n in range(12)]
    names = ("baseline", "dropout=0.0", "dropout=0.9", "activation=selu")
    predicted = {name: np.stack([run.logits.argmax(1) for run in runs[i::4]]) for i, name in enumerate(names)}
    return predicted, runs[0].labels, runs[0].ids.tolist(), runs[0].class_names


@pytest.fixture
def opened(browser, study):
    """Open the page at its faces; whatever the console says, and any request, fails the test."""
    said: list[str] = []
    contexts = []

    def visit(*, seen: bool = True, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda r: said.append(r.url) if r.url.startswith("http") else None)
        page.goto((study / "report.html").as_uri())
        page.wait_for_selector("body.ready")
        if seen:
            page.locator("#faces").scroll_into_view_if_needed()
            page.wait_for_selector("#face-tiles .tile")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert said == []


def shown(page, ids) -> list[int]:
    tiles = page.locator("#face-tiles .tile").all()
    found = [int(tile.get_attribute("data-face")) for tile in tiles]
    assert [str(t.get_attribute("aria-label")).split(":")[0] for t in tiles] == [ids[f] for f in found]
    return found


def test_the_filters_keep_the_faces_that_they_say(opened, arms):
    predicted, labels, ids, names = arms
    page = opened()
    assert shown(page, ids) == list(range(40))
    page.locator("select[name=first]").select_option("arm:dropout=0.9")
    runs = predicted["dropout=0.9"]
    times = (runs == labels).sum(0)
    page.locator("select[name=truth]").select_option(label="happy")
    happy = labels == names.index("happy")
    assert shown(page, ids) == np.flatnonzero(happy).tolist()
    page.locator("input[name=least]").fill("1")
    page.locator("input[name=most]").fill("2")
    page.locator("input[name=most]").press("Tab")
    assert shown(page, ids) == np.flatnonzero(happy & (times >= 1) & (times <= 2)).tolist()
    page.get_by_role("button", name="Show all faces").click()
    page.locator("select[name=named]").select_option(label="sad")
    sad = (runs == names.index("sad")).any(0)
    assert shown(page, ids) == np.flatnonzero(sad).tolist()
    assert page.locator("#faces .status").inner_text().split(" · ")[0] == f"{sad.sum()} faces of 40"
    page.get_by_role("button", name="Show all faces").click()
    page.locator("select[name=sort]").select_option("right")
    assert [times[face] for face in shown(page, ids)] == sorted(times)
    page.get_by_role("button", name="Turn the order round").click()
    assert [times[face] for face in shown(page, ids)] == sorted(times, reverse=True)
    # A picture is drawn from the sheet: not blank.
    levels = page.locator("#face-tiles canvas").first.evaluate(
        "async c => { await new Promise(done => setTimeout(done, 300));"
        " return new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size }"
    )
    assert levels > 20


def test_two_arms_show_the_faces_that_one_gets_right_more_often(opened, arms):
    predicted, labels, ids, _ = arms
    page = opened()
    page.get_by_label("Compare arm dropout=0.0").check()
    page.get_by_label("Compare arm dropout=0.9").check()
    page.get_by_role("button", name="dropout=0.0 gets right, dropout=0.9 wrong").click()
    first, second = ((predicted[name] == labels).sum(0) for name in ("dropout=0.0", "dropout=0.9"))
    found = shown(page, ids)
    assert sorted(found) == np.flatnonzero(first > second).tolist()
    gains = [int(first[face] - second[face]) for face in found]
    assert gains == sorted(gains, reverse=True)
    assert page.locator("#face-tiles .tile-shares").first.inner_text().split() == [
        f"{first[found[0]]}/3",
        f"{second[found[0]]}/3",
    ]
    page.get_by_role("button", name="swap").click()
    assert sorted(shown(page, ids)) == np.flatnonzero(first > second).tolist()
    page.locator("select[name=differ]").select_option("first")  # now dropout=0.9 is the first
    assert sorted(shown(page, ids)) == np.flatnonzero(second > first).tolist()


def test_a_click_on_a_confusion_cell_shows_its_faces(opened, arms):
    predicted, labels, ids, _ = arms
    page = opened(seen=False)
    page.get_by_label("Compare arm baseline").check()
    page.get_by_label("Compare arm dropout=0.9").check()
    runs = predicted["baseline"]
    pairs = Counter(zip(np.tile(labels, 3).tolist(), runs.ravel().tolist(), strict=True))
    (true, named), count = next((pair, n) for pair, n in pairs.most_common() if pair[0] != pair[1])
    page.get_by_label("show per cent").uncheck()
    cell = page.locator("table.matrix").nth(0).locator("tbody tr").nth(true).locator("td").nth(named)
    assert cell.inner_text() == str(count)
    cell.get_by_role("button").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#face-tiles .tile")
    expected = np.flatnonzero((labels == true) & (runs == named).any(0)).tolist()
    assert sorted(shown(page, ids)) == expected
    assert sum((runs[:, face] == named).sum() for face in expected) == count
    # A cell of a difference: the faces that either of the two takes so, those that differ most first.
    other = predicted["dropout=0.9"]
    cell = page.locator("table.matrix").nth(2).locator("tbody tr").nth(true).locator("td").nth(named)
    cell.get_by_role("button").click()
    page.wait_for_function("look.second === 'arm:baseline'") if False else page.wait_for_timeout(300)
    seen = (labels == true) & ((runs == named).any(0) | (other == named).any(0))
    found = shown(page, ids)
    assert sorted(found) == np.flatnonzero(seen).tolist()
    gaps = [abs(int((runs[:, f] == named).sum()) - int((other[:, f] == named).sum())) for f in found]
    assert gaps == sorted(gaps, reverse=True)
    empty = next((i, j) for i in range(7) for j in range(7) if not pairs[i, j])
    cell = page.locator("table.matrix").nth(0).locator("tbody tr").nth(empty[0]).locator("td").nth(empty[1])
    assert cell.get_by_role("button").count() == 0


def test_one_face_tells_what_every_run_says_of_it_and_is_reached_by_keys(opened, arms, study):
    predicted, labels, ids, names = arms
    page = opened()
    page.locator("#face-tiles .tile").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    dialog = page.locator("#face-detail")
    assert dialog.locator("#face-title").inner_text() == ids[1]
    assert f"true class: {names[labels[1]]}" in dialog.inner_text()
    rows = dialog.locator("table.matrix").first.locator("tbody tr").all_inner_texts()
    right = {name: int((runs == labels)[:, 1].sum()) for name, runs in predicted.items()}
    for name, times in right.items():
        assert any(row.startswith(f"{name} {times}/3") for row in rows)
    dialog.locator("summary").click()
    each = dialog.locator("details table tbody tr")
    each.last.wait_for()  # a folded part is filled when it has been opened
    assert each.count() == 12
    run = read_predictions(study / "trial_0000" / "val_logits.npz").logits[1]
    shares = np.exp(run - run.max()) / np.exp(run - run.max()).sum()
    cells = each.filter(has_text="run 0:").locator("td").all_inner_texts()
    assert [int(cell) for cell in cells] == pytest.approx((100 * shares).tolist(), abs=0.8)
    assert dialog.locator(".nearest canvas").count() == 3
    page.keyboard.press("ArrowLeft")
    assert dialog.locator("#face-title").inner_text() == ids[0]
    # The grids of all runs drew the first face; shown is one of each arm, and the mistakes of run 0.
    assert "12 runs drew this face" in dialog.inner_text()
    assert dialog.locator("figure.saliency img").count() == 4
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.dataset.face") == "0"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_faces_and_one_face_without_sideways_scrolling(opened, scheme):
    page = opened(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#face-tiles .tile").nth(3).click()
    assert page.locator("#face-detail").evaluate(
        "d => d.scrollWidth <= d.clientWidth && d.clientWidth <= 390"
    )


def test_markup_in_names_of_classes_arms_and_faces_stays_text(browser, tmp_path):
    hostile = "<img src=x onerror=\"document.title='hit'\"><b>bold</b>"
    folder = make_study(
        tmp_path / "study", 8, kind="ablation", faces=20, epochs=2, pictures=False, baseline=hostile,
        classes=(hostile, "b"),
    )  # fmt: skip
    trials = load_trials(folder)
    for trial in trials:
        found = read_predictions(folder / f"trial_{trial.number:04d}" / "val_logits.npz")
        ids = np.array([f"{hostile}{name}" for name in found.ids])
        write_predictions(folder / f"trial_{trial.number:04d}" / "val_logits.npz", replace(found, ids=ids))
    trials = load_trials(folder)
    path = write_page(
        page_model(load_study(folder), trials, judged(folder), gallery=page_gallery(trials)), folder
    )
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(path.as_uri())
    page.locator("#faces").scroll_into_view_if_needed()
    page.wait_for_selector("#face-tiles .tile")
    page.locator("select[name=first]").select_option(f"arm:{hostile}")
    assert "Without pictures" in page.locator("#faces").inner_text()
    page.locator("#face-tiles .tile").first.click()
    assert page.locator("#face-title").inner_text() == f"{hostile}0"
    assert page.locator("main img, main b, dialog b").count() == 0
    assert page.title() != "hit"
    page.close()


@pytest.mark.slow
def test_the_faces_of_500_runs_take_under_8_megabytes_and_3_seconds(browser, tmp_path):
    """Without saliency grids, whose bytes and seconds are tested with the rest of the page."""
    node = FEW_FACES | {"drawing": {"n_train": 400, "n_val": 3589, "n_test": 20}}
    folder = make_study(tmp_path / "study", 500, epochs=2, pictures=False, data=node, journal=True)
    trials = load_trials(folder)
    complete = sum(trial.state == "COMPLETE" for trial in trials)
    path = write_page(page_model(load_study(folder), trials, gallery=page_gallery(trials, folder)), folder)
    assert path.stat().st_size < 8e6
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def seconds() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float({row["name"]: row["value"] for row in metrics}["ThreadTime"])

    page.goto(path.as_uri())
    page.wait_for_selector("body.ready", state="attached")
    opened = seconds()
    assert 0 < opened < 3
    page.locator("#faces").scroll_into_view_if_needed()
    page.wait_for_selector("#face-tiles .tile")
    assert seconds() - opened < 3
    assert page.locator("#faces .status").inner_text().split(" · ")[0] == "3,589 faces of 3,589"
    said = f"Of {complete} runs the page holds the class that each predicts and its probability, not those of all 7"
    assert said in page.locator("#faces").inner_text()
    # A run alone has what is kept of it: the probability of the class that it predicts.
    run = read_predictions(folder / "trial_0000" / "val_logits.npz").logits[0]
    page.locator("select[name=first]").select_option("run:0")
    page.locator("#face-tiles .tile").first.click()
    cells = (
        page.locator("#face-detail table")
        .first.locator("tr", has_text="run 0")
        .locator("td")
        .all_inner_texts()
    )
    shares = np.exp(run - run.max()) / np.exp(run - run.max()).sum()
    assert [cell != "" for cell in cells] == [place == run.argmax() for place in range(7)]
    assert float(max(cells)) == pytest.approx(100 * shares.max(), abs=0.8)
    page.close()


@pytest.mark.real_data
def test_fer2013s_faces_take_three_megabytes_and_the_page_of_50_runs_under_eight(browser, tmp_path):
    node = FEW_FACES | {"name": "fer2013", "path": os.environ["FER2013_PATH"]}
    node.pop("drawing")
    folder = make_study(tmp_path / "study", 50, kind="ablation", epochs=20, data=node)
    trials = load_trials(folder)
    found = page_gallery(trials, folder)
    assert found is not None
    assert 2e6 < len(found.pictures["faces"]) < 3.2e6
    assert len(found.pictures["nearest"]) < 1.3e6
    path = write_page(page_model(load_study(folder), trials, judged(folder), gallery=found), folder)
    assert path.stat().st_size < 8e6
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.goto(path.as_uri())
    page.wait_for_selector("body.ready", state="attached")
    measured = {row["name"]: row["value"] for row in session.send("Performance.getMetrics")["metrics"]}
    assert 0 < measured["ThreadTime"] < 1.5
    page.locator("#faces").scroll_into_view_if_needed()
    page.wait_for_selector("#face-tiles .tile")
    assert page.locator("#faces .status").inner_text().split(" · ")[0] == "3,589 faces of 3,589"
    # What is known of FER2013: 280 validation faces have an exact copy in training.
    page.locator("select[name=copies]").select_option("exact")
    assert page.locator("#faces .status").inner_text().split(" · ")[0] == "280 faces of 3,589"
    page.close()
