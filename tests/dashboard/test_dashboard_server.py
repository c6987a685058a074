"""The dashboard for others: with a token, under a path, behind a proxy."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import CHROMIUM, FLAGS
from fer_lightning.commands import dashboard
from fer_lightning.dashboard import under_path
from fer_lightning.dashboard.under_path import UnderPath
from fer_lightning.errors import ConfigError
from path_proxy import PATH, proxy
from served_study import Served, make_study

TOKEN = "a-token-of-this-test"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dashboard") / "study"
    make_study(folder)
    return folder


@pytest.fixture(scope="module")
def served(study: Path) -> Iterator[Served]:
    found = Served(study, root_path=PATH, token=TOKEN)
    yield found
    found.close()


def cookie_of(served: Served) -> str:
    status, headers, _ = served.ask("GET", f"/?token={TOKEN}")
    assert status == 303
    return headers["Set-Cookie"].split(";")[0]


@pytest.mark.parametrize("path", ["/", "/dashboard", "/api/studies", "/files/trial_0000/history.png", PATH])
def test_nobody_looks_without_the_token(served, path):
    wrong = cookie_of(served)[:-1] + "x"
    for cookie in (None, "", wrong, "=;=", 'fer_lightning_dashboard="'):
        status, _, body = served.ask("GET", path, cookie=cookie)
        assert (status, b"asks for its token" in body) == (403, True), cookie
    assert served.ask("GET", f"{path}?token=wrong")[0] == 403
    assert served.ask("GET", f"{path}?token=%ff%00")[0] == 403


def test_the_token_is_taken_once_from_the_address(served):
    status, headers, _ = served.ask("GET", f"{PATH}/dashboard/studies/1?token={TOKEN}&numbers=0%2C1")
    assert (status, headers["Location"]) == (303, f"{PATH}/dashboard/studies/1?numbers=0%2C1")
    assert headers["Set-Cookie"].endswith(f"={TOKEN}; Path={PATH}; HttpOnly; SameSite=Lax")
    cookie = cookie_of(served)
    for host in ("lab.example.org", "127.0.0.1", "localhost:1"):
        assert served.ask("GET", "/api/studies", host=host, cookie=cookie)[0] == 200
    assert served.ask("DELETE", "/api/studies/1", cookie=cookie)[0] == 405
    assert served.ask("DELETE", f"/api/studies/1?token={TOKEN}")[0] == 303


def test_the_address_that_comes_after_the_token_is_the_dashboards_own(served):
    for path in ("//evil.example/x", f"{PATH}//evil.example", "/%0d%0aSet-Cookie:%20a=b"):
        status, headers, _ = served.ask("GET", f"{path}?token={TOKEN}")
        assert status == 303
        assert re.match(rf"{PATH}/[^/]", headers["Location"])
        assert "a=b" not in headers["Set-Cookie"]


def test_addresses_lie_below_the_path(served):
    cookie = cookie_of(served)
    for prefix in ("", PATH):
        page = served.ask("GET", f"{prefix}/dashboard", cookie=cookie)[2].decode()
        assert f'src="{PATH}/static/bundle.js"' in page
        _, headers, script = served.ask("GET", f"{prefix}/static/bundle.js", cookie=cookie)
        assert f'url_prefix:"{PATH}/dashboard"'.encode() in script
        assert int(headers["Content-Length"]) == len(script)
        detail = served.ask("GET", f"{prefix}/api/studies/1", cookie=cookie)[2].decode()
        assert f"]({PATH}/files/trial_0000/history.png" in detail
        assert "](/files/" not in detail
        assert served.ask("GET", f"{prefix}/files/trial_0000/history.png", cookie=cookie)[0] == 200
    assert served.ask("GET", "/", cookie=cookie)[1]["Location"] == f"{PATH}/dashboard"


def test_pages_that_name_addresses_in_another_way_are_refused(served, monkeypatch):
    monkeypatch.setitem(under_path.NEEDED, "/dashboard", "another page")
    with pytest.raises(
        ConfigError, match=f"root_path={PATH}: the installed optuna-dashboard cannot be served"
    ):
        UnderPath(served.server.get_app().application.application.application, PATH)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["host=0.0.0.0", "token=false"], "token=false: whoever reaches host=0.0.0.0 could look"),
        (
            ["host=no.such.host.invalid", "port=0"],
            "host=no.such.host.invalid: not an address of this machine",
        ),
        (["host=192.0.2.1", "port=0"], "host=192.0.2.1: not an address of this machine"),
        (["root_path=jupyter"], "root_path=jupyter: expected a path such as /jupyter/proxy/8080"),
        (["root_path=/a b"], "root_path=/a b: expected a path such as"),
        (["token=short"], "token=short: expected"),
    ],
)
def test_what_cannot_be_served_is_one_line(study, options, said):
    with pytest.raises(ConfigError) as error:
        dashboard.main([str(study), *options])
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_a_token_of_ones_own_is_long_enough_to_be_one(study, monkeypatch):
    monkeypatch.setenv("FER_LIGHTNING_DASHBOARD_TOKEN", "short")
    with pytest.raises(
        ConfigError, match="FER_LIGHTNING_DASHBOARD_TOKEN: expected at least 16 letters"
    ) as error:
        dashboard.main([str(study), "token=true"])
    assert "short" not in str(error.value)


@pytest.mark.parametrize("own", [None, TOKEN])
def test_a_dashboard_for_others_prints_an_address_with_its_token(study, monkeypatch, own):
    if own is not None:
        monkeypatch.setenv("FER_LIGHTNING_DASHBOARD_TOKEN", own)
    process = subprocess.Popen(
        [sys.executable, "-m", "fer_lightning", "dashboard", str(study), "port=0", "host=0.0.0.0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.fullmatch(
            r"faces: http://[^/]+:(\d+)/dashboard/studies/1\?token=(\S+) \(Ctrl-C ends it\)\n", said
        )
        assert found, said
        # A token of the user's own is no text for a terminal.
        assert (found[2] == "$FER_LIGHTNING_DASHBOARD_TOKEN") if own else len(found[2]) >= 32
        for token, status in ((own or found[2], 303), ("wrong", 403)):
            connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=120)
            connection.request("GET", f"/?token={token}")
            assert connection.getresponse().status == status
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0
    finally:
        process.kill()


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium (apt install chromium)")
@pytest.mark.parametrize("way", ["alone", "proxy", "proxy that strips"])
def test_trials_are_compared_in_a_browser(study, tmp_path, way):
    sync = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    served = Served(study) if way == "alone" else Served(study, root_path=PATH, token=TOKEN)
    errors: list[str] = []
    try:
        with sync.sync_playwright() as playwright, proxy(served.port, way.endswith("strips")) as through:
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
            page = browser.new_page(viewport={"width": 2400, "height": 1200})
            page.on("pageerror", lambda error: errors.append(str(error)))
            root = f"http://127.0.0.1:{served.port}" if way == "alone" else through
            address = f"{root}/dashboard/studies/1/trials?numbers=0,1,2"
            token = "" if way == "alone" else f"&token={TOKEN}"
            page.goto(f"{address}{token}", wait_until="commit", timeout=600_000)
            for number in (0, 1, 2):
                for name in ("confusion", "saliency"):
                    picture = page.locator(f"img[src*='/files/trial_000{number}/{name}.png']").first
                    picture.wait_for(timeout=600_000)
                    page.wait_for_function(
                        "picture => picture.complete && picture.naturalWidth === 60",
                        arg=picture.element_handle(),
                        timeout=600_000,
                    )
            assert page.locator("img[src*='/files/']").count() == 9
            assert "token" not in page.url
            page.screenshot(path=str(tmp_path / "compare.png"))
            browser.close()
    finally:
        served.close()
    assert errors == []
