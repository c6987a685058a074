from __future__ import annotations

import json
import logging
import os
import re
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import fer_forms
from fer_forms import csv_lines, small_fer, write_csv, write_folder
from fer_lightning.data.cache import cached, default_cache_dir
from fer_lightning.data.faces import Faces, RawFaces
from fer_lightning.data.picture_arrays import Allocate
from fer_lightning.data.source import load_faces
from fer_lightning.errors import DataError

RAW = small_fer()


class Build:
    """Gives the small data set and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, allocate: Allocate) -> RawFaces:
        self.count += 1
        return RAW


def assert_sound(faces: Faces) -> None:
    for name in ("images", "labels", "splits", "ids"):
        assert (getattr(faces, name) == getattr(RAW, name)).all(), name
    assert faces.class_names == RAW.class_names
    assert (faces.name, faces.synthetic) == ("fer2013", False)


def the_cache(root: Path) -> Path:
    (folder,) = root.glob("*/")
    return folder


def test_built_once_then_opened(tmp_path: Path) -> None:
    build = Build()
    first = cached("synthetic-1", build, tmp_path)
    second = cached("synthetic-1", build, tmp_path)
    assert build.count == 1
    assert_sound(first)
    assert_sound(second)
    assert first.fingerprint == second.fingerprint
    assert the_cache(tmp_path).name.startswith("synthetic-")
    cached("synthetic-2", build, tmp_path)
    assert build.count == 2


def test_synthetic_faces_stay_marked(tmp_path: Path) -> None:
    drawn = RawFaces(RAW.images, RAW.labels, RAW.splits, RAW.ids, RAW.class_names, "synthetic", True)
    for _ in range(2):
        faces = cached("synthetic", lambda allocate: drawn, tmp_path)
        assert (faces.name, faces.synthetic) == ("synthetic", True)


def test_images_are_mapped_shared_and_never_written_back(tmp_path: Path) -> None:
    faces = cached("k", Build(), tmp_path)
    assert isinstance(faces.images, np.memmap)
    assert faces.images.flags.c_contiguous
    before = (the_cache(tmp_path) / "images.npy").read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = torch.from_numpy(faces.images)
    assert tensor.data_ptr() == faces.images.ctypes.data
    tensor[:] = 7
    faces.images.flush()
    assert (the_cache(tmp_path) / "images.npy").read_bytes() == before
    assert_sound(cached("k", Build(), tmp_path))


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def edit_json(path: Path) -> None:
    record = json.loads(path.read_text())
    record["contents"]["class_names"][0] = "furious"
    path.write_text(json.dumps(record))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a pixel": lambda folder: flip(folder / "images.npy", 40_000),
    "the last pixel": lambda folder: flip(folder / "images.npy", -1),
    "the header": lambda folder: flip(folder / "images.npy", 60),
    "a label": lambda folder: flip(folder / "labels.npy", 200),
    "a split": lambda folder: flip(folder / "splits.npy", 140),
    "an id": lambda folder: flip(folder / "ids.npy", 600),
    "cut images": lambda folder: os.truncate(folder / "images.npy", 50_000),
    "empty images": lambda folder: os.truncate(folder / "images.npy", 0),
    "lengthened labels": lambda folder: os.truncate(folder / "labels.npy", 5_000),
    "missing splits": lambda folder: (folder / "splits.npy").unlink(),
    "missing record": lambda folder: (folder / "faces.json").unlink(),
    "garbled record": lambda folder: (folder / "faces.json").write_bytes(b"\xff{"),
    "edited record": lambda folder: edit_json(folder / "faces.json"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_noticed_said_once_and_repaired(
    tmp_path: Path, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    build = Build()
    cached("k", build, tmp_path)
    damage(the_cache(tmp_path))
    for _ in range(2):
        assert_sound(cached("k", build, tmp_path))
    assert build.count == 2
    (record,) = caplog.records
    assert re.fullmatch(rf"cache {the_cache(tmp_path)} is damaged \(.+\); building it again", record.message)
    assert "\n" not in record.message


def test_faces_that_are_open_survive_a_repair(tmp_path: Path) -> None:
    faces = cached("k", Build(), tmp_path)
    (the_cache(tmp_path) / "faces.json").unlink()
    cached("k", Build(), tmp_path)
    assert_sound(faces)


WORKER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from fer_forms import small_fer
from fer_lightning.data.cache import cached

root, seconds = Path(sys.argv[1]), float(sys.argv[3])

def build(allocate):
    with (root / "builds").open("a") as file:
        file.write("x")
    time.sleep(seconds)
    return small_fer()

(root / f"ready{sys.argv[4]}").touch()
while not (root / "go").exists():
    time.sleep(0.005)
print(cached("k", build, root / "cache").fingerprint)
"""


def start(root: Path, number: int, seconds: float) -> subprocess.Popen[str]:
    arguments = [str(root), str(Path(fer_forms.__file__).parent), str(seconds), str(number)]
    return subprocess.Popen([sys.executable, "-c", WORKER, *arguments], stdout=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_of_several_processes_one_builds_and_the_others_wait(tmp_path: Path) -> None:
    workers = [start(tmp_path, i, 0.4) for i in range(3)]
    wait_for(lambda: all((tmp_path / f"ready{i}").exists() for i in range(3)))
    (tmp_path / "go").touch()
    fingerprints = {worker.communicate(timeout=30)[0] for worker in workers}
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert len(fingerprints) == 1
    assert (tmp_path / "builds").read_text() == "x"


def test_a_killed_builder_holds_nobody_up_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    worker = start(tmp_path, 0, 60.0)
    wait_for(lambda: (tmp_path / "builds").exists())
    # As if it had been killed a moment later, while it wrote.
    (lock,) = (tmp_path / "cache").glob("*.lock")
    half_written = tmp_path / "cache" / f".{lock.stem}.{worker.pid}"
    half_written.mkdir(exist_ok=True)
    (half_written / "images.npy").write_bytes(b"half")
    worker.send_signal(signal.SIGKILL)
    worker.communicate(timeout=30)
    assert_sound(cached("k", Build(), tmp_path / "cache"))
    assert not half_written.exists()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for less than the 35 faces."""
    mount = tmp_path / "tiny"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def full_disk_message(root: Path) -> str:
    with pytest.raises(DataError) as error:
        cached("k", Build(), root)
    assert [path.suffix for path in root.iterdir()] == [".lock"], "nothing partial is left"
    return str(error.value)


def test_a_full_disk(tiny_disk: Path) -> None:
    needed = RAW.images.nbytes + RAW.labels.nbytes + RAW.splits.nbytes + RAW.ids.nbytes
    assert full_disk_message(tiny_disk / "cache") == (
        f"{tiny_disk}/cache: the data cache cannot be written (No space left on device); "
        f"{needed:,} bytes (0.1 MiB) are needed there; data.cache_dir=… names another folder"
    )
    # With room again it is built as if nothing had happened.
    subprocess.run(["mount", "-o", "remount,size=1m", str(tiny_disk)], check=True)
    assert_sound(cached("k", Build(), tiny_disk / "cache"))


def in_room(allocate: Allocate, kept: int = 35) -> RawFaces:
    """The small data set, its pictures written into the room that the cache gives, of which the first are kept."""
    room = allocate(RAW.images.shape)
    room[:] = RAW.images
    return RawFaces(
        room[:kept], RAW.labels[:kept], RAW.splits[:kept], RAW.ids[:kept], RAW.class_names, "fer2013"
    )


def test_pictures_written_into_the_caches_own_file_are_the_same_cache(tmp_path: Path) -> None:
    faces = cached("k", in_room, tmp_path / "one")
    assert_sound(faces)
    copied = cached("k", Build(), tmp_path / "other")
    assert faces.fingerprint == copied.fingerprint
    one, other = ((the_cache(tmp_path / name) / "images.npy").read_bytes() for name in ("one", "other"))
    assert one == other


def test_room_that_is_not_used_is_given_back(tmp_path: Path) -> None:
    faces = cached("k", lambda allocate: in_room(allocate, 20), tmp_path)
    assert (faces.images == RAW.images[:20]).all()
    assert (the_cache(tmp_path) / "images.npy").stat().st_size == 128 + 20 * 48 * 48
    assert (cached("k", Build(), tmp_path).images == RAW.images[:20]).all()


def test_a_disk_without_room_is_met_before_any_picture_is_read(tiny_disk: Path) -> None:
    with pytest.raises(DataError, match=r"No space left on device\); 80,640 bytes \(0\.1 MiB\) are needed"):
        cached("k", in_room, tiny_disk / "cache")
    assert [path.suffix for path in (tiny_disk / "cache").iterdir()] == [".lock"], "nothing partial is left"


def test_what_the_cache_keeps_beside_pictures(tmp_path: Path) -> None:
    group = np.array([f"person {i % 4}" for i in range(35)])
    targets = np.random.default_rng(0).dirichlet(np.ones(7), 35).astype(np.float32)
    raw = replace(RAW, group=group, targets=targets)
    for _ in range(2):
        faces = cached("k", lambda allocate: raw, tmp_path)
        assert (faces.group == group).all()
        assert (faces.targets == targets).all()
    plain = cached("other", Build(), tmp_path)
    assert plain.group is plain.targets is None
    assert plain.fingerprint != faces.fingerprint


def test_a_write_that_fails_half_way(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
    try:
        text = full_disk_message(tmp_path / "cache")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert text.startswith(f"{tmp_path}/cache: the data cache cannot be written (File too large); ")


def test_a_cache_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError) as error:
        cached("k", Build(), tmp_path / "file" / "cache")
    assert str(error.value) == (
        f"{tmp_path}/file/cache: the data cache cannot be written (Not a directory); "
        "data.cache_dir=… names another folder"
    )


def test_an_error_of_the_builder_leaves_no_cache(tmp_path: Path) -> None:
    def broken(allocate: Allocate) -> RawFaces:
        raise DataError("line 7 is wrong")

    with pytest.raises(DataError, match=r"^line 7 is wrong$"):
        cached("k", broken, tmp_path)
    assert_sound(cached("k", Build(), tmp_path))


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("FER_LIGHTNING_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_cache_dir() == tmp_path / ".cache" / "fer_lightning"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache_dir() == tmp_path / "xdg" / "fer_lightning"
    monkeypatch.setenv("FER_LIGHTNING_CACHE", "~/own")
    assert default_cache_dir() == tmp_path / "own"
    cached("k", Build())
    assert the_cache(tmp_path / "own").name.startswith("k-")


def test_a_changed_source_is_read_again_and_an_unchanged_one_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="fer_lightning.data.cache")
    lines = csv_lines(RAW)
    table = write_csv(tmp_path / "t.csv", lines)
    first = load_faces("fer2013", table, cache_dir=tmp_path / "cache")
    load_faces("fer2013", table, cache_dir=tmp_path / "cache")
    assert len(caplog.records) == 1
    assert re.match(r"prepared 35 faces of fer2013 in \d+\.\d s: ", caplog.records[0].message)
    write_csv(table, [*lines[:-1], lines[-1].replace(" 255 ", " 254 ")])
    second = load_faces("fer2013", table, cache_dir=tmp_path / "cache")
    assert len(caplog.records) == 2
    assert first.fingerprint != second.fingerprint
    assert (first.images != second.images).sum() == lines[-1].count(" 255 ")
    # Every option that changes the faces is part of the key.
    for options in ({"image_size": 24}, {"split_seed": 1}, {"val_fraction": 0.2}, {"test_fraction": 0.2}):
        load_faces("fer2013", table, cache_dir=tmp_path / "cache", **options)  # type: ignore[arg-type]
    assert len(caplog.records) == 6


def test_a_moved_folder_is_not_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="fer_lightning.data.cache")
    folder = write_folder(tmp_path / "a", RAW)
    load_faces("fer2013", folder, cache_dir=tmp_path / "cache")
    load_faces("fer2013", folder.rename(tmp_path / "b"), cache_dir=tmp_path / "cache")
    assert len(caplog.records) == 1
