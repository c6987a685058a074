"""The page that may leave the machine: no path, no command, no machine, and without faces where that is asked."""

from __future__ import annotations

import pytest

from fer_lightning.report.page.shared_page import without_folders


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("no data.path=/home/ada/faces.zip here", "no data.path=…/faces.zip here"),
        ("'/srv/a b/c.zip'", "'…/a b/c.zip'"),
        ("~/work/notes.txt", "…/notes.txt"),
        ("see (/tmp/x) and [/var/tmp/y]", "see (…/x) and […/y]"),
        ("file:///home/ada/a.png", "…/a.png"),
        ("/usr/lib/python3/site.py:12: error", "…/site.py:12: error"),
        ("val/acc of train/loss", "val/acc of train/loss"),
        ("https://host/a/b?c=/d/e", "https://host/a/b?c=…/e"),
        ("2/3 and 1 / 2, s/run", "2/3 and 1 / 2, s/run"),
        ("studies/a/report.html, ./b/c", "studies/a/report.html, ./b/c"),
        ("/", "/"),
    ],
)
def test_a_path_from_the_root_is_its_last_part(text, kept):
    assert without_folders(text) == kept
    assert without_folders({"a": [text, 1, None]}) == {"a": [kept, 1, None]}
