"""Sweeps from the command line to the study, in this process."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import hydra
import optuna
import pytest

from fer_lightning.errors import ConfigError, DataError, UserError
from fer_lightning.sweeps.study.results import load_study, load_trials
from sweep_runner import PLAN, SEARCH, epochs, run_here


@pytest.fixture
def sweep(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):  # type: ignore[no-untyped-def]
    return partial(run_here, monkeypatch, tmp_path)


def test_a_search_runs_its_budget_once(sweep, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    first = sweep(*SEARCH, "hydra.sweeper.n_trials=3", "model.dropout=0.5")
    assert [r.state for r in first] == ["COMPLETE"] * 3
    for record in first:
        assert record.value == pytest.approx(
            0.8 - (record.params["optimizer.lr"] - 0.3) ** 2 - 0.05 - 0.2 / 8
        )
        assert epochs(record) == [0, 1, 2, 3]
        assert record.run.folder == tmp_path / "sweep" / f"trial_{record.number:04d}"
        assert record.attrs["epochs"] == 4
        assert list(record.intermediate) == [0, 1, 2, 3]
    # The same command again runs nothing, and a larger budget only what is missing.
    assert sweep(*SEARCH, "hydra.sweeper.n_trials=3", "model.dropout=0.5") == first
    more = sweep(*SEARCH, "hydra.sweeper.n_trials=5", "model.dropout=0.5")
    assert more[:3] == first
    assert len(more) == 5


def test_a_seeded_search_is_repeatable_and_a_resumed_one_does_not_replay_its_points(
    sweep, monkeypatch, tmp_path
) -> None:  # type: ignore[no-untyped-def]
    def points(folder: Path, *budgets: int) -> list[float]:
        folder.mkdir()
        for budget in budgets:
            records = run_here(
                monkeypatch,
                folder,
                *SEARCH,
                f"hydra.sweeper.n_trials={budget}",
                "hydra/sweeper/sampler=random",
            )
        return [record.params["optimizer.lr"] for record in records]

    whole, again, resumed = points(tmp_path / "a", 3), points(tmp_path / "b", 3), points(tmp_path / "c", 2, 4)
    assert whole == again
    assert resumed[:2] == whole[:2]
    assert len(set(resumed)) == 4


def test_a_plan_runs_each_arm_under_each_seed_and_seeds_can_be_added(sweep) -> None:  # type: ignore[no-untyped-def]
    records = sweep(PLAN, "seeds=[0,1]", "hydra.sweeper.n_trials=null")
    arms = ["baseline", "activation=selu", "activation=leaky_relu", "flavour=rich"]
    assert [(r.arm, r.seed) for r in records] == [(arm, seed) for seed in (0, 1) for arm in arms]
    values = {(r.arm, r.seed): r.value for r in records}
    base = 0.8 - 0.04 - 0.02 - 0.2 / 8
    assert values["baseline", 0] == pytest.approx(base)
    assert values["activation=selu", 1] == pytest.approx(base + 0.05 + 0.001)
    assert values["flavour=rich", 0] == pytest.approx(base + 0.05)
    assert records[1].params == {"activation": "selu", "flavour": "plain", "seed": 0}
    longer = sweep(PLAN, "seeds=[0,1,2]", "hydra.sweeper.n_trials=null")
    assert longer[:8] == records
    assert [(r.arm, r.seed) for r in longer[8:]] == [(arm, 2) for arm in arms]


def test_a_seed_that_is_left_out_again_is_not_run(sweep) -> None:  # type: ignore[no-untyped-def]
    sweep(PLAN, "seeds=[0,1]", "hydra.sweeper.n_trials=4")
    records = sweep(PLAN, "seeds=[0]", "hydra.sweeper.n_trials=null")
    assert [r.state for r in records] == ["COMPLETE"] * 4 + ["WAITING"] * 4


def test_pruned_trials_end_early_and_count(sweep) -> None:  # type: ignore[no-untyped-def]
    pruner = ["hydra/sweeper/pruner=median", "hydra.sweeper.pruner.n_startup_trials=1"]
    tight = ["hydra.sweeper.pruner.n_warmup_steps=0", "hydra.sweeper.pruner.n_min_trials=1"]
    records = sweep(*SEARCH, *pruner, *tight, "hydra.sweeper.n_trials=6", "hydra/sweeper/sampler=random")
    pruned = [r for r in records if r.state == "PRUNED"]
    assert len(records) == 6
    assert pruned
    for record in pruned:
        last = max(record.intermediate)
        assert epochs(record) == list(range(last + 1))
        assert last < 3
        assert record.value == record.intermediate[last]
        assert record.reason == f"pruned after epoch {last}"


def test_a_failing_arm_is_recorded_and_the_sweep_goes_on(sweep) -> None:  # type: ignore[no-untyped-def]
    arguments = (PLAN, "seeds=[0]", "hydra.sweeper.n_trials=null")
    records = sweep(*arguments, "trouble=exception", fails="every run failed of activation=selu: ValueError")
    assert [r.state for r in records] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert records[1].reason == "ValueError: selu does not work here"
    assert records[1].value is None
    assert not records[1].superseded


def test_failed_arms_are_tried_again_only_when_asked(sweep) -> None:  # type: ignore[no-untyped-def]
    arguments = (PLAN, "seeds=[0]", "hydra.sweeper.n_trials=null", "trouble=no_number")
    reason = "every run failed of activation=selu: objective val/acc is nan"
    records = sweep(*arguments, fails=reason)
    assert [r.state for r in records] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert len(sweep(*arguments, fails=reason)) == 4
    records = sweep(*arguments, "hydra.sweeper.retry_failed=true", fails=reason)
    assert [(r.state, r.superseded) for r in records if r.arm == "activation=selu"] == [
        ("FAIL", True),
        ("FAIL", False),
    ]
    assert records[1].reason == "objective val/acc is nan"
    assert len(records) == 5


def test_a_trial_goes_on_when_a_process_of_its_own_was_killed(sweep, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    records = sweep(*SEARCH, "hydra.sweeper.n_trials=2", "trouble=lose_once")
    assert len(list(tmp_path.glob("lost_*"))) == 2
    for record in records:
        assert (record.state, record.reason) == ("COMPLETE", None)
        assert epochs(record) == list(record.intermediate) == [0, 1, 2, 3]
    assert not list(tmp_path.glob("sweep/*/error.txt"))


def test_a_trial_that_always_loses_a_process_fails_at_last(sweep, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    reason = "its process died 3 times without getting any further (process 2 of the 2 ended with SIGKILL)"
    (record,) = sweep(
        *SEARCH,
        "hydra.sweeper.n_trials=1",
        "trouble=lose",
        "hydra.sweeper.max_deaths=2",
        fails=re.escape(reason),
    )
    assert (record.state, record.reason) == ("FAIL", reason)
    assert epochs(record) == [0, 1]


def test_too_many_failures_stop_the_study(sweep, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    arguments = (*SEARCH, "trouble=always", "hydra.sweeper.n_trials=10", "hydra.sweeper.max_failures=2")
    message = r"stopped: 2 of 2 trials failed \(max_failures=2\); the last, trial 1: RuntimeError: hopeless"
    for _ in range(2):
        with pytest.raises(UserError, match=message):
            sweep(*arguments)
    assert len(load_trials(tmp_path / "sweep")) == 2


def test_a_program_that_only_returns_a_number_can_be_searched(sweep) -> None:  # type: ignore[no-untyped-def]
    records = sweep(*SEARCH, "plain_return=true", "hydra.sweeper.n_trials=2")
    assert [r.value for r in records] == pytest.approx(
        [0.8 - (r.params["optimizer.lr"] - 0.3) ** 2 - 0.02 - 0.2 / 8 for r in records]
    )


def test_several_objectives(sweep, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    two = ["hydra.sweeper.objective=[val/acc,cost]", "hydra.sweeper.direction=[max,min]"]
    records = sweep(
        *SEARCH, "model.layers=[8,8],[32,8]", *two, "hydra.sweeper.n_trials=4", "hydra/sweeper/sampler=random"
    )
    for record in records:
        assert record.values[1] == (16.0 if record.params["model.layers"] == "[8,8]" else 40.0)
    study = load_study(tmp_path / "sweep")
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == ["val/acc", "cost"]
    assert {t.number for t in study.best_trials} <= {r.number for r in records}


def test_a_conditional_space_reaches_the_job(sweep) -> None:  # type: ignore[no-untyped-def]
    space = (
        "search_space={activation:{key:model.activation,choices:[relu,leaky_relu]},"
        "slope:{key:model.slope,type:float,low:0.01,high:0.3,when:{model.activation:leaky_relu}}}"
    )
    records = sweep(space, "hydra.sweeper.n_trials=6", "hydra/sweeper/sampler=random")
    assert {r.params["activation"] for r in records} == {"relu", "leaky_relu"}
    for record in records:
        assert ("slope" in record.params) == (record.params["activation"] == "leaky_relu")


SPACE = "search_space={lr:{key:optimizer.lr,type:float,low:0,high:1},flavour:{choices:[plain,rich]}}"


def test_a_searched_key_that_the_command_line_sets_is_refused(sweep) -> None:  # type: ignore[no-untyped-def]
    hint = r"optimizer\.lr=0\.3: optimizer\.lr is searched; .* search_space\.lr=null to take it out of the search"
    with pytest.raises(ConfigError, match=hint):
        sweep(SPACE, "optimizer.lr=0.3", "hydra.sweeper.n_trials=2")


def test_a_key_taken_out_of_the_search_has_the_value_of_the_command_line(sweep) -> None:  # type: ignore[no-untyped-def]
    records = sweep(SPACE, "search_space.lr=null", "optimizer.lr=0.3", "hydra.sweeper.n_trials=2")
    assert [set(r.params) for r in records] == [{"flavour"}, {"flavour"}]
    bonus = [0.05 if r.params["flavour"] == "rich" else 0.0 for r in records]
    assert [r.value for r in records] == pytest.approx([0.78 - 0.2 / 8 + extra for extra in bonus])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.slope=0.2", r"study mine exists with model\.slope=0\.1, this command has model\.slope=0\.2"),
        ("optimizer.lr=interval(0.0,2.0)", r"search_space\.optimizer\.lr\.high=1\.0, this command has .*high=2\.0"),
        ("model.activation=relu,selu", r"this command has search_space\.model\.activation\.choices"),
        ("hydra/sweeper/sampler=random", r"hydra\.sweeper\.sampler\._target_"),
        ("hydra.sweeper.direction=min", r"hydra\.sweeper\.direction"),
        ("hydra/sweeper/pruner=median", r"hydra\.sweeper\.pruner"),
    ],
)  # fmt: skip
def test_a_changed_study_is_refused_before_a_trial_begins(sweep, tmp_path, change: str, message: str) -> None:  # type: ignore[no-untyped-def]
    arguments = (*SEARCH, "hydra.sweeper.study_name=mine", "hydra.sweeper.n_trials=1")
    before = sweep(*arguments)
    with pytest.raises(ConfigError, match=message) as caught:
        sweep(*arguments[1:-1], "hydra.sweeper.n_trials=2", *SEARCH[: "lr" not in change], change)
    assert "hydra.sweeper.study_name=<another name>" in str(caught.value)
    assert load_trials(tmp_path / "sweep") == before
    # What is free may change.
    assert len(sweep(*arguments[:-1], "hydra.sweeper.n_trials=2", "note=again", "seed=5")) == 2


def test_a_changed_plan_is_refused(sweep, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    arguments = ("seeds=[0]", "hydra.sweeper.study_name=mine", "hydra.sweeper.n_trials=null")
    before = sweep(PLAN, *arguments)
    with pytest.raises(ConfigError, match=r"study mine exists with ablation\.arms="):
        sweep(PLAN.replace("leaky_relu", "elu"), *arguments)
    with pytest.raises(ConfigError, match=r"study mine exists with ablation"):
        sweep(*SEARCH, "hydra.sweeper.study_name=mine")
    assert load_trials(tmp_path / "sweep") == before


def test_a_study_of_another_program_is_refused(sweep, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "sweep").mkdir()
    other = optuna.create_study(storage=f"sqlite:///{tmp_path}/sweep/study.db", study_name="mine")
    other.add_trial(optuna.create_trial(value=1.0))
    with pytest.raises(ConfigError, match="study mine was not made by this sweeper"):
        sweep(*SEARCH, "hydra.sweeper.study_name=mine", "hydra.sweeper.direction=min")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["hydra.sweeper.n_trials=null"], r"nothing to search: give a search_space, .* as key=a,b; .*n_trials=8"),
        (["optimizer.lr=1,2", PLAN, "seeds=[0]"], r"search_space has optimizer\.lr, but there is an ablation plan"),
        (["flavour=plain,sour"], r"search_space\.flavour: 'sour' is none of plain, rich"),
        ([PLAN.replace("[rich]", "[sour]"), "seeds=[0]"], r"factors\.flavour, level sour, cannot be composed: .*sour"),
        ([PLAN.replace("model.act", "model.atc"), "seeds=[0]"], r"factors\.activation, level relu, cannot be composed"),
        ([PLAN, "seeds=[0]", "seed=3"], r"seed=3: the plan runs every arm over `seeds`"),
        ([PLAN, "seeds=[0]", "flavour=rich"], r"flavour=rich: flavour is varied by the plan"),
        ([PLAN], r"seeds=null: expected a non-empty list"),
        ([*SEARCH, "hydra.sweeper.n_trials=null"], r"hydra\.sweeper\.n_trials=null: expected the study's total"),
        ([*SEARCH, "hydra.sweeper.storage=postgresql://a:b@c/d"], r"PGPASSWORD"),
        ([*SEARCH, "hydra/sweeper/sampler=grid"], r"search_space\.optimizer\.lr: a grid needs finitely many values"),
        ([*SEARCH, "+hydra.sweeper.sampler.popsize=3"], r"sampler: optuna\.samplers\.TPESampler cannot be"),
        ([*SEARCH, "+hydra.sweeper.budgte=3"], r"hydra\.sweeper\.budgte: no such key; did you mean"),
    ],
)  # fmt: skip
def test_mistakes_are_named_before_a_study_exists(
    sweep, tmp_path, overrides: list[str], message: str
) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=message) as caught:
        sweep("hydra.sweeper.n_trials=2", *overrides)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError):
        load_trials(tmp_path / "sweep")


def test_a_wrong_key_in_the_space_is_named(sweep) -> None:  # type: ignore[no-untyped-def]
    space = "search_space={lr:{key:optimizer.learning_rate,type:float,low:0,high:1}}"
    with pytest.raises(ConfigError, match=r"search_space\.lr cannot be composed: .*learning_rate"):
        sweep(space)


def test_a_journal_file_holds_a_study_as_well(sweep, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    arguments = (*SEARCH, "hydra.sweeper.storage=journal", "hydra/sweeper/pruner=median")
    first = sweep(*arguments, "hydra.sweeper.n_trials=2")
    assert (tmp_path / "sweep" / "study.journal").exists()
    assert not (tmp_path / "sweep" / "study.db").exists()
    more = sweep(*arguments, "hydra.sweeper.n_trials=3")
    assert more[:2] == first
    assert [r.state for r in more] == ["COMPLETE"] * 3


def test_a_database_that_is_locked_for_a_while_only_delays_the_sweep(sweep, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    sweep(*SEARCH, "hydra.sweeper.n_trials=1")
    database = sqlite3.connect(tmp_path / "sweep" / "study.db", check_same_thread=False, isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    released = []

    def release() -> None:
        time.sleep(2.0)
        released.append(time.monotonic())
        database.execute("COMMIT")

    thread = threading.Thread(target=release)
    thread.start()
    records = sweep(*SEARCH, "hydra.sweeper.n_trials=2")
    ended = time.monotonic()
    thread.join()
    database.close()
    assert [r.state for r in records] == ["COMPLETE"] * 2
    assert ended > released[0]


def test_a_full_disk_stops_the_sweep_and_the_same_command_goes_on(sweep, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    arguments = (*SEARCH, "trouble=disk", "hydra.sweeper.n_trials=2")
    with pytest.raises(UserError, match=r"no space left on the disk of .*trial_0000"):
        sweep(*arguments)
    (waiting,) = load_trials(tmp_path / "sweep")
    assert (waiting.state, epochs(waiting)) == ("WAITING", [0, 1])
    (tmp_path / "space").touch()
    records = sweep(*arguments)
    assert [r.state for r in records] == ["COMPLETE"] * 2
    assert epochs(records[0]) == [0, 1, 2, 3]


def test_nothing_secret_and_no_trial_is_left_in_the_environment(sweep, monkeypatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    import os

    monkeypatch.setenv("PGPASSWORD", "s3cret-word")
    sweep(*SEARCH, "hydra.sweeper.n_trials=1", "hydra.output_subdir=.hydra")
    assert not [name for name in os.environ if name.startswith("FER_TRIAL")]
    written = [path for path in (tmp_path / "sweep").rglob("*") if path.is_file()]
    assert any(path.name == "hydra.yaml" for path in written)
    assert not [path for path in written if b"s3cret-word" in path.read_bytes()]


def test_the_study_is_named_by_what_is_fixed(sweep, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    def name(*overrides: str) -> str:
        place = "hydra.sweep.dir=studies/${hydra.sweeper.study_name}"
        with pytest.raises(DataError):  # `sweep` looks in the folder that this command does not use
            sweep(place, *SEARCH, "hydra.sweeper.n_trials=1", *overrides)
        return max((tmp_path / "studies").iterdir(), key=lambda path: path.stat().st_mtime_ns).name

    plain = name()
    assert plain.startswith("toy-toy-")
    assert load_study(tmp_path / "studies" / plain).study_name == plain
    assert name("note=x", "seed=4") == plain
    assert name("model.slope=0.3") != plain


@pytest.mark.parametrize("storage", ["sqlite", "journal", "all.db"])
def test_two_studies_never_share_a_folder(sweep, tmp_path: Path, storage: str) -> None:  # type: ignore[no-untyped-def]
    place = f"hydra.sweeper.storage={storage}"
    first = sweep(*SEARCH, place, "hydra.sweeper.n_trials=1", "hydra.sweeper.study_name=one")
    message = r"hydra\.sweep\.dir=.*sweep: holds the study one; expected a folder for two alone"
    with pytest.raises(ConfigError, match=message):
        sweep(*SEARCH, place, "hydra.sweeper.n_trials=1", "hydra.sweeper.study_name=two", "model.dropout=0.9")
    assert load_trials(tmp_path / "sweep") == first
    more = sweep(*SEARCH, place, "hydra.sweeper.n_trials=2", "hydra.sweeper.study_name=one")
    assert len(more) == 2


def test_reading_a_place_without_a_study(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no study"):
        load_trials(tmp_path)
    with pytest.raises(DataError, match=r"nothing\.db: no such file"):
        load_trials(tmp_path / "nothing.db")
    assert not (tmp_path / "nothing.db").exists()
    (tmp_path / "study.db").touch()  # as a crash of the file system leaves it
    with pytest.raises(DataError, match=r"holds no study$"):
        load_trials(tmp_path)


# A namespace package that cannot be listed, as in an editable installation: Hydra 1.4 has the entry point.
UNLISTED = (
    "import pkgutil; walk = pkgutil.walk_packages;"
    "pkgutil.walk_packages = lambda path, prefix, onerror:"
    " () if prefix == 'hydra_plugins.' else walk(path, prefix, onerror);"
)


# Hydra 1.3 reads no entry points.
ENTRY_POINTS = not hydra.__version__.startswith("1.3.")


@pytest.mark.parametrize(("before", "found"), [("", True), (UNLISTED, ENTRY_POINTS)])
def test_hydra_finds_the_sweeper_and_its_discovery_loads_nothing_heavy(before: str, found: bool) -> None:
    program = (
        f"{before}import sys; from hydra.core.plugins import Plugins; from hydra.plugins.sweeper import Sweeper;"
        "names = [c.__name__ for c in Plugins.instance().discover(Sweeper)];"
        "heavy = [m for m in ('optuna', 'torch', 'sqlalchemy', 'pytorch_lightning') if m in sys.modules];"
        "print('FerOptunaSweeper' in names, heavy)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == f"{found} []"
