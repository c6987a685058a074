from __future__ import annotations

import logging

import pytest

from fer_lightning.errors import ConfigError
from fer_lightning.messages import counted, first_line, one_line, say_once


def test_a_users_mistake_is_told_without_the_name_of_a_class():
    assert first_line(ConfigError("seed=x: expected a number\nmore")) == "seed=x: expected a number"
    assert one_line(ConfigError("seed=x:\n a  number")) == "seed=x: a number"
    assert first_line(KeyError("x")) == "KeyError: 'x'"
    assert first_line(RuntimeError()) == one_line(RuntimeError()).rstrip(":") == "RuntimeError"


@pytest.mark.parametrize(("count", "said"), [(0, "0 copies"), (1, "1 copy"), (1200, "1,200 copies")])
def test_one_is_counted_in_the_singular(count, said):
    assert counted(count, "copy", "copies") == said
    assert counted(count, "run") == said.split()[0] + (" run" if count == 1 else " runs")


def test_a_note_is_seen_where_logging_is_not_configured(caplog):
    for level, kind in ((logging.WARNING, "WARNING"), (logging.INFO, "INFO")):
        with caplog.at_level(level):
            say_once(f"a note at {kind}")
        assert [(record.levelname, record.getMessage()) for record in caplog.records[-1:]] == [
            (kind, f"a note at {kind}")
        ]
