from __future__ import annotations

import csv
import io
import json
import math
import shlex
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from study_simulation import StudyModel, simulate_correct

from fer_lightning.config.objective import Objective
from fer_lightning.errors import DataError
from fer_lightning.report.cells import add_seeds_command
from fer_lightning.report.effects import effects_data
from fer_lightning.report.markdown import escaped, to_markdown
from fer_lightning.report.report_files import to_csv, to_json, write_report
from fer_lightning.report.search_text import search_text
from fer_lightning.report.text import WIDTH, to_text, wrap_name
from fer_lightning.stats.ablation import ablation_report
from fer_lightning.stats.arm_tuning import ArmTuning, TuningPart
from fer_lightning.stats.records import ArmRun
from fer_lightning.stats.rules import Rules
from fer_lightning.stats.verdict import mcnemar_p

COMMAND = "python -m fer_lightning +experiment=ablation 'seeds=[0,1,2]' data.fraction=0.1"


def values(arm, *accuracies, seconds=2.0, **more):
    return [ArmRun(arm, s, value=v, seconds=seconds, **more) for s, v in enumerate(accuracies)]


def with_logits(arm, correct, first_seed=0):
    labels = np.arange(correct.shape[1]) % 7
    runs = []
    for s, right in enumerate(correct, start=first_seed):
        logits = np.eye(7, dtype=np.float32)[np.where(right, labels, (labels + 1) % 7)]
        runs.append(ArmRun(arm, s, value=float(right.mean()), seconds=1.0, logits=logits, labels=labels))
    return runs


def test_the_seeds_of_the_power_are_those_of_the_pairs():
    """Seeds that an arm has alone tell nothing of a difference."""
    runs = [*values("base", 0.50, 0.52, 0.51), *values("arm", 0.60, 0.63, 0.61)]
    runs += [replace(run, seed=run.seed + 10) for run in values("other", 0.4, 0.41, 0.42)]
    assert "With 3 seeds this study" in to_text(ablation_report(runs, "base"))


def simulated(n_seeds=3, effects=(0.0, 0.3), n_images=400, seed=0):
    model = StudyModel(effects=effects, accuracy=0.5)
    correct = simulate_correct(model, 1, n_seeds, n_images, np.random.default_rng(seed))[0]
    names = ["baseline", *(f"arm {i}" for i in range(len(effects)))]
    return [run for name, table in zip(names, correct, strict=True) for run in with_logits(name, table)]


STUDY = [
    *values("base", 0.60, 0.61, 0.62, levels={"activation": "relu"}),
    *values("good", 0.70, 0.712, 0.718, levels={"activation": "selu"}),
    *values("same", 0.60, 0.62, 0.615),
    *values("bad", 0.50, 0.508, 0.522, seconds=4.0),
    ArmRun("short", 0, value=0.9),
    ArmRun("short", 1, state="FAIL", reason="loss is NaN", seconds=1.0),
    ArmRun("short", 2, state="PRUNED", value=0.1, seconds=1.0),
    ArmRun("lost", 0, state="FAIL", reason="out of memory"),
    ArmRun("lost", 1, state="COMPLETE", value=math.nan),
    ArmRun("lost", 2, state="RUNNING"),
]


@pytest.fixture(scope="module")
def report():
    return ablation_report(STUDY, "base", data_name="fer2013", command=COMMAND)


def test_numbers_of_the_rows(report):
    good = report.arm("good")
    assert good.mean == pytest.approx(np.mean([0.70, 0.712, 0.718]))
    assert good.sd == pytest.approx(np.std([0.70, 0.712, 0.718], ddof=1))
    assert good.effect.mean == pytest.approx(0.1)
    assert good.effect.p == pytest.approx(stats.ttest_rel([0.70, 0.712, 0.718], [0.60, 0.61, 0.62]).pvalue)
    assert good.levels == {"activation": "selu"}
    assert report.arm("base").effect is None
    assert report.total_seconds == pytest.approx(3 * 2 * 3 + 3 * 4 + 2)


def test_verdicts_and_holm_over_the_arms_that_are_tested(report):
    words = {row.arm: row.verdict for row in report.arms}
    assert words == {
        "base": "baseline",
        "good": "better",
        "bad": "worse",
        "same": "no difference found",
        "short": "not enough seeds",
        "lost": "not enough seeds",
    }
    p = {name: report.arm(name).effect.p for name in ("good", "bad", "same")}
    ordered = sorted(p, key=p.get)
    assert report.arm(ordered[0]).p_holm == pytest.approx(3 * p[ordered[0]])
    assert report.arm(ordered[2]).p_holm == pytest.approx(max(p[ordered[2]], 2 * p[ordered[1]]))
    assert math.isnan(report.arm("short").p_holm)


def test_pruned_failed_and_unfinished_runs_are_counted_and_left_out(report):
    short, lost = report.arm("short"), report.arm("lost")
    assert (short.n_pruned, short.n_failed, short.n_unfinished) == (1, 1, 0)
    assert short.mean == 0.9
    assert math.isnan(short.sd)
    assert (lost.n_pruned, lost.n_failed, lost.n_unfinished) == (0, 2, 1)
    assert lost.failures == ("out of memory", "no finite value")
    text = to_text(report)
    assert "Cost: 17 of 18 runs so far, 32.0 s." in text
    assert "Left out of every other number: 1 pruned, 3 failed, 1 unfinished." in text
    assert "Failed in short: loss is NaN" in text


def test_arms_are_ranked_by_their_paired_difference(report):
    assert [row.arm for row in report.arms] == ["short", "good", "same", "base", "bad", "lost"]
    errors = ablation_report(STUDY, "base", Objective.of("val/loss"))
    assert [row.arm for row in errors.arms] == ["bad", "base", "same", "good", "short", "lost"]
    assert errors.arm("bad").verdict == "better"


def test_an_arm_with_another_set_of_seeds_is_not_helped_by_easy_seeds():
    # The arm ran on the two seeds that are good for every arm: its mean is higher, its difference is not.
    runs = [*values("base", 0.5, 0.7, 0.7), ArmRun("arm", 1, value=0.69), ArmRun("arm", 2, value=0.69)]
    rows = ablation_report(runs, "base").arms
    assert [row.arm for row in rows] == ["base", "arm"]
    assert rows[1].mean > rows[0].mean


def test_logits_count_seeds_and_images():
    report = ablation_report(simulated(), "baseline")
    assert report.n_images == 400
    assert report.arm("arm 1").effect.method == "seeds and images"
    assert report.arm("arm 1").verdict == "better"
    assert report.arm("arm 0").verdict == "no difference found"
    # A metric that is no accuracy has no per-image results.
    assert (
        ablation_report(simulated(), "baseline", Objective.of("val/f1")).arm("arm 1").effect.method
        == "seeds only"
    )


def test_a_single_seed_gets_mcnemar_and_no_verdict():
    runs = simulated(n_seeds=1)
    report = ablation_report(runs, "baseline")
    base, *arms = (run.predictions.correct for run in runs)
    raw = [mcnemar_p(correct, base) for correct in arms]
    assert {row.verdict for row in report.arms} == {"baseline", "not enough seeds"}
    assert report.arm("arm 1").mcnemar == pytest.approx(min(1, 2 * raw[1]))
    assert report.arm("arm 0").mcnemar == pytest.approx(max(raw[0], min(1, 2 * raw[1])))
    text = to_text(report)
    assert "these two trained models only" in " ".join(text.split())
    assert math.isnan(ablation_report(simulated(n_seeds=2), "baseline").arm("arm 1").mcnemar)


def test_logits_that_contradict_the_recorded_value_are_told():
    runs = simulated()
    honest = ablation_report(runs, "baseline")
    assert [note.split(":")[0] for note in honest.notes] == ["guessing"]
    wrong = ArmRun("arm 1", 0, value=0.99, logits=runs[6].logits, labels=runs[6].labels)
    notes = ablation_report([*runs[:6], wrong, *runs[7:]], "baseline").notes
    assert len(notes) == 2
    assert notes[1].startswith("in 1 of 9 runs the stored logits give another accuracy")


def test_a_collapsed_arm_and_the_levels_of_guessing_are_named_in_every_output():
    runs = simulated()
    labels = runs[0].labels
    assert labels is not None
    stuck = np.eye(7, dtype=np.float32)[np.full(len(labels), 3)]
    share = float((labels == 3).mean())
    runs += [ArmRun("stuck", s, value=share, logits=stuck, labels=labels) for s in (0, 1)]
    runs += [replace(run, arm="stuck", seed=2) for run in runs[:1]]
    report = ablation_report(runs, "baseline")
    levels = f"chance 14.29 %, majority class (class 0) {100 * np.mean(labels == 0):.2f} %"
    sentence = "stuck: collapsed, 2 of 3 runs predict one class for every image (class 3)"
    for text in (" ".join(to_text(report).split()), to_markdown(report), to_json(report)):
        assert levels in text
        assert sentence in text
        assert text.count("collapsed,") == 1
    assert levels in effects_data(report).x_label
    lossy = ablation_report(runs, "baseline", Objective("val/loss", higher_is_better=False, unit=""))
    assert "chance" not in to_text(lossy)


def test_mistakes_are_named():
    with pytest.raises(DataError, match=r"baseline 'relu' has no run; the arms are: base, good"):
        ablation_report(STUDY[:6], "relu")
    with pytest.raises(DataError, match="the arms are: none"):
        ablation_report([], "base")


def test_text_is_aligned_and_narrow(report):
    lines = to_text(report).splitlines()
    assert max(len(line) for line in lines if "fer_lightning" not in line) <= WIDTH
    head = next(i for i, line in enumerate(lines) if line.startswith("arm"))
    good = next(line for line in lines if line.startswith("good"))
    assert good.split()[1:5] == ["3", "71.00", "±", "0.92"]
    assert "+10.00 [+9.50, +10.50]" in good
    # Columns stand under their titles: numbers end where the title ends, words begin where it begins.
    assert good.index("better") == lines[head].index("verdict")
    assert good.index("10.50]") + len("10.50]") == lines[head].index("[95 %]") + len("[95 %]")


def test_interval_in_the_text_is_scipys(report):
    bounds = stats.ttest_rel([0.70, 0.712, 0.718], [0.60, 0.61, 0.62]).confidence_interval()
    assert f"[{100 * bounds.low:+.2f}, {100 * bounds.high:+.2f}]" in to_text(report)


@pytest.mark.parametrize("length", [20, 90, 300])
def test_long_names_are_wrapped_and_stay_whole(length):
    name = ("activation=leaky_relu,normalization=per_image," * 10)[:length]
    runs = [*STUDY[:3], *values(name, 0.7, 0.7, 0.71)]
    lines = to_text(ablation_report(runs, "base")).splitlines()
    assert max(map(len, lines)) <= WIDTH
    start = next(i for i, line in enumerate(lines) if line.startswith("activation"))
    width = len(lines[start - 1].split()[0])
    words = "".join(line[:width].strip() for line in lines[start : start + 14] if not line.startswith("base"))
    assert name in words
    assert "".join(part.strip() for part in wrap_name(name, 20)) == name


def test_synthetic_data_are_named_in_every_output(tmp_path):
    report = ablation_report(STUDY, "base", data_name="synthetic", synthetic=True)
    paths = write_report(report, tmp_path / "report")
    assert {path.name for path in (tmp_path / "report").iterdir()} == {
        "report.txt", "report.md", "report.csv", "report.json", "effects.png",
    }  # fmt: skip
    for kind in ("txt", "md"):
        assert "SYNTHETIC DATA" in paths[kind].read_text()
    assert json.loads(paths["json"].read_text())["synthetic"] is True
    assert {row["synthetic"] for row in csv.DictReader(paths["csv"].open())} == {"True"}
    real = ablation_report(STUDY, "base", data_name="fer2013")
    assert "SYNTHETIC" not in to_text(real) + to_markdown(real)
    assert "fer2013" in to_text(real)
    assert paths["effects"].read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_csv_holds_the_numbers_unrounded(report):
    rows = {row["arm"]: row for row in csv.DictReader(io.StringIO(to_csv(report)))}
    assert list(rows) == [row.arm for row in report.arms]
    good = report.arm("good")
    assert float(rows["good"]["difference"]) == good.effect.mean
    assert float(rows["good"]["low"]) == good.effect.low
    assert float(rows["good"]["p_holm"]) == good.p_holm
    assert rows["good"]["level.activation"] == "selu"
    assert rows["same"]["level.activation"] == ""
    assert rows["base"]["difference"] == ""
    assert rows["lost"]["mean"] == ""
    assert rows["lost"]["failures"] == "out of memory; no finite value"


def test_json_has_no_nan_and_every_field(report):
    found = json.loads(to_json(report), parse_constant=pytest.fail)
    good = next(row for row in found["arms"] if row["arm"] == "good")
    assert good["effect"]["differences"] == pytest.approx([0.1, 0.102, 0.098])
    assert found["rules"]["confidence"] == 0.95
    assert next(row for row in found["arms"] if row["arm"] == "lost")["mean"] is None


def test_markdown_is_one_table_whatever_the_names_hold(report):
    lines = [line for line in to_markdown(report).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(report.arms)
    assert {line.count("|") for line in lines} == {9}
    assert "**better**" in next(line for line in lines if line.startswith("| good"))
    odd = "act|relu *x* `y`\n<b> leaky_relu"
    table = to_markdown(ablation_report([*STUDY[:3], *values(odd, 0.7, 0.7, 0.71)], "base"))
    row = next(line for line in table.splitlines() if "act" in line)
    assert row.replace("\\|", "").count("|") == 8
    assert escaped("leaky_relu") == "leaky\\_relu"


def test_the_command_to_add_seeds_keeps_the_rest_and_the_present_seeds():
    command = add_seeds_command(COMMAND, [0, 1, 2], 5)
    assert shlex.split(command) == [
        "python", "-m", "fer_lightning", "+experiment=ablation", "data.fraction=0.1", "seeds=[0,1,2,3,4]",
    ]  # fmt: skip
    assert add_seeds_command("run", [7], 3) == "run 'seeds=[7,8,9]'"
    assert add_seeds_command("run", [], 2) == "run 'seeds=[0,1]'"


def test_too_few_seeds_for_any_verdict_says_so_and_how_to_go_on():
    runs = [*values("base", 0.6), *values("arm", 0.7)]
    report = ablation_report(runs, "base", command="run")
    assert report.spread is None
    assert report.seeds_needed is None
    text = to_text(report)
    assert "not enough seeds" in text
    assert "better" not in text
    assert "run 'seeds=[0,1,2]'" in text


def test_seeds_needed_at_the_strictest_of_holms_levels():
    report = ablation_report(STUDY[:12], "base", rules=Rules(smallest_effect=0.02))
    assert report.spread.seed == pytest.approx(
        np.sqrt(np.mean([report.arm(a).effect.sd ** 2 for a in ("good", "same", "bad")]))
    )
    single = ablation_report([*STUDY[:3], *STUDY[6:9]], "base", rules=Rules(smallest_effect=0.02))
    same = report.arm("same").seeds_needed
    # The same arm takes fewer seeds where it is the only one that is tested.
    assert single.arm("same").seeds_needed < same


def test_tuned_runs_are_a_second_table():
    tuned = [*values("base", 0.65, 0.66, 0.67), *values("good", 0.66, 0.67, 0.675)]
    report = ablation_report(STUDY[:6], "base", tuned=tuned, command=COMMAND)
    assert report.arm("good").effect.mean == pytest.approx(0.1)
    assert report.tuned.arm("good").effect.mean == pytest.approx(np.mean([0.01, 0.01, 0.005]))
    for text in (to_text(report), to_markdown(report)):
        assert text.count("own tuned settings") == 1
    rows = list(csv.DictReader(io.StringIO(to_csv(report))))
    assert [(row["settings"], row["arm"]) for row in rows] == [
        ("baseline's", "good"), ("baseline's", "base"), ("tuned", "good"), ("tuned", "base"),
    ]  # fmt: skip
    assert json.loads(to_json(report))["tuned"]["arms"][0]["arm"] == "good"


TUNING = TuningPart(
    seed=1000,
    parameters=("lr", "dropout"),
    arms=(
        ArmTuning("base", 0, {"lr": 0.004, "dropout": 1.0}, 0.6, 0.6, 3, 0, 0, 0, 30.0),
        ArmTuning("good", 2, {"lr": 0.0123456}, 0.725, 0.7, 1, 1, 1, 0, 45.5, ("loss is NaN",)),
        ArmTuning("bad", None, {}, None, 0.5, 1, 0, 0, 2, 10.0),
    ),
)
TUNED = [
    *values("base", 0.60, 0.61, 0.62),
    *values("good", 0.66, 0.67, 0.675),
    *[ArmRun("bad", s, state="WAITING") for s in range(3)],
]


@pytest.fixture(scope="module")
def tuned_report():
    return ablation_report([*STUDY[:6], *STUDY[9:12]], "base", tuned=TUNED, tuning=TUNING, command=COMMAND)


def test_the_chosen_settings_stand_under_the_second_table(tuned_report):
    assert tuned_report.tuning is None
    assert tuned_report.tuned.tuning is TUNING
    text = to_text(tuned_report)
    first, second = text.split("each arm at its own tuned settings")
    assert "Tuning:" not in first
    lines = [line.split() for line in second.splitlines()]
    head = next(i for i, line in enumerate(lines) if line[:3] == ["arm", "lr", "dropout"])
    assert lines[head][3:] == ["chosen", "val/acc", "%", "at", "own", "complete", "left", "out", "s"]
    # The arms stand in the order of the table above: the best first, the undecided last.
    assert lines[head + 2 : head + 5] == [
        ["good", "0.0123", "fixed", "point", "2", "72.50", "70.00", "1", "1P", "1F", "45.5"],
        ["base", "0.004", "1", "own", "60.00", "60.00", "3", "–", "30.0"],
        ["bad", "–", "–", "–", "–", "50.00", "1", "2U", "10.0"],
    ]
    words = " ".join(second.split())
    assert "Tuning: 9 runs, 1.4 min: 5 complete, 1 pruned, 1 failed, 2 unfinished." in words
    assert "with the runs of the first table (counted there and here): base." in words
    assert "Failed in tuning good: loss is NaN" in words
    assert max(map(len, (line for line in text.splitlines() if "fer_lightning" not in line))) <= WIDTH
    # Nothing of the search enters the tables: base and good ran thrice, bad waits.
    assert "Cost: 6 of 9 runs so far, 12.0 s. Left out of every other number: 3 unfinished." in words
    assert first.count("To run") == second.count("To run") == 1


def test_markdown_csv_and_json_hold_the_chosen_settings(tuned_report):
    rows = [line for line in to_markdown(tuned_report).splitlines() if line.startswith("| good")]
    assert rows[2] == "| good | 0.0123 | fixed | point 2 | 72.50 | 70.00 | 1 | 1P 1F | 45.5 |"
    table = list(csv.DictReader(io.StringIO(to_csv(tuned_report))))
    good = next(row for row in table if (row["settings"], row["arm"]) == ("tuned", "good"))
    assert float(good["tuning.lr"]) == 0.0123456
    assert (good["tuning.dropout"], good["tuning.point"], good["tuning.seed"]) == ("", "2", "1000")
    assert (good["tuning.value"], good["tuning.own_value"]) == ("0.725", "0.7")
    assert [good[f"tuning.n_{n}"] for n in ("complete", "pruned", "failed", "unfinished")] == [
        "1",
        "1",
        "1",
        "0",
    ]
    plain = next(row for row in table if (row["settings"], row["arm"]) == ("baseline's", "good"))
    assert plain["tuning.point"] == plain["tuning.lr"] == ""
    found = json.loads(to_json(tuned_report))
    assert found["tuning"] is None
    assert found["tuned"]["tuning"]["arms"][1]["settings"] == {"lr": 0.0123456}


def test_an_arm_whose_tuning_failed_altogether_is_named():
    lost = TuningPart(
        7, ("lr",), (ArmTuning("base", 0, {"lr": 0.1}, None, None, 0, 0, 2, 0, 1.0, ("boom",)),)
    )
    report = ablation_report(STUDY[:3], "base", tuned=STUDY[:3], tuning=lost)
    assert "No tuning run is complete, so nothing was chosen: base." in to_text(report)


def test_writing_leaves_no_half_file_when_the_folder_fails(tmp_path):
    report = ablation_report(STUDY[:6], "base")
    write_report(report, tmp_path)
    before = (tmp_path / "report.txt").read_text()
    (tmp_path / "report.md").unlink()
    (tmp_path / "report.md").mkdir()  # cannot be replaced by a file
    with pytest.raises(OSError, match=r"report\.md"):
        write_report(report, tmp_path)
    assert (tmp_path / "report.txt").read_text() == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def factorial_study():
    rng = np.random.default_rng(0)
    runs = []
    for act, drop in (("relu", "0"), ("selu", "0"), ("relu", "0.5"), ("selu", "0.5")):
        for seed in range(3):
            value = 0.5 + 0.1 * (act == "selu") + 0.03 * (act == "selu") * (drop == "0.5")
            levels = {"model.activation": act, "model.dropout": drop}
            value += 0.002 * rng.standard_normal()
            runs.append(ArmRun(f"{act},{drop}", seed, levels=levels, value=value, seconds=1.0))
    return runs


def test_a_factorial_plan_shows_its_interactions():
    report = ablation_report(factorial_study(), "relu,0")
    anova = report.factorial.anova
    assert anova.row("model.activation", "model.dropout").p_holm < 0.01
    assert report.factorial.importance["model.activation"] > 0.8
    text = to_text(report)
    line = next(line for line in text.splitlines() if line.startswith("model.activation × model.dropout"))
    assert line.split()[3] == f"{100 * anova.row('model.activation', 'model.dropout').share:.1f}"
    assert "Importance (fANOVA): model.activation" in text
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "| model.activation × model.dropout |" in to_markdown(report)
    assert json.loads(to_json(report))["factorial"]["anova"]["n_runs"] == 12


def test_a_plan_of_single_factors_shows_none(report):
    assert report.factorial is None
    assert "Analysis of variance" not in to_text(report)


def test_a_factorial_plan_with_one_seed_says_why_it_has_no_table():
    runs = [run for run in factorial_study() if run.seed == 0]
    report = ablation_report(runs, "relu,0")
    assert report.factorial is None
    assert "too few for 3 terms" in to_text(report)


def test_data_of_which_nothing_is_known_are_not_spoken_of():
    runs = [ArmRun(arm, seed, value=0.5 + seed / 100) for arm in ("a", "b") for seed in range(3)]
    report = ablation_report(runs, "a", Objective.of("error", False), title="Results")
    assert to_text(report).splitlines()[0] == "Results"
    assert not any("Data" in line or "not named" in line for line in to_markdown(report).splitlines())
    named = replace(report, data_name="mine")
    assert to_text(named).splitlines()[0] == "Results · Data: mine."
    assert effects_data(named).title.splitlines()[1] == "mine, 95 % interval for seeds"
    assert effects_data(report).title.splitlines()[1] == "95 % interval for seeds"
    assert search_text([], Objective.of("x"), {}).splitlines()[0] == "Search"
