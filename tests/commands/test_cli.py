from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image

from fer_lightning.cli import COMMANDS, main
from fer_lightning.runs.leakage import read_kept
from fer_lightning.runs.metrics_csv import read_metrics


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a mistake gives."""
    assert main(list(arguments)) == 2
    written = capsys.readouterr()
    lines = written.err.strip().splitlines()
    assert len(lines) == 1, written.err
    assert lines[0].startswith("fer_lightning: ")
    return lines[0].removeprefix("fer_lightning: ")


def test_help_names_every_command(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sumary"], "sumary: no such command; did you mean summary?"),
        (["modle=cnn"], "modle: no such key; did you mean mode"),
        (["model=vgg61"], "model=vgg61: no such option; did you mean vgg1"),
        (["-m", "model.activation=relu,sel"], "model.activation=sel: expected one of relu, selu"),
        (["-m", "model=small,cn"], "model=cn: no such option; did you mean cnn?"),
        (["+experiment=ablatoin"], "experiment=ablatoin: no such option; did you mean ablation?"),
        (["+experiment=ablation", "model.dropot_scale=1"], "model.dropot_scale: no such key"),
        (["data=fer2013", "data.path=null"], "data=fer2013 needs data.path="),
        (["data=fer2013", "data.path=/no/such.zip"], "data.path=/no/such.zip: no such file or folder"),
        (["resume=/no/such.ckpt"], "resume=/no/such.ckpt: no such checkpoint or run folder"),
        (["optimizer.lr='1"], "optimizer.lr='1: expected a number"),
        (["summary", "model=vgg"], "model=vgg: no such option; did you mean vgg"),
        (["evaluate"], "checkpoint=…: expected a checkpoint"),
        (["evaluate", "checkpoint=/no/such.ckpt"], "/no/such.ckpt: no such checkpoint"),
        (["evaluate", "checkpoint=3"], "3: no such checkpoint"),
        (
            ["evaluate", "checkpoint=a,b"],
            "checkpoint=a,b: expected one value, or several as checkpoint=[a,b]",
        ),
        (["evaluate", "checkpoint=a", "flip=no"], "flip=no: expected true or false"),
        (["evaluate", "checkpoint=a", "output="], "output='': expected a non-empty text"),
        (["evaluate", "checkpoint=a", "threads=0"], "threads=0: expected a whole number from 1 to 1024"),
        (["evaluate", "checkpoint=a", "threads=two"], "threads=two: expected a whole number from 1 to 1024"),
        (["evaluate", "checkpont=a"], "checkpont: no such key; did you mean checkpoint?"),
        (["evaluate", "a.ckpt"], "a.ckpt: expected key=value"),
        (["report"], "report STUDY_DIR: expected the folder of one study"),
        (["report", "/no/such"], "/no/such: no such folder"),
        (["report", "/tmp", "confidense=1"], "confidense: no such key; did you mean confidence?"),
        (["report", "/", "confidence=2"], "confidence=2: expected a number above 0 and below 1"),
        (["report", "/"], "/: holds no study"),
        (["audit", "data=fer2031"], "data=fer2031: no such option; did you mean fer2013?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_gets_one_line_and_status_2(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in complaint(capsys, *arguments)
    assert list(tmp_path.rglob("*.ckpt")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hydra.run.dir=file/x"], "hydra.run.dir=file/x: file is a file; expected a folder to write to"),
        (["hydra.run.dir=file"], "hydra.run.dir=file: is a file; expected a folder"),
        (["+experiment=ablation", "hydra.sweep.dir=file/x"], "hydra.sweep.dir=file/x: file is a file"),
        (["evaluate", "checkpoint=a.ckpt", "output=file/x"], "output=file/x: file is a file"),
        (["explain", "checkpoint=a.ckpt", "output=file"], "output=file: is a file; expected a folder"),
        (["predict", "checkpoint=a.ckpt", "output=.", "a.png"], "output=.: is a folder; expected a file"),
        (["runs", ".", "output=file/x.csv"], "output=file/x.csv: file is a file"),
        (["audit", "output=file/x"], "output=file/x: file is a file"),
        (["report", ".", "output=file/x"], "output=file/x: file is a file"),
        (["workspace", "output=locked/x.json"], "output=locked/x.json: locked cannot be written"),
        (["+experiment=ablation", "metric=val/accuracy"], "metric=val/accuracy: no run measures it; did you mean"),
        (
            ["+experiment=search", "hydra.sweeper.objective=[val/acc,val/f2]"],
            "hydra.sweeper.objective=val/f2: no run measures it; did you mean val/f1?",
        ),
        (["+experiment=ablation", "data.train_on=train_val"], "metric=val/acc with data.train_on=train_val: nothing"),
        (["+experiment=ablation", "data.batch_size=1"], "data.batch_size=1: model: Small cannot be trained on it"),
        (["+experiment=ablation", "trainer.accelerator=foo"], "You selected an invalid accelerator name"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_what_cannot_end_well_is_not_begun(capsys, tmp_path, monkeypatch, tiny, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("locked").mkdir()
    monkeypatch.setattr("os.access", lambda place, mode: Path(place).name != "locked")
    words = tiny if "=" in arguments[0] else []
    assert message in complaint(capsys, arguments[0], *words, *arguments[1:])
    assert {path.name for path in tmp_path.iterdir()} <= {"file", "locked"}


def test_a_run_is_trained_evaluated_averaged_and_resumed(capsys, tmp_path, monkeypatch, tiny):
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        assert main([*tiny, "scheduler=constant", f"seed={seed}", f"hydra.run.dir={tmp_path}/run{seed}"]) == 0
    best = [str(tmp_path / f"run{seed}" / "checkpoints" / "best.ckpt") for seed in (0, 1)]
    monkeypatch.setattr(torch, "set_num_threads", threads := Mock())
    assert main(["evaluate", f"checkpoint={best[0]}", "split=test", "threads=2"]) == 0
    threads.assert_called_once_with(2)
    assert "test: 1 model" in capsys.readouterr().out
    assert (
        main(["evaluate", f"checkpoint=[{best[0]},{best[1]}]", "split=val", f"output={tmp_path}/both"]) == 0
    )
    assert "val: average of 2 models" in capsys.readouterr().out
    found = json.loads((tmp_path / "both" / "evaluation.json").read_text())
    assert found["all_faces"]["faces"] == 48
    assert sum(map(sum, found["confusion"])) == 48
    assert (tmp_path / "both" / "val_logits.npz").is_file()
    for faces, name in (("no_copy", "no_copy_in_training"), ("no_near_copy", "no_near_copy_in_training")):
        kept = read_kept(tmp_path / "both" / "val_copies.npz", faces, 48)
        assert kept.sum() == found[name]["faces"]
    more = [word for word in tiny if not word.startswith("trainer.max_epochs")]
    capsys.readouterr()
    longer = [*more, "trainer.max_epochs=2", "resume=true", f"hydra.run.dir={tmp_path}/run0"]
    assert "was trained with another scheduler" in complaint(capsys, *longer)
    assert main([*longer, "scheduler=constant", f"hydra.run.dir={tmp_path}/run0"]) == 0
    assert [row["epoch"] for row in read_metrics(tmp_path / "run0" / "metrics.csv")] == [0, 1]


def test_own_pictures_of_other_size_and_classes_are_trained_and_evaluated(
    capsys, tmp_path, monkeypatch, tiny
):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for level, label in ((40, "calm"), (120, "glad"), (200, "cross")):
        (tmp_path / "faces" / label).mkdir(parents=True)
        for number in range(30):
            colours = np.clip(random.normal(level, 20, (30, 40, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(colours).save(tmp_path / "faces" / label / f"{number}.png")
    own = [word for word in tiny if not word.startswith(("data.drawing", "trainer.max_epochs"))]
    place = ["data=image_folder", f"data.path={tmp_path}/faces", "data.image_size=32"]
    budget = ["data.batch_size=8", "optimizer.lr=0.01", "trainer.max_epochs=3"]
    assert main([*own, *place, *budget, f"hydra.run.dir={tmp_path}/run"]) == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["data"]["synthetic"] is False
    assert record["best"]["val/acc"] > 0.9  # the grey level alone tells these classes apart
    capsys.readouterr()
    assert main(["evaluate", f"checkpoint={tmp_path}/run/checkpoints/best.ckpt", "split=test"]) == 0
    text = capsys.readouterr().out
    assert all(f"recall {label}" in text for label in ("calm", "glad", "cross"))


def test_a_data_key_of_evaluate_must_exist(capsys, tmp_path, monkeypatch, tiny):
    monkeypatch.chdir(tmp_path)
    assert main([*tiny, f"hydra.run.dir={tmp_path}/run"]) == 0
    capsys.readouterr()
    words = ["evaluate", f"checkpoint={tmp_path}/run/checkpoints/best.ckpt"]
    line = complaint(capsys, *words, "data.pth=x")
    assert line == "data.pth: no such key; did you mean data.path?"
    line = complaint(capsys, *words, "data.drawing.nois=2")
    assert line == "data.drawing.nois: no such key; did you mean data.drawing.noise?"
    line = complaint(capsys, *words, "data.image_size=40")
    assert line.startswith("faces of 40 pixels: Small takes images of 48 pixels only; ")
    assert main([*words, "data.drawing.n_val=24", "output=0"]) == 0
    assert json.loads(Path("0/evaluation.json").read_text())["all_faces"]["faces"] == 24


def test_summary_shows_the_layers(capsys):
    assert main(["summary", "model=cnn"]) == 0
    text = capsys.readouterr().out
    assert "4,087,879" in text
    assert "4,084,295" in text
    assert max(map(len, text.splitlines())) <= 100


def test_summary_has_the_classes_and_the_size_of_the_data_or_says_what_it_assumes(tmp_path, capsys):
    for split in ("train", "val"):
        for name in "abc":
            (tmp_path / split / name).mkdir(parents=True)
            for number in range(2):
                face = np.random.default_rng([ord(name), number, len(split)]).integers(
                    0, 256, (48, 48), np.uint8
                )
                Image.fromarray(face).save(tmp_path / split / name / f"{number}.png")
    words = ["summary", "model=fast", "data=image_folder", "data.image_size=64"]
    assert main([*words, f"data.path={tmp_path}", f"data.cache_dir={tmp_path}/cache"]) == 0
    known = capsys.readouterr().out
    assert "one grey image of 64×64 pixels" in known
    assert re.search(r"output .* 3 ", known)
    assert "assumed" not in known
    assert main(words) == 0
    assumed = capsys.readouterr().out
    assert re.search(r"output .* 7 ", assumed)
    assert assumed.endswith("7 classes are assumed; data.path=… says what data=image_folder has.\n")


def test_audit_counts_the_drawn_faces(capsys, tiny):
    assert main(["audit", *[word for word in tiny if word.startswith("data.drawing")]]) == 0
    text = capsys.readouterr().out
    assert "192" in text
    assert "synthetic" in text.lower()


@pytest.mark.slow
@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_what_an_output_cannot_encode_is_escaped(capsys, monkeypatch, errors):
    written = {name: io.BytesIO() for name in ("stdout", "stderr")}
    for name, raw in written.items():
        monkeypatch.setattr(sys, name, io.TextIOWrapper(raw, "ascii", errors))
    assert main(["fäch\udcf6er"]) == 2
    sys.stderr.flush()
    byte = rb"\udcf6" if errors == "strict" else b"\xf6"
    assert written["stderr"].getvalue().startswith(rb"fer_lightning: f\xe4ch" + byte + b"er: no such command")


def test_a_current_folder_that_is_gone_is_named(capsys, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert (
        complaint(capsys, "seed=1")
        == "the current folder: no such file or directory; expected one that is there"
    )
    monkeypatch.chdir(tmp_path)


def test_the_module_runs_from_another_folder(tmp_path: Path, tiny):
    command = [sys.executable, "-m", "fer_lightning", *tiny, "hydra.run.dir=here"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert (tmp_path / "here" / "run.json").is_file()
    bad = subprocess.run(
        [*command, "model=x"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert bad.returncode == 2
    assert "Traceback" not in bad.stderr


def test_a_command_says_that_it_loads_pytorch_before_anything_else():
    command = [sys.executable, "-m", "fer_lightning", "predict"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("fer_lightning: loading PyTorch and Lightning\nfer_lightning: checkpoint=")


def test_a_reader_that_has_enough_ends_a_command_without_a_traceback():
    command = [sys.executable, "-m", "fer_lightning", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_memory_that_is_not_there_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_: object, **__: object) -> None:
        torch.empty(2**50, dtype=torch.uint8)  # more than a process can address

    monkeypatch.setattr("fer_lightning.commands.summary.build_model", build)
    said = complaint(capsys, "summary", "model=small")
    assert said.startswith("not enough memory for 1,048,576.0 GiB more; expected a smaller model, ")


def test_a_study_in_a_folder_that_cannot_be_written_is_told_of_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda place, mode: Path(place) != tmp_path)
    said = complaint(capsys, "report", str(tmp_path))
    assert said == f"{tmp_path}: cannot be written; expected output=DIR, a folder for the report's files"


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command, "bash", sys.executable, "-m", "fer_lightning"], capture_output=True, text=True
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed(closed: str) -> None:
    done = shell(f'"$@" --help {closed}')
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "" if ">&-" in closed.replace("2>&-", "") else "Commands:" in done.stdout


def test_a_full_disk_is_one_line() -> None:
    done = shell('"$@" --help > /dev/full')
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "fer_lightning: no space left on the disk; make room and run the same command again, a run that had begun "
        "with resume=true\n"
    )
