"""What the tests of the report page share: a browser."""

from __future__ import annotations

import pytest

from browser import CHROMIUM, FLAGS


@pytest.fixture(scope="module")
def browser():
    """Chromium; tests that take it are skipped where it or playwright is missing."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield chromium
        chromium.close()
