"""Secrets planted wherever a person may have one, and looked for in everything that a study leaves behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from fer_lightning.redact import redact_text
from fer_lightning.runs.provenance import command_line
from tiny_words import TINY

PLANTED = {
    "environment": "planted-environment-7d1f",
    "password": "planted-password-91ab",
    "key": "planted-key-0c2e55aa01",
    "override": "planted-override-44d0",
    "assigned": "planted-assigned-5e2b",
    "note": "planted-note-b3b3f0",
    "printed": "planted-printed-77aa",
    "logged": "planted-logged-a8c3",
    "remote": "planted-remote-19c8",
    "url": "planted-url-6f6f20",
    "bare": "planted-bare-c4d15e",
}
# Something of the user's own that a study meets: it prints and logs what it knows.
PROGRAM = """
import logging
import sys

import pytorch_lightning as pl

from fer_lightning.cli import main


class Talkative(pl.Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        print("the token=" + "{printed}")
        logging.getLogger("mine").warning("the token=%s", "{logged}")
        logging.getLogger("mine").warning("seen {environment}")
        if trainer.current_epoch == 0 and pl_module.record["config"]["seed"] == 1:
            raise RuntimeError("no access to https://ada:{url}@host/x nor https://{bare}@host/y with {environment}")


sys.modules["mine"] = sys.modules["__main__"]
sys.exit(main())
"""


def leaves(root: Path) -> dict[str, bytes]:
    """Everything written, by its path: contents of files, and of what is compressed in them."""
    found = {}
    for path in root.rglob("*"):
        if path.is_symlink():
            found[str(path)] = os.readlink(path).encode()
        elif path.is_file():
            found[str(path)] = path.read_bytes()
    return found


def unpacked(content: bytes) -> bytes:
    """The texts of a PNG or of a zip's members as well."""
    parts, start = [content], 0
    while (start := content.find(b"\x78", start)) >= 0 and len(parts) < 50:
        with contextlib.suppress(zlib.error):
            parts.append(zlib.decompressobj().decompress(content[start:], 1_000_000))
        start += 1
    return b"\n".join(parts)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A small study through the command line, in a checkout whose remote holds a password."""
    root = tmp_path_factory.mktemp("secrets")
    home = root / "home"
    work = home / "work"
    work.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(work)], check=True)
    address = f"https://ada:{PLANTED['remote']}@git.example/faces.git"
    subprocess.run(["git", "-C", str(work), "remote", "add", "origin", address], check=True)
    address = f"https://{PLANTED['bare']}@git.example/faces.git"
    subprocess.run(["git", "-C", str(work), "remote", "add", "mirror", address], check=True)
    (work / "program.py").write_text(PROGRAM.format(**PLANTED))
    environment = {
        **os.environ,
        "HOME": str(home),
        "WANDB_MODE": "offline",
        "MY_SERVICE_TOKEN": PLANTED["environment"],
        "PGPASSWORD": PLANTED["password"],
        "WANDB_API_KEY": PLANTED["key"].ljust(40, "0"),
        "FER_LIGHTNING_CACHE": str(root / "cache"),
    }
    words = [
        *[word for word in TINY if word != "logger=csv"],
        "+experiment=ablation",
        "ablation.plan=one_factor",
        "~ablation.factors.dropout",
        "~ablation.factors.normalization",
        "~ablation.factors.augmentation",
        "ablation.factors.activation.levels=[selu]",
        "ablation.factors.activation.without=selu",
        "seeds=[0,1]",
        "study.workers=2",
        "logger=wandb",
        "+callbacks.mine._target_=mine.Talkative",
        f"logger.tags=['password={PLANTED['override']}']",
        f"note='{PLANTED['environment']} api_key={PLANTED['assigned']} postgresql://ada:{PLANTED['note']}@host/db'",
        f"hydra.sweep.dir={work / 'study'}",
    ]
    done = subprocess.run(
        [sys.executable, "program.py", *words],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    (work / "program.py").unlink()
    assert done.returncode == 0, done.stdout + done.stderr
    more = subprocess.run(
        [sys.executable, "-m", "fer_lightning", "runs", "study", "format=json", "output=runs.json"],
        cwd=work,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert more.returncode == 0, more.stdout + more.stderr
    done.stdout += more.stdout + more.stderr
    return root, done.stdout + done.stderr


@pytest.mark.slow
def test_no_planted_secret_is_found_anywhere(outputs):
    root, said = outputs
    written = {path: content for path, content in leaves(root).items() if "/work/.git/" not in path}
    kinds = {Path(path).suffix for path in written}
    assert {
        ".wandb",
        ".db",
        ".json",
        ".yaml",
        ".csv",
        ".png",
        ".ckpt",
        ".npz",
        ".log",
        ".txt",
        ".md",
    } <= kinds
    found = [
        (name, path)
        for path, content in written.items()
        for name, secret in PLANTED.items()
        if secret.encode() in content or secret.encode() in unpacked(content)
    ]
    assert found == []
    # What a program prints to its own terminal is its own affair.
    assert [name for name, secret in PLANTED.items() if secret in said and name != "printed"] == []


@pytest.mark.slow
def test_the_secrets_were_met(outputs):
    """What is redacted is seen to be: the run that failed, the note, and the lines that were logged."""
    root, said = outputs
    assert "token=***" in said
    assert (
        "***" in (root / "home/work/study/report.json").read_text()
        or "***" in (root / "home/work/study/trial_0000/run.json").read_text()
    )
    assert (
        '"note": "*** api_key=*** postgresql://ada:***@host/db"'
        in (root / "home/work/study/trial_0000/run.json").read_text()
    )


@pytest.mark.slow
def test_the_home_directory_is_named_nowhere_and_holds_nothing_else(outputs):
    root, said = outputs
    home = root / "home"
    written = leaves(home / "work" / "study") | leaves(root / "cache")
    names = str(home).encode()
    assert [path for path, content in written.items() if names in content or names in unpacked(content)] == []
    assert str(home) not in said
    # The list of fonts is matplotlib's, in its own place, for all programs of the user's.
    left = [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()]
    assert [path for path in left if not path.startswith(("work/", ".cache/matplotlib/"))] == []
    assert not (home / ".cache" / "wandb").exists()
    assert not (home / ".config" / "wandb").exists()
    assert not (home / ".local").exists()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("+api_key=abc", "+api_key=***"),
        ("+auth_token='two words'", "+auth_token=***"),
        ("+private_key=abc +db.pass=abc", "+private_key=*** +db.pass=***"),
        ("+api_key=${oc.env:MY_API_KEY}", "+api_key=${oc.env:MY_API_KEY}"),
        ("bypass=abc, first pass: abc", "bypass=abc, first pass: abc"),
        ("token='0.5'", "token='0.5'"),
        ('{"said": "token=", "next": "abc"}', '{"said": "token=", "next": "abc"}'),
    ],
)
def test_what_is_assigned_to_a_secrets_name_is_masked(text, written):
    assert redact_text(text) == written


def test_the_shells_quotes_do_not_part_a_secret_from_its_name():
    assert command_line(["+auth_token='two words'", "rate=1"]).endswith(" '+auth_token=***' rate=1")
