"""From what a job returns to the words on the page: the better arm is never called worse, whatever is judged."""

from __future__ import annotations

import csv
import html
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from fer_lightning.report.page.page_data import page_model
from fer_lightning.runs.predictions import Predictions, write_predictions
from fer_lightning.study.study_report import report_study
from fer_lightning.sweeps.jobs.environment import Job
from fer_lightning.sweeps.jobs.session import TrialSession
from fer_lightning.sweeps.options import SweepOptions
from fer_lightning.sweeps.plan.parse_plan import parse_plan
from fer_lightning.sweeps.queue.claim import Claim
from fer_lightning.sweeps.queue.trial_queue import TrialQueue
from fer_lightning.sweeps.space.parse_space import parse_space
from fer_lightning.sweeps.study.address import storage_url
from fer_lightning.sweeps.study.open import StudySpec, open_study
from fer_lightning.sweeps.study.place import leave_place
from fer_lightning.sweeps.study.results import load_study, load_trials

PLAN = {"factors": {"arm": {"key": "arm", "levels": ["good", "bad"], "baseline": "plain"}}}
GOOD, BAD = "arm=good", "arm=bad"
SAMPLER = {"_target_": "optuna.samplers.RandomSampler"}
FACES = 200
SEEDS = (0, 1, 2, 3)
STORAGES = ("sqlite", "journal", "elsewhere")
LOST = ("nan", "error", "pruned", "infinite")


@dataclass(frozen=True)
class Judged:
    """What a program's study compares, and how its jobs give it back."""

    name: str
    direction: str
    typical: float
    unit: str | None = None
    logits: str = "none"  # "agree" with the value, "contrary" to it, "none"
    attached: bool = True

    def __str__(self) -> str:
        return f"{self.direction}-{self.name}-{self.unit}-{self.logits}"

    @property
    def gain(self) -> float:
        """Added to a value, it makes it better."""
        return 0.1 * abs(self.typical) * (1 if self.direction == "maximize" else -1)

    @property
    def is_share(self) -> bool:
        return self.unit == "share" or (self.unit is None and (self.name, self.direction) in SHARES)


SHARES = {("val/acc", "maximize"), ("val/f1", "maximize"), ("val/ece", "minimize")}
OBJECTIVES = [
    Judged("val/acc", "maximize", 0.5, logits="agree"),
    Judged("val/acc", "maximize", 0.5),
    Judged("val/f1", "maximize", 0.5, logits="contrary"),
    Judged("val/ece", "minimize", 0.1, logits="contrary"),
    Judged("val/loss", "minimize", 1.9, logits="contrary"),
    Judged("val/acc", "minimize", 0.5, logits="contrary", attached=False),
    Judged("val/acc", "maximize", 0.5, logits="contrary"),
    Judged("error", "minimize", 0.5, attached=False),
    Judged("error", "minimize", 0.5, unit="share", attached=False),
    Judged("error", "minimize", 4e-6, unit="m"),
    Judged("error", "minimize", 37000.0, unit="s", attached=False),
    Judged("objective", "maximize", 12.5, attached=False),
    Judged("gain", "minimize", -3.0, unit="dB"),
]


class Sweep:
    """A study on disk whose trials are claimed and told as the sweeper and its jobs do it."""

    def __init__(self, root: Path, judged: Judged, storage: str, **options: Any) -> None:
        self.folder, self.judged = root / "sweep", judged
        place = str(root / "all.db") if storage == "elsewhere" else storage
        options = {"objective": judged.name, "direction": judged.direction, "unit": judged.unit, **options}
        plan = parse_plan(PLAN, SEEDS) if "n_trials" not in options else None
        space = {} if plan else {"x": {"type": "float", "low": 0, "high": 1}}
        self.spec = StudySpec(
            name="s",
            url=storage_url(place, self.folder),
            sweep_dir=self.folder,
            options=SweepOptions(sampler=SAMPLER, seed=0, **options),
            fixed={},
            space=parse_space(space),
            plan=plan,
            lookup=lambda key: None,
        )
        self.folder.mkdir(parents=True)
        self.study = open_study(self.spec)
        leave_place(self.folder, self.spec.url, "s")
        self.queue = TrialQueue(self.study, self.spec)

    def waiting(self) -> Iterator[Claim]:
        while claims := self.queue.claim(1):
            yield claims[0]

    def tell(self, claim: Claim, value: float, lost: str | None = None) -> None:
        """End a trial as its job would: by itself where it is attached, by what it returns otherwise."""
        if self.judged.attached or lost in ("error", "pruned"):
            self._attached(claim, value, lost)
        elif lost == "nan":
            self.queue.tell(claim, TrialState.FAIL, reason="the job returned no result but nan")
        else:
            given_back = math.inf * self.judged.gain if lost == "infinite" else value
            self.queue.tell(claim, TrialState.COMPLETE, values=[given_back])

    def _attached(self, claim: Claim, value: float, lost: str | None) -> None:
        job = Job(
            study="s", storage=self.spec.url, trial_id=claim.trial_id, number=claim.number, token=claim.token,
            directory=self.folder / claim.directory, resume=claim.resume, heartbeat=30,
            max_deaths=5,
        )  # fmt: skip
        # What is lost looks splendid, so that counting it would show.
        shown = value if lost is None else value + 5 * self.judged.gain
        try:
            with TrialSession(job) as session:
                session.report(shown, 0)
                if lost == "error":
                    raise RuntimeError("out of memory")
                if lost == "pruned":
                    session.prune("pruned after epoch 1")
                else:
                    result = {None: value, "nan": math.nan, "infinite": math.inf * self.judged.gain}[lost]
                    session.complete({self.judged.name: result, "other": 0.5})
        except RuntimeError:
            pass

    def write_logits(self, claim: Claim, value: float) -> None:
        """Leave the predictions of a run: those behind its value, or others that point the other way."""
        if self.judged.logits == "none":
            return
        accuracy = value if self.judged.logits == "agree" else 0.5 - 2 * (value / self.judged.typical - 1)
        accuracy = accuracy if self.judged.direction == "maximize" else 1 - accuracy
        labels = np.arange(FACES) % 2
        wrong = np.arange(FACES) >= round(np.clip(accuracy, 0, 1) * FACES)
        logits = np.eye(2, dtype=np.float32)[np.where(wrong, 1 - labels, labels)]
        folder = self.folder / claim.directory
        folder.mkdir(exist_ok=True)
        write_predictions(
            folder / "val_logits.npz", Predictions(logits, labels, np.arange(FACES).astype(str), ("a", "b"))
        )


def run_plan(sweep: Sweep, lost: dict[tuple[str, int], str], noise: list[float]) -> None:
    """Run the plan: the arm that is good gains, the bad one loses, by ten times what seeds differ by."""
    effect = {"baseline": 0.0, GOOD: 1.0, BAD: -1.0}
    for claim in sweep.waiting():
        attrs = sweep.study._storage.get_trial(claim.trial_id).user_attrs
        arm, seed = attrs["arm"], attrs["seed"]
        jitter = noise[(seed + 4 * list(effect).index(arm)) % len(noise)]
        value = sweep.judged.typical + sweep.judged.gain * (effect[arm] + 0.1 * jitter)
        if sweep.judged.logits == "agree":
            value = round(value * FACES) / FACES
        sweep.write_logits(claim, value)
        sweep.tell(claim, value, lost.get((arm, seed)))


def sentences(folder: Path) -> dict[str, str]:
    """What the page says of each word, as a reader sees it."""
    text = (folder / "report.html").read_text(encoding="utf-8")
    found = re.findall(r'<li data-verdict="([^"]+)">(.*?)</li>', text)
    return {word: html.unescape(sentence) for word, sentence in reversed(found)}


def check_words(folder: Path, text: str, expected: dict[str, str]) -> None:
    """Every output calls the arms by the expected words, the best of them first."""
    report = json.loads((folder / "report.json").read_text())
    assert {row["arm"]: row["verdict"] for row in report["arms"]} == expected | {"baseline": "baseline"}
    rows = list(csv.DictReader((folder / "report.csv").open()))
    assert {row["arm"]: row["verdict"] for row in rows} == expected | {"baseline": "baseline"}
    order = [arm for arm in (GOOD, "baseline", BAD) if expected.get(arm, "") != "not enough seeds"]
    tables = {
        "json": [row["arm"] for row in report["arms"]],
        "csv": [row["arm"] for row in rows],
        "text": re.findall(r"^(baseline|arm=good|arm=bad) ", text, re.MULTILINE),
        "markdown": re.findall(r"^\| (baseline|arm=good|arm=bad) ", (folder / "report.md").read_text(), re.MULTILINE),
    }  # fmt: skip
    for name, arms in tables.items():
        assert [arm for arm in arms if arm in order] == order, name
    for arm, word in expected.items():
        (line,) = re.findall(rf"^{arm} .*", text, re.MULTILINE)
        assert word in line
        (line,) = re.findall(rf"^\| {arm} .*", (folder / "report.md").read_text(), re.MULTILINE)
        assert word in line
    said = sentences(folder)
    for word, arm in (("better", GOOD), ("worse", BAD)):
        assert (arm in said.get(word, "")) == (expected[arm] == word)
        assert {GOOD: BAD, BAD: GOOD}[arm] not in said.get(word, "")


@pytest.mark.slow
@pytest.mark.parametrize("judged", OBJECTIVES, ids=str)
@settings(max_examples=3, deadline=None, derandomize=True, phases=[Phase.generate])
@given(
    storage=st.sampled_from(STORAGES),
    lost=st.dictionaries(
        st.tuples(st.sampled_from(["baseline", GOOD, BAD]), st.sampled_from(SEEDS)),
        st.sampled_from(LOST),
        max_size=3,
    ),
    noise=st.permutations([-1.0, -0.7, -0.4, 0.0, 0.3, 0.5, 0.8, 1.0, 0.1, -0.2, 0.6, -0.9]),
)
def test_the_better_arm_is_never_called_worse(
    tmp_path_factory: pytest.TempPathFactory,
    judged: Judged,
    storage: str,
    lost: dict[tuple[str, int], str],
    noise: list[float],
) -> None:
    sweep = Sweep(tmp_path_factory.mktemp("study"), judged, storage)
    run_plan(sweep, lost, noise)
    text = str(report_study(sweep.folder, sweep.folder))
    expected = {}
    for arm, word in ((GOOD, "better"), (BAD, "worse")):
        common = [s for s in SEEDS if (arm, s) not in lost and ("baseline", s) not in lost]
        expected[arm] = word if len(common) >= 3 else "not enough seeds"
    check_words(sweep.folder, text, expected)
    report = json.loads((sweep.folder / "report.json").read_text())
    assert report["objective"]["name"] == judged.name
    assert report["objective"]["higher_is_better"] == (judged.direction == "maximize")
    assert (report["objective"]["unit"] == "share") == judged.is_share
    means = {row["arm"]: row["mean"] for row in report["arms"]}
    header = next(line for line in text.splitlines() if line.startswith("arm "))
    assert (f"{judged.name} %" in header) == judged.is_share
    for arm, mean in means.items():
        if mean is not None:
            (line,) = re.findall(rf"^{arm} +\d +(\S+)", text, re.MULTILINE)
            assert float(line) == pytest.approx((100 if judged.is_share else 1) * mean, rel=0.01)


@pytest.mark.slow
@settings(
    max_examples=12, deadline=None, derandomize=True, phases=[Phase.generate]
)  # fmt: skip
@given(
    judged=st.sampled_from(OBJECTIVES),
    storage=st.sampled_from(STORAGES),
    ranks=st.permutations(range(8)),
    lost=st.dictionaries(st.integers(0, 7), st.sampled_from(LOST), max_size=3),
)
def test_a_searchs_best_follow_the_direction(
    tmp_path_factory: pytest.TempPathFactory,
    judged: Judged,
    storage: str,
    ranks: list[int],
    lost: dict[int, str],
) -> None:
    sweep = Sweep(tmp_path_factory.mktemp("search"), judged, storage, n_trials=len(ranks))
    for claim in sweep.waiting():
        value = judged.typical + judged.gain * ranks[claim.number] / 4
        sweep.tell(claim, value, lost.get(claim.number))
    best_first = [n for n in sorted(range(8), key=lambda n: -ranks[n]) if n not in lost]
    text = str(report_study(sweep.folder, sweep.folder))
    listed = re.findall(r"^ +(\d+) +-?[\d.]+  x=", text, re.MULTILINE)
    assert [int(number) for number in listed] == best_first[:5]
    assert f"Best: run {best_first[0]}, {judged.name} " in sentences(sweep.folder)["better"]
    data = page_model(load_study(sweep.folder), load_trials(sweep.folder)).data
    assert data["higher"] == (judged.direction == "maximize")
    values = dict(map(tuple, data["history"]["complete"]))
    assert set(values) == set(best_first)
    line = [value for _, value in data["history"]["best"]]
    pick = max if judged.direction == "maximize" else min
    done = sorted(best_first)
    assert line == [pick(values[n] for n in done[: i + 1]) for i in range(len(done))] + line[-1:]
    assert line[-1] == values[best_first[0]]
    # Too few trials to tell what matters.
    assert data["importance"] == []
    assert f"Too few complete trials ({len(done)}, " in sentences(sweep.folder)["not enough seeds"]
    (column,) = [c for c in data["columns"] if c["name"] == judged.name]
    assert (column["unit"], column["scale"]) == (("%", 100) if judged.is_share else (judged.unit or "", 1))
