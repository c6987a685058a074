"""compare: results of other programs, against scipy and statsmodels, and what a bad row is told."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from fer_lightning.api.compared import compare
from fer_lightning.cli import main
from fer_lightning.errors import ConfigError, DataError, UserError
from fer_lightning.plots.forest import plot_effects
from fer_lightning.report.effects import effects_data
from fer_lightning.report.page.sentences import verdict_sentences
from fer_lightning.runs.predictions import Predictions, write_predictions
from fer_lightning.stats.results_file import read_results

VALUES = {
    "relu": [0.612, 0.618, 0.607, 0.615],
    "selu": [0.655, 0.668, 0.649, 0.662],
    "gelu": [0.611, 0.625, 0.600, 0.617],
    "sigmoid": [0.41, 0.50, 0.44, 0.39],
}


def write_values(path: Path, values: dict[str, list[float]] = VALUES) -> Path:
    rows = [f"{arm},{seed},{value}" for arm, found in values.items() for seed, value in enumerate(found)]
    path.write_text("\n".join(["arm,seed,value", *rows]) + "\n")
    return path


def correctness(seed: int = 0, seeds: int = 4, images: int = 60) -> dict[str, np.ndarray]:
    """Which of the images are right, bool [S, N] for each arm; some images are hard for all."""
    random = np.random.default_rng(seed)
    hard, unlike = random.normal(0, 0.15, images), random.normal(0, 0.1, images)
    levels = {"base": 0.6 + hard, "arm": 0.75 + hard + unlike}
    return {arm: random.random((seeds, images)) < level for arm, level in levels.items()}


def write_images(path: Path, right: dict[str, np.ndarray], shuffle: bool = True) -> Path:
    rows = [
        (arm, seed, f"face{image}", int(right[arm][seed, image]))
        for arm in right
        for seed in range(len(right[arm]))
        for image in range(right[arm].shape[1])
    ]
    if shuffle:
        first, rest = rows[0], rows[1:]
        np.random.default_rng(1).shuffle(rest)
        rows = [first, *[(str(a), int(s), str(i), int(c)) for a, s, i, c in rest]]
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("arm", "seed", "id", "correct"), *rows])
    return path


def test_values_are_judged_as_scipys_paired_t_and_holm_judge_them(tmp_path, capsys):
    table = write_values(tmp_path / "results.csv")
    words = ["compare", str(table), "metric=top1", "unit=share", f"output={tmp_path}/out"]
    assert main(words) == 0
    said = capsys.readouterr().out
    rows = {row["arm"]: row for row in csv.DictReader((tmp_path / "out" / "report.csv").open())}
    tests = {arm: stats.ttest_rel(found, VALUES["relu"]) for arm, found in VALUES.items() if arm != "relu"}
    holm = dict(
        zip(tests, multipletests([each.pvalue for each in tests.values()], method="holm")[1], strict=True)
    )
    for arm, found in tests.items():
        bounds = found.confidence_interval(0.95)
        assert float(rows[arm]["p"]) == pytest.approx(found.pvalue)
        assert float(rows[arm]["low"]) == pytest.approx(bounds.low)
        assert float(rows[arm]["high"]) == pytest.approx(bounds.high)
        assert float(rows[arm]["p_holm"]) == pytest.approx(holm[arm])
    assert {arm: row["verdict"] for arm, row in rows.items()} == {
        "selu": "better",
        "gelu": "no difference found",
        "relu": "baseline",
        "sigmoid": "worse",
    }
    assert "top1 %" in said
    assert "Data: results.csv" in said
    assert "Cost: 16 runs. Left out" in said
    assert "s/run" not in said  # no run has a time
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"report.txt", "report.md", "report.csv", "report.json", "effects.png"}
    assert (tmp_path / "out" / "report.txt").read_text() == said.rsplit("\nwritten to", 1)[0]
    assert json.loads((tmp_path / "out" / "report.json").read_text())["total_seconds"] is None


@pytest.mark.parametrize(("separator", "decimal"), [(";", ","), (";", "."), ("\t", ".")])
def test_tables_as_spreadsheets_write_them(separator, decimal, tmp_path):
    plain = write_values(tmp_path / "plain.csv")
    written = plain.read_text().replace(",", separator)
    (tmp_path / "sheet.csv").write_bytes(
        written.replace(".", decimal).replace("\n", "\r\n").encode("utf-8-sig")
    )
    runs = [(run.arm, run.seed, run.value) for run in read_results(tmp_path / "sheet.csv").runs]
    assert runs == [(run.arm, run.seed, run.value) for run in read_results(plain).runs]
    assert len(runs) == sum(map(len, VALUES.values()))


def test_less_may_be_better_and_another_arm_the_baseline(tmp_path, capsys):
    table = write_values(tmp_path / "ms.csv")
    assert (
        main(["compare", str(table), "baseline=selu", "metric=latency", "direction=minimize", "unit=ms"]) == 0
    )
    said = capsys.readouterr().out
    row = next(line for line in said.splitlines() if line.startswith("relu"))
    # The mean of 0.613 is 0.0455 below that of 0.6585, which is better here.
    assert "-0.0455" in row
    assert "better" in row
    assert "lower is better" in said
    assert "latency ms" in said


def test_images_are_judged_as_a_crossed_analysis_judges_them(tmp_path):
    right = correctness()
    found = compare(write_images(tmp_path / "images.csv", right))
    effect = found.report.arm("arm").effect
    table = right["arm"].astype(float) - right["base"].astype(float)
    assert effect.method == "seeds and images"
    assert effect.n_images == table.shape[1]
    assert effect.mean == pytest.approx(table.mean())
    # A second implementation: the mean squares of statsmodels' two-way analysis of variance.
    long = pd.DataFrame(
        [(d, s, i) for s, row in enumerate(table) for i, d in enumerate(row)], columns=["d", "s", "i"]
    )
    anova = anova_lm(ols("d ~ C(s) + C(i)", long).fit())
    seeds, images, rest = anova["mean_sq"]
    assert effect.rest_sd**2 == pytest.approx(rest)
    assert effect.seed_sd**2 == pytest.approx(max(seeds - rest, 0) / table.shape[1])
    assert effect.image_sd**2 == pytest.approx(max(images - rest, 0) / table.shape[0])
    assert found.report.objective.heading == "acc %"


def test_logits_and_what_they_say_of_each_image_give_one_verdict(tmp_path):
    right = correctness(seed=3)
    names = np.array([f"face{i}" for i in range(60)])
    labels = np.arange(60) % 3
    places = {arm: [] for arm in right}
    lines = ["arm,seed,logits"]
    for arm, rows in right.items():
        for seed, row in enumerate(rows):
            logits = np.eye(3, dtype=np.float32)[np.where(row, labels, (labels + 1) % 3)]
            path = tmp_path / "logits" / f"{arm}{seed}.npz"
            order = np.random.default_rng(seed).permutation(60)
            write_predictions(path, Predictions(logits[order], labels[order], names[order]))
            places[arm].append(str(path))
            lines.append(f"{arm},{seed},logits/{path.name}")
    (tmp_path / "files.csv").write_text("\n".join(lines))
    by_image = compare(write_images(tmp_path / "images.csv", right)).report.arm("arm")
    for results in (tmp_path / "files.csv", places, {arm: list(rows) for arm, rows in right.items()}):
        row = compare(results).report.arm("arm")
        assert row.verdict == by_image.verdict == "better"
        assert (row.effect.low, row.effect.high, row.p_holm) == pytest.approx(
            (by_image.effect.low, by_image.effect.high, by_image.p_holm)
        )


def test_one_seed_is_judged_over_the_images_by_mcnemars_test(tmp_path, capsys):
    right = {arm: rows[:1] for arm, rows in correctness().items()}
    assert main(["compare", str(write_images(tmp_path / "one.csv", right))]) == 0
    said = " ".join(capsys.readouterr().out.split())
    arm, base = right["arm"][0], right["base"][0]
    p = mcnemar([[0, int((arm & ~base).sum())], [int((~arm & base).sum()), 0]], exact=True).pvalue
    assert f"exact McNemar test p {p:.3f} (Holm)" in said
    assert "1 seed: too few for any verdict; it takes 3 at least." in said


def test_a_missing_pair_is_said_and_left_out(tmp_path, capsys):
    table = write_values(tmp_path / "r.csv", VALUES | {"selu": VALUES["selu"][:2], "gelu": [0.6] * 5})
    assert main(["compare", str(table)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "selu has no run with seed 2, 3: 2 pairs of selu and relu." in said
    assert "relu has no run with seed 4: 4 pairs of gelu and relu." in said
    found = compare({"a": {0: 0.5}, "b": {1: 0.6}})
    assert found.verdicts["b"] == "not enough seeds"
    assert "b has no run with seed 0 and a has no run with seed 1: no pairs of b and a" in found.notes


def test_a_program_that_ignores_its_seed_has_no_spread_to_judge_by(tmp_path, capsys):
    table = write_values(tmp_path / "r.csv", {"a": [0.5] * 4, "b": [0.75] * 4, "c": [0.5] * 4})
    assert main(["compare", str(table), f"output={tmp_path / 'out'}"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "b 4 0.7500 ± 0.0000 +0.2500 – no spread between seeds" in said
    assert "b: every seed gives the same difference" in said
    assert "not enough seeds" not in said
    found = compare(table)
    assert dict(found.verdicts) == {
        "a": "baseline",
        "b": "no spread between seeds",
        "c": "no difference found",
    }
    assert verdict_sentences(found.report)[-1] == (
        "no spread between seeds",
        "Every seed gives the same difference for b (+0.2500): no spread to test.",
    )
    legend = plot_effects(effects_data(found.report)).get_figure().legends[0]
    assert "no spread between seeds" in [text.get_text() for text in legend.get_texts()]


def test_images_that_differ_between_runs_count_seeds_only(tmp_path):
    right = correctness()
    table = write_images(tmp_path / "images.csv", right)
    table.write_text(table.read_text().replace("arm,2,face7,", "arm,2,another,"))
    found = compare(table)
    assert found.report.arm("arm").effect.method == "seeds only"
    assert (
        "arm: the interval counts seeds only (arm 'arm', seed 2 was validated on other images)" in found.notes
    )


VALUE, IMAGE = "arm,seed,value\n", "arm,seed,id,correct\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column arm in an empty file; expected the columns arm,seed,value or arm,seed,id,correct or"),
        ("model,seed,value\n", "no column arm in model,seed,value; expected the columns arm,seed,value"),
        ("arm,seed,id,right\n", "no column value in arm,seed,id,right"),
        ("arm,seed,correct\na,0,1\n", "no column id in arm,seed,correct"),
        ("arm,seed,value,correct\n", "has the columns value and correct; expected one of them"),
        ("arm,seed,value,value\n", "two columns are called value"),
        (VALUE, "has no rows below its header"),
        (VALUE + "a,0,0.5\nb,1\n", "row 3: 2 cells; expected 3, one for each of arm,seed,value"),
        (VALUE + "a,0,0,5\n", "row 2: 4 cells; expected 3"),
        (VALUE + ",0,0.5\n", "row 2, column arm: is empty; expected the name of an arm"),
        (VALUE + "a,first,0.5\n", "row 2, column seed: 'first'; expected a whole number"),
        (VALUE + "a,0,high\n", "row 2, column value: 'high'; expected a finite number"),
        (VALUE + "a,0,nan\n", "row 2, column value: 'nan'; expected a finite number"),
        (VALUE + "a,0,0.5\n\na,0,0.6\n", "row 4: arm a, seed 0 stands in row 2 already"),
        (VALUE + "a,0,0.5\n", "a is the only arm; expected at least two"),
        (IMAGE + "a,0,x,yes\n", "row 2, column correct: 'yes'; expected 1 or 0"),
        (IMAGE + "a,0,,1\n", "row 2, column id: is empty"),
        (IMAGE + "a,0,x,1\na,0,x,1\n", "row 3: id x of arm a, seed 0 stands in row 2 already"),
        ("arm,seed,logits\na,0,\n", "row 2, column logits: is empty"),
        ("arm,seed,logits\na,0,none.npz\n", "r.csv: row 2, column logits: "),
        ("arm,seed,logits\na,0,none.npz\n", "none.npz: no such file; expected an .npz file of logits"),
    ],
)  # fmt: skip
def test_a_bad_row_is_one_line_with_file_row_and_column(text, message, tmp_path, capsys):
    (tmp_path / "r.csv").write_text(text)
    assert main(["compare", str(tmp_path / "r.csv")]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "r.csv" in said or "only arm" in said or "none.npz" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["baseline=rely"], "baseline=rely: no such arm; did you mean relu?"),
        (["direction=up"], "direction=up: expected one of max, min"),
        (["metric=val/loss", "direction=max"], "direction=max with val/loss: lower is better"),
        (["faces=no_copy"], "faces=no_copy: is for folders written by evaluate"),
    ],
)
def test_a_wish_that_does_not_fit_is_refused(words, message, tmp_path, capsys):
    assert main(["compare", str(write_values(tmp_path / "r.csv")), *words]) == 2
    assert message in capsys.readouterr().err


def test_damaged_logits_and_other_mistakes_name_their_place(tmp_path, capsys):
    assert main(["compare", str(tmp_path / "no.csv")]) == 2
    assert "no.csv: no such file; expected CSV with the columns arm,seed,value" in capsys.readouterr().err
    np.savez(tmp_path / "a.npz", logits=np.zeros((4, 2)), labels=np.zeros(3, int))
    np.savez(tmp_path / "b.npz", logits=np.zeros((4, 2)), labels=np.zeros(4))
    np.savez(tmp_path / "c.npz", logits=np.zeros((2, 2)), labels=np.zeros(2, int), ids=np.array(["x", "x"]))
    for name, message in {
        "a": "logits of shape (4, 2) with labels of shape (3,)",
        "b": "4 labels of type float64: expected whole numbers",
        "c": "id x stands there twice",
    }.items():
        place = str(tmp_path / f"{name}.npz")
        with pytest.raises(DataError) as error:
            compare({"one": [place], "other": [place]})
        assert message in str(error.value)
        assert f"{name}.npz" in str(error.value)
    with pytest.raises(ConfigError, match=r"unit=share: 61.2 of arm a, seed 0 is none"):
        compare({"a": [61.2], "b": [0.5]}, unit="share")
    with pytest.raises(
        ConfigError, match="arm a, seed 0 has a number, but arm b, seed 0 logits; expected one kind"
    ):
        compare({"a": [0.5], "b": [tmp_path / "a.npz"]})
    with pytest.raises(ConfigError, match="direction=min with acc: higher is better"):
        compare({"a": [np.ones(3, bool)], "b": [np.zeros(3, bool)]}, direction="min")


def test_columns_that_are_not_read_are_named(tmp_path):
    frame = pd.DataFrame(
        [(arm, seed, value, 3e-4) for arm, found in VALUES.items() for seed, value in enumerate(found)],
        columns=["arm", "seed", "value", "lr"],
    )
    found = compare(frame)
    assert "not read: column lr" in found.notes
    assert found.to_pandas().loc["selu", "verdict"] == "better"
    html = found._repr_html_()
    assert "<td>selu</td>" in html
    assert "data:image/png;base64" in html


def test_baseline_may_be_the_name_of_an_arm(tmp_path, capsys):
    for name, wrong in (("b", 4), ("s", 1)):
        labels, logits = np.zeros(8, int), np.tile([1.0, 0.0], (8, 1))
        logits[:wrong] = [0.0, 1.0]
        np.savez(tmp_path / f"{name}.npz", logits=logits, labels=labels)
    assert main(["compare", f"baseline=[{tmp_path}/b.npz]", f"selu={tmp_path}/s.npz"]) == 0
    assert "+37.50" in capsys.readouterr().out  # 7 of 8 against 4 of 8


RIGHT = np.array([True, False, True, True])


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({"a": 0.5, "b": 0.6}, "arm a: 0.5 (float); expected a list with one result for each seed, or a mapping"),
        ({"a": [0.5], "b": {0.6}}, "arm b: set; expected a list with one result for each seed"),
        ({"a": [0.5], "b": []}, "arm b: has no results"),
        ({}, "results: no arms; expected at least two"),
        ({"a": [0.5], None: [0.6]}, "results: an arm is called None; expected a text or a number"),
        ({1: [0.5], "1": [0.6]}, "results: two arms are called 1"),
        ({"a": {"x": 0.5}, "b": {0: 0.6}}, "arm a: 'x' is no seed; expected whole numbers"),
        ({"a": {0: 0.5}, "b": {1.5: 0.6}}, "arm b: 1.5 is no seed"),
        ({"a": {1: 0.5, "1": 0.5}, "b": {0: 0.6}}, "arm a, seed 1: is there twice"),
        ({"a": [0.5, None], "b": [0.6]}, "arm a, seed 1: None; expected a finite number, and no entry for a run"),
        ({"a": [0.5], "b": np.array([0.6, np.nan])}, "arm b, seed 1: nan; expected a finite number"),
        ({"a": ["0.61"], "b": ["0.62"]}, "arm a, seed 0: '0.61' is a text; expected a number"),
        ({"a": [True], "b": [False]}, "arm a, seed 0: True (bool); expected a number"),
        ({"a": np.ones((3, 5)), "b": [0.5]}, "arm a: ndarray of float64 with shape [3, 5]; expected numbers [S]"),
        ({"a": RIGHT, "b": RIGHT}, "arm a: bool of shape [4] is the result of one seed"),
        ({"a": [RIGHT.astype(int)], "b": [RIGHT]}, "arm a, seed 0: ndarray of int64 with shape [4]; expected bool [N]"),
        ({"a": [np.ones((4, 3))], "b": [RIGHT]}, "expected logits with their labels, fl.Predictions(logits, labels)"),
        ({"a": [[[1], [1, 2]]], "b": [RIGHT]}, "arm a, seed 0: list is no array"),
        ({"a": [0.5], "b": [RIGHT]}, "arm a, seed 0 has a number, but arm b, seed 0 bool [N]; expected one kind"),
        ({"a": ["none.npz"], "b": ["none.npz"]}, "arm a, seed 0: none.npz: no such file"),
        ({"a": ["none"], "b": ["none"]}, "arm a, seed 0: none/evaluation.json: no such file"),
        ([0.5, 0.6], "results: list; expected a CSV file, a pandas table with the columns arm,seed,value, or a map"),
    ],
)  # fmt: skip
def test_a_wrong_mapping_is_one_line_with_arm_and_seed(results, message):
    with pytest.raises(UserError) as error:
        compare(results)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_arrays_series_and_generators_give_what_lists_give():
    expected = compare(VALUES).report.arm("selu").effect
    for results in (
        {arm: np.array(found) for arm, found in VALUES.items()},
        {arm: (value for value in found) for arm, found in VALUES.items()},
        {arm: [np.array(value) for value in found] for arm, found in VALUES.items()},
        # The index of a series is its seeds, in whatever order.
        {arm: pd.Series(found, range(4)).iloc[::-1] for arm, found in VALUES.items()},
    ):
        assert compare(results).report.arm("selu").effect == expected
    right = correctness()
    lists = {arm: [list(map(bool, row)) for row in rows] for arm, rows in right.items()}
    assert compare(right).report.arm("arm").effect == compare(lists).report.arm("arm").effect


def test_pandas_columns_that_an_empty_cell_made_decimal_are_read():
    frame = pd.DataFrame({"arm": ["a", "b"], "seed": [3.0, 3.0], "id": ["x", "x"], "correct": [1.0, 0.0]})
    assert [row.seeds for row in compare(frame).report.arms] == [(3,), (3,)]
    frame.loc[1, "seed"] = np.nan
    with pytest.raises(DataError, match="table: row 2, column seed: ''; expected a whole number"):
        compare(frame)


def test_runs_judged_on_other_numbers_of_images_are_named():
    found = compare({"a": [RIGHT, ~RIGHT, RIGHT], "b": [np.append(RIGHT, True)] * 3})
    assert (
        "b: the interval counts seeds only (arm 'a', seed 0 was validated on 4 images, arm 'b', seed 0 on 5)"
        in found.notes
    )


def test_logits_may_be_lists():
    found = Predictions([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    assert found.correct.tolist() == [True, False]
    with pytest.raises(DataError, match="logits: setting an array element with a sequence"):
        Predictions([[0.1], [0.8, 0.2]], [1, 1])
    with pytest.raises(DataError, match="logits of type <U3: expected numbers"):
        Predictions([["0.1"]], [1])
