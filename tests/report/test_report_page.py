from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_lightning.config.flatten import flatten
from fer_lightning.config.objective import Objective
from fer_lightning.report.page.chart_data import curves_of
from fer_lightning.report.page.columns import metric_columns, parameter_columns
from fer_lightning.report.page.config_diff import split_configs
from fer_lightning.report.page.page_data import page_model
from fer_lightning.report.page.render_page import json_for_html
from fer_lightning.report.page.saliency_grids import LARGEST, TOTAL, embedded, picture_budget
from fer_lightning.report.page.study_provenance import latest_command
from fer_lightning.report.page.write import render, write_page
from fer_lightning.runs.confusion_counts import confusion
from fer_lightning.runs.predictions import read_predictions
from fer_lightning.runs.run import Run
from fer_lightning.study.study_report import report_study
from fer_lightning.sweeps.study.results import Trial, load_study, load_trials
from frozen_trials import frozen_trial
from page_study import judged, make_study

HOSTILE = "</script><img src=x onerror=alert(1)>\"&'`<b>{{7*7}}"


def model_of(folder: Path, *, report: bool = False):
    trials = load_trials(folder)
    return page_model(load_study(folder), trials, judged(folder) if report else None)


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("page") / "search", 22, faces=140, epochs=4)


@pytest.fixture(scope="module")
def ablation(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("page") / "ablation", 16, kind="ablation", faces=140, epochs=4)


@pytest.fixture(scope="module")
def search_model(search):
    return model_of(search)


class Elements(HTMLParser):
    """Every element with its attributes, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside in ("script", "style"):
            self.texts.append((self._inside, data))


def test_counts_states_and_reasons_are_those_of_the_study(search, search_model):
    trials = load_trials(search)
    head = search_model.head
    assert head["total"] == 22
    assert dict(head["states"]) == {"complete": 16, "pruned": 4, "failed": 2}
    assert head["lost"] == [
        ["failed", "RuntimeError: out of memory", ["10", "21"]],
        ["pruned", "pruned after epoch 1", ["4", "9", "14", "19"]],
    ]
    assert head["synthetic"] is True
    best = max((t for t in trials if t.state == "COMPLETE"), key=lambda t: t.value)
    assert f"Best: run {best.number}, val/acc {100 * best.value:.2f} %" in head["sentences"][0][1]
    assert "best of 16 single runs" in head["sentences"][-1][1]


def test_columns_hold_each_runs_parameters_and_value(search, search_model):
    trials = load_trials(search)
    columns = {column["name"]: column for column in search_model.data["columns"]}
    assert columns["optimizer.lr"]["log"] is True
    assert columns["model.dropout"]["log"] is False
    assert columns["batch_norm"]["kind"] == "level"
    for i, trial in enumerate(trials):
        assert columns["model.activation"]["cells"][i] == trial.params["model.activation"]
        assert columns["optimizer.lr"]["cells"][i] == pytest.approx(trial.params["optimizer.lr"], rel=1e-6)
        value = trial.intermediate[max(trial.intermediate)] if trial.state == "PRUNED" else trial.value
        assert columns["val/acc"]["cells"][i] == (None if value is None else pytest.approx(value, rel=1e-4))


def test_a_parameter_that_is_no_number_everywhere_is_a_level():
    columns = parameter_columns(
        [{"size": 3, "on": True}, {"size": "auto"}, {"size": 4, "on": None, "seed": 1}]
    )
    assert [(c.name, c.kind, c.cells) for c in columns] == [
        ("size", "level", ("3", "auto", "4")),
        ("on", "level", ("true", None, "null")),
    ]


def test_the_objective_comes_first_and_a_nan_is_no_number():
    columns = metric_columns(
        Objective.of("val/f1"), [0.5, float("nan")], [{"val/acc": 0.25, "val/f1": 0.5}, None]
    )
    assert [(c.name, c.cells, c.unit) for c in columns] == [
        ("val/f1", (0.5, None), "%"),
        ("val/acc", (0.25, None), "%"),
    ]


def test_confusion_curves_and_picture_are_those_of_the_run(search, search_model):
    run = search_model.data["runs"][0]
    counts = confusion(read_predictions(search / "trial_0000" / "val_logits.npz")).counts
    assert run["confusion"] == counts.tolist()
    assert int(np.trace(counts)) == round(load_trials(search)[0].value * 140)
    assert run["curves"]["epoch"] == [1, 2, 3, 4]
    assert run["curves"]["val/acc"] == pytest.approx(
        list(load_trials(search)[0].intermediate.values()), rel=1e-4
    )
    complete = [t.number for t in load_trials(search) if t.state == "COMPLETE"]
    assert set(search_model.pictures) == {f"{number}-correct" for number in complete} | {"0-mistakes"}
    assert run["sheets"]["correct"]["verdict"] == "faithful"
    assert run["sheets"]["correct"]["epoch"] == 4  # counted from 1, as the picture itself says
    assert run["sheets"]["correct"]["faces"] == ["happy"]
    assert run["sheets"]["mistakes"]["faces"] == ["sad taken for fear"]
    assert set(search_model.data["runs"][1]["sheets"]) == {"correct"}
    assert search_model.data["runs"][4]["confusion"] is None  # pruned: no predictions
    assert search_model.data["runs"][10]["curves"] == {}


def test_stored_counts_are_preferred_and_half_written_files_are_not_there(tmp_path):
    (tmp_path / "confusion.json").write_text('{"class_names": ["a", "b"], "counts": [[3, 1], [0, 2]]}')
    (tmp_path / "run.json").write_text('{"status": "run')
    (tmp_path / "metrics.csv").write_text("epoch,val/acc,val/recall/a\n0,0.5,1\n1,nan,1\n")
    run = Run(tmp_path)
    assert run.confusion is not None
    assert run.confusion.counts.tolist() == [[3, 1], [0, 2]]
    assert run.record == {}
    assert curves_of(Trial(frozen_trial(0), run), "val/acc") == {"epoch": [1, 2], "val/acc": [0.5, None]}
    (tmp_path / "confusion.json").write_text('{"class_names": ["a"], "counts": [[3, 1], [0, 2]]}')
    assert Run(tmp_path).confusion is None
    assert curves_of(Trial(frozen_trial(0), Run(tmp_path / "nothing")), "val/acc") == {}


def test_configurations_are_parted_into_common_and_varying():
    runs = [
        {"model": {"act": "relu", "p": 0.5}, "seed": 0, "data": {"seed": 0, "name": "x"}, "output_dir": "a"},
        {"model": {"act": "selu"}, "seed": 1, "data": {"seed": 1, "name": "x"}, "output_dir": "b"},
        {},
    ]
    split = split_configs([flatten(run) for run in runs])
    assert split["common"] == [["data.name", "x"]]
    assert split["varying"] == [
        {"key": "model.act", "values": ["relu", "selu"], "runs": [0, 1, -1]},
        {"key": "model.p", "values": ["0.5", "not set"], "runs": [0, 1, -1]},
        {"key": "seed", "values": ["0", "1"], "runs": [0, 1, -1]},
    ]


def test_history_and_importance_are_those_of_the_search(search_model):
    history = search_model.data["history"]
    assert [number for number, _ in history["pruned"]] == [4, 9, 14, 19]
    assert history["failed"] == [10, 21]
    values = [value for _, value in history["complete"]]
    assert history["best"][-1][1] == max(values)
    shares = dict(search_model.data["importance"])
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
    assert max(shares, key=shares.get) == "optimizer.lr"


def test_an_ablations_verdicts_stand_in_words_and_in_the_plot(ablation):
    trials = load_trials(ablation)
    report = judged(ablation)
    model = page_model(load_study(ablation), trials, report)
    assert model.head["question"] == "Does dropout or activation change val/acc?"
    words = dict(model.head["sentences"])
    assert words["better"].startswith("Better than baseline: dropout=0.0 (+")
    assert words["worse"].startswith("Worse than baseline: dropout=0.9 (-")
    rows = {row["arm"]: row for row in model.data["forest"]["rows"]}
    effect = report.arm("dropout=0.9").effect
    assert effect is not None
    assert rows["dropout=0.9"]["effect"]["mean"] == pytest.approx(100 * effect.mean, rel=1e-4)
    assert rows["dropout=0.9"]["effect"]["seeds"] == pytest.approx(
        [100 * d for d in effect.differences], rel=1e-4
    )
    assert rows["baseline"]["effect"] is None


def test_report_writes_the_page_unless_told_not_to(ablation, tmp_path):
    text = str(report_study(ablation, tmp_path / "with"))
    assert "report.html" in text
    assert "SYNTHETIC DATA" in (tmp_path / "with" / "report.html").read_text(encoding="utf-8")
    assert "report.html" not in str(report_study(ablation, tmp_path / "without", page=False))
    assert not (tmp_path / "without" / "report.html").exists()


def test_the_policy_allows_exactly_the_pages_own_script_and_style(search_model):
    page = Elements(render(search_model))
    policies = [a["content"] for tag, a in page.found if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in policies[0].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert "unsafe" not in policies[0]
    code = "".join(text for tag, text in page.texts if tag == "script" and not text.startswith(("{", "[")))
    style = "".join(text for tag, text in page.texts if tag == "style")
    for rule, text in (("script-src", code), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    for tag, attributes in page.found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        for name in ("src", "href"):
            assert re.match(r"(#|data:|$)", attributes.get(name) or ""), attributes
    assert "http://" not in code.replace("http://www.w3.org/2000/svg", "")


def test_markup_in_names_notes_and_overrides_stays_text(tmp_path):
    folder = make_study(
        tmp_path / "study", 8, kind="ablation", faces=20, epochs=2, pictures=False, note=HOSTILE,
        data_name=HOSTILE, baseline=HOSTILE, classes=(HOSTILE, "b", "c"),
    )  # fmt: skip
    trials = load_trials(folder)
    text = render(page_model(load_study(folder), trials, judged(folder)))
    page = Elements(text)
    assert not [tag for tag, _ in page.found if tag in ("img", "b")]
    assert len(re.findall(r"</script", text)) == 2  # the data's and the script's own
    assert "49" not in re.findall(r"<h1>.*?</h1>", text)[0]
    data = next(json.loads(t) for tag, t in page.texts if tag == "script" and t.startswith("{"))
    assert data["classes"][0] == HOSTILE
    assert data["runs"][0]["arm"] == HOSTILE
    assert HOSTILE in data["runs"][0]["note"]


def test_json_in_html_has_no_character_that_html_reads():
    text = str(json_for_html({"a": "</script><!-- & -->"}))
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"a": "</script><!-- & -->"}


def test_no_credential_and_no_home_path_reaches_the_page(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "planted-value-in-env")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    note = f"see {tmp_path}/home/faces and planted-value-in-env, password=planted-in-note"
    folder = make_study(tmp_path / "study", 8, kind="ablation", faces=20, epochs=2, pictures=False, note=note)
    text = write_page(
        page_model(load_study(folder), load_trials(folder), judged(folder)), tmp_path / "out"
    ).read_text()
    assert "see ~/faces and ***" in text
    for secret in ("planted-value-in-env", "planted-in-note", f"{tmp_path}/home"):
        assert secret not in text


def test_pictures_fit_their_budget(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (400, 1200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    for budget in (LARGEST, 5000):
        found = embedded(tmp_path / "noise.png", budget)
        assert found is not None
        address, width, height = found
        assert address.startswith("data:image/webp;base64,")
        assert len(base64.b64decode(address.split(",")[1])) <= budget
        assert width / height == pytest.approx(3, rel=0.05)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert embedded(tmp_path / "broken.png") is None
    assert picture_budget(50) == LARGEST
    assert 500 * picture_budget(500) <= TOTAL
    # In base64, with as much again for everything else, 500 runs stay under 40 MB.
    assert 500 * picture_budget(500) * 4 / 3 < 30e6


def test_numbers_that_differ_are_shown_to_four_digits_unless_they_would_look_alike():
    found = split_configs([{"lr": 0.21582937101109625, "n": 1500}, {"lr": 0.0012345678, "n": 12345678}])
    assert {row["key"]: row["values"] for row in found["varying"]} == {
        "lr": ["0.2158", "0.001235"],
        "n": ["1500", "12345678"],
    }
    close = split_configs([{"lr": 0.10000001}, {"lr": 0.10000002}])
    assert close["varying"][0]["values"] == ["0.10000001", "0.10000002"]


def test_of_several_commands_the_latest_is_the_one_to_run_again():
    records = [{"command": "run n_trials=9"}, {"command": "run n_trials=18"}, {}]
    assert latest_command(records, {"command": "another"}) == "run n_trials=18"
    assert latest_command([{}], {}) is None
