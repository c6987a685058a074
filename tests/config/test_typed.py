"""What is typed is taken as typed: texts and paths of all alphabets reach the configuration and the commands."""

from __future__ import annotations

import re
import string

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from fer_lightning.cli import main
from fer_lightning.config.compose import compose_config
from fer_lightning.config.flags import read_command_line
from fer_lightning.config.typed import as_override, key_and_value
from fer_lightning.config.values import check_value
from fer_lightning.errors import ConfigError
from path_names import NAMES

TEXTS = st.text(
    st.one_of(st.sampled_from(string.punctuation + " "), st.characters(codec="utf-8")), max_size=40
)

# Of the functions of Hydra's grammar those that give a sweep or a list; others, such as int(3), are text.
SWEEP = re.compile(r"(choice|range|interval|glob|shuffle|sort|tag|extend_list)\s*\(")


def read(word: str) -> object:
    """What Hydra and OmegaConf make of a word, its interpolations resolved."""
    override = OverridesParser.create().parse_override(as_override(word))
    return OmegaConf.create({"key": override.value()}).key


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(NAMES)
@example("archive (1).zip")
@example("epoch=3-step=100.ckpt")
@example("a${b}\\${c}\\")
@example("true")
@example("2024")
@example("[a,b]")
@example('it\'s "one"')
@example("choice(a,b)")
def test_an_existing_path_is_a_path(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    try:
        for path in (f"./{name}", f"{tmp_path}/{name}", *([] if name[0] == "~" else [name])):
            if path.lower() == "null":
                continue
            assert read(f"++data.path={path}") == path
            assert key_and_value(f"checkpoint={path}") == ("checkpoint", path)
    finally:
        (tmp_path / name).unlink()


@settings(max_examples=200, deadline=None)
@given(TEXTS)
@example("a, b")
@example("relu vs selu: 1/2")
@example("costs ${x} (y)")
@example(" a ")
@example("  ")
@example("archive (1)")
@example("(…)")
@example("max(1)")
@example("int(3)")
@example(" (a, b) ")
def test_free_text_is_text(text):
    plain = text.strip()
    in_quotes = (text[:1] + text[-1:]) in ("''", '""')
    if in_quotes or plain[:1] in tuple("[{") or "${" in text or SWEEP.match(plain) or plain.lower() == "null":
        return  # it is Hydra's own syntax
    assert read(f"note={text}") == text


@pytest.mark.parametrize("name", ["archive (1).zip", "a${b}\\${c}\\", 'it\'s "one" #2, ~b', "été=\udcf6"])
def test_the_composed_configuration_has_the_path(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    config = compose_config([as_override(f"data.path={name}"), "data=image_folder"])
    assert config.data.path == name


@pytest.mark.parametrize(
    "word",
    [
        "model=cnn,vgg16",
        "optimizer.lr=interval(1e-4,1e-2)",
        "seeds=[0,1]",
        "model.dropout=0.5",
        "note='a, b'",
        "note=choice(a,b)",
        "+experiment=ablation",
        "~callbacks",
        "~trainer.max_epochs=3",
        "note=${oc.env:USER}",
        "data.path=null",
        "resume=true",
        "hydra/sweeper=fer_optuna",
        "+db@source=a,b",
        "key=a\\,b",
        "seed=3",
    ],
)
def test_what_is_hydras_stays_hydras(tmp_path, monkeypatch, word):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "3").touch()
    assert as_override(word) == word


def test_a_list_and_a_sweep_of_paths_are_read_by_their_parts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("epoch=3.ckpt", "it's (1).ckpt"):
        (tmp_path / name).touch()
    both = ["epoch=3.ckpt", "it's (1).ckpt"]
    assert key_and_value(f"checkpoint=[{','.join(both)}]") == ("checkpoint", both)
    assert as_override(f"data.path={','.join(both)}") == r"data.path='epoch=3.ckpt','it\'s (1).ckpt'"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("data.path =x", "'data.path ' is no key; expected data.path=x"),
        ("my key=3", "'my key' is no key; expected key=value"),
        ("=3", "'' is no key; expected key=value"),
    ],
)
def test_a_key_that_cannot_be_read_is_answered_with_the_spelling(word, said):
    with pytest.raises(ConfigError) as caught:
        as_override(word)
    assert said in str(caught.value)


def test_a_flags_folder_below_home_is_the_same_for_hydra(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    line = read_command_line(["-cd", "~/mine", "--config-path", "~/mine"])
    assert line.flags == ["--config-path", f"{tmp_path}/mine", "--config-dir", f"{tmp_path}/mine"]
    assert (line.config_dir, line.config_path) == (f"{tmp_path}/mine", f"{tmp_path}/mine")


def test_a_configuration_path_begins_where_it_was_typed(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.yaml").write_text("own_key: 5\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)  # and as before once the test is done
    assert read_command_line(["-cp", "mine"]).flags == ["--config-path", f"{tmp_path}/mine"]
    packaged = "pkg://fer_lightning.conf"
    assert read_command_line(["--config-path", packaged]).config_path == packaged
    assert main(["-cp", "mine", "--cfg", "job"]) == 0
    assert capsys.readouterr().out.strip() == "own_key: 5"
    assert main(["--config-path", "yours", "--cfg", "job"]) == 2
    assert capsys.readouterr().err == "fer_lightning: --config-path yours: no such folder\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        ("null", "'null'"),
        ([None, "a", 1.5], "[null, 'a', 1.5]"),
        ({"a": [False, None]}, "{'a': [false, null]}"),
    ],
)
def test_a_message_shows_a_value_as_it_is_typed(value, shown):
    with pytest.raises(ConfigError) as caught:
        check_value(value, float, "key")
    assert str(caught.value) == f"key={shown}: expected a number"


def test_flags_stand_anywhere(tmp_path):
    line = read_command_line(["seed=1", "-cd", str(tmp_path), "note=a b", "-m"])
    assert (line.words, line.runs, line.multirun) == (["seed=1", "note=a b"], True, True)
    assert line.flags == ["--multirun", "--config-dir", str(tmp_path)]
    assert line.overrides[-1] == f"hydra.searchpath=['file://{tmp_path}']"
    assert not read_command_line(["seed=1", "--cfg", "job"]).runs


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data.path=x"], "--data.path=x: no such flag; did you mean data.path=x?"),
        (["--multirum"], "--multirum: no such flag; did you mean --multirun?"),
        (["-cd", "nowhere"], "--config-dir nowhere: no such folder"),
        (["seed=1", "-cd"], "--config-dir: expected a value after it"),
        (["--cfg", "--multirun"], "--cfg: expected a value after it"),
        (["--multirun=1"], "--multirun: expected no value, not '1'"),
    ],
)
def test_a_flag_that_does_not_exist_is_said(words, said):
    with pytest.raises(ConfigError) as caught:
        read_command_line(words)
    assert said in str(caught.value)
