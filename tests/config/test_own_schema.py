"""Top-level keys of one's own."""

from __future__ import annotations

import pytest

from fer_lightning.config.compose import compose_config
from fer_lightning.config.schema import check_config
from fer_lightning.errors import ConfigError

KEYS = ["schema=own_parts.StudyKeys", "+camera.lens=wide"]


def checked(*words: str):
    config = compose_config(words)
    check_config(config)
    return config


def test_declared_keys_are_there_to_be_used():
    config = checked(*KEYS, "+width=5", "model=custom", "model._target_=my_nets.Net", "model.width=${width}")
    assert (config.model.width, config.camera.lens) == (5, "wide")
    checked("schema=own_parts.LooseKeys")
    checked("schema=own_parts.LooseKeys", "+width=5")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["+width=5"], "width: no such key; "),
        (["+width=5"], "(keys of your own need schema=my.Config)"),
        ([*KEYS, "+widht=5"], "widht: no such key; did you mean width? (schema=own_parts.StudyKeys does not"),
        ([*KEYS, "+width=wide"], "width=wide: expected a whole number"),
        ([*KEYS, "+camera.metres=far"], "camera.metres=far: expected a number"),
        ([*KEYS, "+camera.meters=2"], "camera.meters: no such key; did you mean camera.metres?"),
        (
            ["schema=own_parts.StudyKeys"],
            "camera: has no value; expected +camera=…, which schema=own_parts.StudyKeys requires",
        ),
        (["schema=own_parts.wrong"], "schema=own_parts.wrong: expected a dataclass or a TypedDict"),
        (["schema=own_parts.Absent"], "schema=own_parts.Absent: cannot be imported"),
        (["schema=own_parts.ClashingKeys"], "schema=own_parts.ClashingKeys: seed is a key of the project"),
    ],
)
def test_a_mistake_is_one_line(words, message):
    with pytest.raises(ConfigError) as caught:
        checked(*words)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
