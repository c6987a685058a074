from __future__ import annotations

import io
import logging
import time
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from fer_lightning.redact import RedactingFormatter, RedactingStream, redact, redact_text
from fer_lightning.runs.files import yaml_text
from fer_lightning.runs.metrics_csv import MetricsCsv, read_metrics
from fer_lightning.runs.provenance import git_state, versions
from fer_lightning.tracking.logger import WandbRun


def test_secrets_and_the_home_path_do_not_get_through(monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "abcdef0123456789")
    monkeypatch.setenv("HOME", "/home/ada")
    text = "postgresql://ada:hunter2@host/db key abcdef0123456789 token=qwerty at /home/ada/x and /home/adam"
    assert redact_text(text) == "postgresql://ada:***@host/db key *** token=*** at ~/x and /home/adam"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://ghp_abc123@github.com/ada/faces.git", "https://***@github.com/ada/faces.git"),
        ("origin https://ada:hunter2@host/x (fetch)", "origin https://***@host/x (fetch)"),
        ("git+HTTPS://tok:x-oauth-basic@host", "git+HTTPS://***@host"),
        ("('http://t@host:8080/a', 1)", "('http://***@host:8080/a', 1)"),
        ("postgresql+psycopg://ada:with/slash@host/db", "postgresql+psycopg://ada:***@host/db"),
        ("redis://:hunter2@host", "redis://:***@host"),
    ],
)
def test_credentials_in_addresses_are_masked(text, expected):
    assert redact_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ada@host:5433/db",
        "https://host:8080/page@version?mail=a@b",
        "https://host?mail=a@b",
        "https://host#a@b",
        "https://host, ada@example.org",
        'href="https://host">ada@example.org',
        "git@github.com:ada/faces.git",
        "sqlite:////tmp/a/study.db",
    ],
)
def test_addresses_without_credentials_stay_as_they_are(text):
    assert redact_text(text) == text


def test_nested_values_are_redacted_by_key_and_by_content(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    values = {
        "db": {"password": "x", "host": "h"},
        "paths": ["/home/ada/a", 3, None],
        "lr": 0.1,
        "token": None,
    }
    assert redact(values) == {
        "db": {"password": "***", "host": "h"},
        "paths": ["~/a", 3, None],
        "lr": 0.1,
        "token": None,
    }


@pytest.mark.parametrize("name", ["compassion", "passive", "token", "secret", "secretary", "tokenizer"])
def test_a_class_may_have_a_secrets_name(monkeypatch, name):
    monkeypatch.setenv("PASSIVE_CLASSES", "compassion")
    row = {
        f"val/recall/{name}": 0.53,
        f"faces/{name}": 4965,
        "per_class": {name: {"recall": 0.0, "faces": 12}},
    }
    assert redact(row) == row
    for line in (
        f"val/recall/{name}=0.53",
        f"{name}: 12 faces",
        f"recall {name}: 97.5%, sad: 3",
        f"{name} = 1e-05",
    ):
        assert redact_text(line) == line


@pytest.mark.parametrize(
    "key", ["DB_PASS", "pgpassword", "authtoken", "access_token2", "clientSecret", "apiKey"]
)
def test_a_secret_is_masked_under_every_such_name(key):
    assert redact({key: "hunter2", "many": {key: ["a", {"x": "b"}]}}) == {
        key: "***",
        "many": {key: ["***", {"x": "***"}]},
    }
    assert redact({key: 12345678}) == {key: "***"}
    if key != "DB_PASS":
        assert redact_text(f"{key}=12345678 {key}: hunter2") == f"{key}=*** {key}: ***"


def test_log_lines_are_redacted(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    record = logging.LogRecord("n", logging.INFO, "f", 1, "kept in %s", ("/home/ada/runs",), None)
    assert RedactingFormatter("%(message)s").format(record) == "kept in ~/runs"


def test_printed_lines_are_redacted_however_they_come(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("MY_TOKEN", "abcdef0123456789")
    below = io.StringIO()
    stream = RedactingStream(below)
    print("key abcdef01", end="", file=stream)
    assert below.getvalue() == ""
    print("23456789\nat /home/ada/x", file=stream)
    stream.writelines(["pass", "word=hunter2"])
    stream.flush()
    assert below.getvalue() == "key ***\nat ~/x\n"
    stream.close()
    assert below.getvalue() == "key ***\nat ~/x\npassword=***"


def test_metrics_of_an_epoch_share_a_row_and_survive_an_interruption(tmp_path):
    log = MetricsCsv(tmp_path)
    for epoch in range(3):
        log.log_metrics({"epoch": epoch, "val/acc": 0.1 * epoch}, step=10 * epoch + 9)
        log.log_metrics({"epoch": epoch, "train/loss": 2.0 - epoch}, step=10 * epoch + 9)
    rows = read_metrics(tmp_path / "metrics.csv")
    assert rows[2] == {"epoch": 2, "step": 30, "val/acc": 0.2, "train/loss": 0.0}
    again = MetricsCsv(tmp_path)
    again.restore(2, again.path)
    again.log_metrics({"epoch": 2, "val/acc": 0.9}, step=29)
    assert [row["val/acc"] for row in read_metrics(tmp_path / "metrics.csv")] == [0.0, 0.1, 0.9]
    lines = (tmp_path / "metrics.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [["0", "10"], ["1", "20"], ["2", "30"]]


def test_versions_and_code_state_are_known():
    assert versions()["torch"].startswith("2.")
    state = git_state()
    assert state is None or len(state["commit"]) == 40


def content_with(path: Path, wanted: bytes) -> bytes:
    """The file as soon as ``wanted`` is in it: W&B's service writes a moment after the run has ended."""
    for _ in range(100):
        content = path.read_bytes()
        if wanted in content:
            return content
        time.sleep(0.1)
    raise AssertionError(f"{wanted!r} was not written to {path}")


def offline_runs(folder: Path) -> list[Path]:
    return sorted(folder.glob("wandb/offline-run-*/run-*.wandb"))


def test_two_runs_of_one_process_are_two_offline_runs(tmp_path):
    for name in ("a", "b"):
        run = WandbRun(tmp_path / name, mode="offline", run_config={"lr": 0.1}, run_id=f"study-{name}")
        run.log_metrics({"epoch": 0, "val/acc": 0.5}, step=1)
        run.log_metrics({"epoch": 0, "train/acc": 0.6}, step=1)
        run.summarize({"state": "complete"})
        run.close()
        run.close()
    for name in ("a", "b"):
        (found,) = offline_runs(tmp_path / name)
        assert found.name == f"run-study-{name}.wandb"
        content = content_with(found, b"complete")
        assert b"val/acc" in content
        assert b"train/acc" in content


def test_training_goes_on_when_wandb_cannot_start(tmp_path, tiny, monkeypatch):
    import wandb

    from fer_lightning.config.compose import compose_config
    from fer_lightning.training.train import train

    def broken(**options):
        raise RuntimeError("no service")

    monkeypatch.setattr(wandb, "init", broken)
    words = [word for word in tiny if word != "logger=csv"]
    result = train(compose_config([*words, "logger=wandb"]), tmp_path)
    assert result.record["status"] == "complete"
    assert len(read_metrics(tmp_path / "metrics.csv")) == 1


def test_wandb_gets_the_run_without_secrets(tmp_path, tiny, monkeypatch):
    from fer_lightning.config.compose import compose_config
    from fer_lightning.training.train import train

    monkeypatch.setenv("SOME_TOKEN", "planted-secret-0123")
    words = [word for word in tiny if word != "logger=csv"]
    train(compose_config([*words, "logger=wandb", "note='planted-secret-0123'"]), tmp_path)
    (found,) = offline_runs(tmp_path)
    content_with(found, b"best/val/acc")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"planted-secret-0123" not in path.read_bytes(), path


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1, "b": [0.001, 1e-8, float("inf"), None, True, "true", "1e-3", "12", "null", "", "~", "no"]},
        {"text": "zwölf Wörter: " + "lang " * 60, "lines": "one\ntwo\n", "quote": 'it\'s "so" # not'},
        {"empty": {}, "none": [], "deep": {"list": [{"x": [1, [2, {"y": "${not.followed}"}]]}]}},
    ],
)
def test_yaml_is_what_omegaconf_writes_and_reads_back_the_same(value):
    plain = OmegaConf.create(value, flags={"allow_objects": True})
    assert OmegaConf.to_container(OmegaConf.create(yaml_text(value))) == value
    assert yaml.safe_load(yaml_text(value)) == yaml.safe_load(OmegaConf.to_yaml(plain))
    same = [1, 2]
    assert yaml_text({"a": same, "b": same}) == "a:\n- 1\n- 2\nb:\n- 1\n- 2\n"
