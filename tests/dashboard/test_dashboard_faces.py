"""The faces of a study beside its dashboard: what is shown, when it is made anew, and that nothing is written."""

from __future__ import annotations

import base64
import json
import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import page_study
from browser import CHROMIUM, FLAGS
from fer_lightning.report.gallery.shown_faces import STORED
from fer_lightning.report.page.live_faces import LiveFaces
from fer_lightning.sweeps.study.results import load_study, study_trials
from path_proxy import PATH, proxy
from served_study import Served

TOKEN = "a-token-of-this-test"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces") / "study"
    page_study.make_study(folder, 8, kind="ablation", data=page_study.FEW_FACES)
    return folder


def live(folder: Path) -> LiveFaces:
    study = load_study(folder)
    return LiveFaces(lambda: study_trials(study, folder), folder, "Faces of it", "dashboard/studies/1")


@pytest.fixture(scope="module")
def faces(study: Path) -> LiveFaces:
    return live(study)


@pytest.fixture(scope="module")
def served(study: Path, faces: LiveFaces) -> Iterator[Served]:
    found = Served(study, faces=faces.page)
    yield found
    found.close()


def info(page: bytes) -> dict:
    found = re.search(rb'id="faces-info">(.*?)</script>', page, re.S)
    assert found
    told: dict = json.loads(found[1])
    return told


def test_the_page_has_every_run_and_face(served, study):
    status, headers, page = served.ask("GET", "/faces")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    told = info(page)
    predictions = [trial.run.predictions for trial in study_trials(load_study(study), study)]
    assert told["runs"] == list(range(8))
    assert told["count"] == len(predictions[0].labels)
    cells = np.frombuffer(zlib.decompress(base64.b64decode(told["predicted"])), np.uint8).reshape(-1, 8)
    for column, each in enumerate(predictions):
        assert (cells[:, column] == each.logits.argmax(axis=1)).all()
    assert told["sprite"]
    assert told["nearest"]
    assert b"Runs that have ended and left predictions: 8 of 8 trials." in page
    assert b'href="dashboard/studies/1"' in page


def test_a_reload_is_not_made_anew_and_a_browser_keeps_it(served, monkeypatch):
    _, headers, page = served.ask("GET", "/faces")
    monkeypatch.setattr("fer_lightning.report.page.live_faces.page_gallery", None)  # what makes it fails
    assert served.ask("GET", "/faces")[2] == page
    assert served.ask("HEAD", "/faces")[1]["Content-Length"] == str(len(page))
    assert served.ask("POST", "/faces")[0] == 405
    assert served.ask("GET", "/faces", host="evil.example")[0] == 403
    assert headers["Cache-Control"] == "private, no-cache"


def test_optunas_pages_link_to_the_faces(served):
    for path in ("/dashboard", "/dashboard/studies/1"):
        status, headers, page = served.ask("GET", path)
        assert (status, int(headers["Content-Length"])) == (200, len(page))
        assert page.count(b'<a href="/faces"') == 1


def test_without_faces_there_is_no_link(study):
    served = Served(study)
    try:
        assert b"/faces" not in served.ask("GET", "/dashboard")[2]
        assert served.ask("GET", "/faces")[0] == 404
    finally:
        served.close()


def test_a_study_that_runs_shows_the_runs_that_have_ended(study, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(study, folder)
    load_study(folder).set_user_attr("directory", str(folder))
    kept = {path: path.rename(path.with_suffix(".away")) for path in folder.glob("trial_*/val_logits.npz")}
    for path in folder.glob("trial_*/confusion.json"):
        path.unlink()
    found = live(folder)
    served = Served(folder, faces=found.page)
    try:
        status, _, page = served.ask("GET", "/faces")
        assert status == 200
        assert b"No run has left predictions yet: the faces come with the first run that ends." in page
        for number, (path, away) in enumerate(kept.items(), start=1):
            if number < 4:
                away.rename(path)
                assert len(info(served.ask("GET", "/faces")[2])["runs"]) == number
        assert not (folder / STORED).exists()
    finally:
        served.close()


def test_a_study_that_cannot_be_read_is_one_message(study):
    def fail() -> bytes:
        raise OSError("<the disk>")

    served = Served(study, faces=fail)
    try:
        status, _, page = served.ask("GET", "/faces")
        assert status == 500
        assert b"The faces cannot be shown: OSError: &lt;the disk&gt;" in page
    finally:
        served.close()


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium (apt install chromium)")
@pytest.mark.parametrize("way", ["alone", "proxy", "proxy that strips"])
def test_the_link_opens_the_gallery_in_a_browser(study, faces, tmp_path, way):
    sync = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    options = {} if way == "alone" else {"root_path": PATH, "token": TOKEN}
    served = Served(study, **options, faces=faces.page)
    errors: list[str] = []
    try:
        with sync.sync_playwright() as playwright, proxy(served.port, way.endswith("strips")) as through:
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            page.set_default_timeout(120_000)
            page.on("pageerror", lambda error: errors.append(str(error)))
            root = f"http://127.0.0.1:{served.port}" if way == "alone" else through
            page.goto(f"{root}/dashboard/studies/1" + ("" if way == "alone" else f"?token={TOKEN}"))
            with page.expect_response(lambda response: response.url.endswith("/faces")) as gone:
                page.get_by_role("link", name="Faces", exact=True).click()
            assert gone.value.status == 200
            page.wait_for_selector("body.ready")
            assert page.url == f"{root}/faces"
            page.wait_for_selector("#faces-gallery [data-face], #faces-gallery canvas, #faces-gallery img")
            assert "40 faces of 40" in page.inner_text("#faces-gallery")
            page.select_option("select[name=first]", "arm:dropout=0.0")
            page.select_option("select[name=second]", "arm:dropout=0.9")
            page.select_option("select[name=differ]", "first")
            assert re.search(r"\d+ faces? of 40", page.inner_text("#faces-gallery .status"))
            page.screenshot(path=str(tmp_path / "faces.png"))
            page.get_by_role("link", name="Back to the dashboard").click()
            page.wait_for_url(f"{root}/dashboard/studies/1")
            browser.close()
    finally:
        served.close()
    assert errors == []
