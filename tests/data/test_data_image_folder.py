from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_forms import small_fer, write_folder, write_zip
from fer_lightning.data.faces import Faces
from fer_lightning.data.source import load_faces
from fer_lightning.errors import DataError

OR_NAMES = ", or data.names=… to read classes off names"


def draw(root: Path, counts: dict[str, int], start: int = 0) -> Path:
    """Uniform pictures, each of its own grey level, size and mode: `counts` pictures a folder."""
    modes = ("L", "RGB", "RGBA", "P", "CMYK")
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            grey = Image.new("L", (20 + start, 30), start)
            image = grey.convert(modes[start % 5])
            image.save(root / folder / f"{i}.{'tiff' if image.mode == 'CMYK' else 'png'}")
            start += 1
    return root


def load(path: Path, **options: object) -> Faces:
    return load_faces("image_folder", path, cache_dir=path.parent / "cache", **options)  # type: ignore[arg-type]


def message(path: Path) -> str:
    with pytest.raises(DataError) as error:
        load(path)
    text = str(error.value)
    assert "\n" not in text
    return text.removeprefix(str(path.parent) + "/")


def test_flat_folders_get_a_seeded_stratified_split(tmp_path: Path) -> None:
    root = draw(tmp_path / "mine", {"smile": 20, "frown": 10})
    faces = load(root, image_size=16, val_fraction=0.2, test_fraction=0.1)
    assert faces.class_names == ("frown", "smile")
    assert faces.name == "mine"
    assert faces.images.shape == (30, 16, 16)
    counts = np.zeros((3, 2), int)
    np.add.at(counts, (faces.splits, faces.labels), 1)
    assert counts.tolist() == [[7, 14], [2, 4], [1, 2]]
    assert faces.ids[0] == "frown/0.png"
    # Every face has the grey level it was drawn with, whatever its size and mode.
    drawn = {f"smile/{i}": i for i in range(20)} | {f"frown/{i}": 20 + i for i in range(10)}
    for name, image in zip(faces.ids, faces.images, strict=True):
        assert np.abs(image.astype(int) - drawn[name.split(".")[0]]).max() <= 1, name
    other = load(root, image_size=16, val_fraction=0.2, test_fraction=0.1, split_seed=1)
    assert (faces.splits != other.splits).any()
    assert (faces.images == other.images).all()


@pytest.mark.parametrize("val", ["val", "valid", "Validation"])
@pytest.mark.parametrize("zipped", [False, True])
def test_given_splits_stay(tmp_path: Path, val: str, zipped: bool) -> None:
    counts = {"train/a": 3, "train/b": 4, f"{val}/a": 1, f"{val}/b": 2, "test/a": 2, "test/b": 1}
    root = draw(tmp_path / "mine", counts)
    faces = load(write_zip(tmp_path / "mine.zip", root, "mine/") if zipped else root)
    for name, split, label in zip(faces.ids, faces.splits, faces.labels, strict=True):
        folder, class_name, _ = name.split("/")
        assert split == {"train": 0, val: 1, "test": 2}[folder]
        assert class_name == "ab"[label]
    assert len(faces) == 13
    assert faces.name == "mine"


def test_validation_is_taken_from_train_where_only_train_and_test_are_given(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "fer", small_fer())
    faces = load(root, val_fraction=0.34)
    assert np.bincount(faces.splits).tolist() == [14, 7, 14]
    assert all(
        name.startswith("test/") == (split == 2) for name, split in zip(faces.ids, faces.splits, strict=True)
    )
    assert faces.class_names == ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def test_only_a_train_folder_is_split_like_flat_ones(tmp_path: Path) -> None:
    faces = load(draw(tmp_path / "mine", {"train/a": 10, "train/b": 10}), val_fraction=0.2, test_fraction=0.1)
    assert np.bincount(faces.splits).tolist() == [14, 4, 2]


def test_subfolders_belong_to_their_class(tmp_path: Path) -> None:
    faces = load(draw(tmp_path / "mine", {"a": 3, "a/more": 3, "b": 6}))
    assert np.bincount(faces.labels).tolist() == [6, 6]


def test_mistakes_in_the_layout(tmp_path: Path) -> None:
    root = draw(tmp_path / "one", {"a": 3})
    assert message(root) == "one: found 1 class (a); expected at least 2" + OR_NAMES
    root = draw(tmp_path / "none", {"": 3})
    assert message(root) == "none/0.png: lies in no class folder; expected <class>/0.png" + OR_NAMES
    root = draw(tmp_path / "mixed", {"train/a": 3, "train/b": 3, "extra/a": 1})
    assert message(root) == (
        "mixed/extra: folder 'extra' stands beside split folders (train); "
        "expected either split folders or class folders"
    )
    root = draw(tmp_path / "no_train", {"val/a": 3, "test/b": 3})
    assert message(root) == "no_train: split folders test, val without one called train"
    root = draw(tmp_path / "loose", {"train/a": 3, "train": 1, "train/b": 3})
    assert message(root) == "loose/train/0.png: lies in no class folder; expected <class>/0.png" + OR_NAMES


def test_classes_that_are_empty_or_missing(tmp_path: Path) -> None:
    root = draw(tmp_path / "empty", {"a": 3, "b": 0})
    assert message(root) == "empty/b: class 'b' is empty; expected at least one image"
    root = draw(tmp_path / "missing", {"train/a": 3, "train/b": 3, "val/a": 1, "test/a": 1, "test/b": 1})
    assert message(root) == (
        "missing: class 'b' has no face in split 'val' (it has 4 in all): "
        "expected at least one of each class in each split"
    )
    root = draw(tmp_path / "few", {"a": 9, "b": 2})
    assert message(root) == (
        "few: class 'b' has no face in split 'train' (it has 2 in all): "
        "expected at least one of each class in each split"
    )


def test_a_file_that_is_no_picture(tmp_path: Path) -> None:
    root = draw(tmp_path / "mine", {"a": 9, "b": 9})
    (root / "notes.txt").write_text("outside the class folders files are nobody's business")
    assert len(load(root)) == 18
    for name in ("notes.txt", "Labels.CSV"):
        (root / "b" / name).write_text("hello")
    faces = load(root)
    assert len(faces) == 18
    assert "left out, for they are no pictures: 2 files (the first is b/Labels.CSV)" in faces.notes
    (root / "b" / "notes").write_text("hello")
    assert message(root) == (
        "mine/b/notes: not an image (5 bytes); expected a whole image file, or data.unreadable=skip to leave it out"
    )


def test_links_that_lead_back_to_where_they_lie_are_left_out(tmp_path: Path) -> None:
    root = draw(tmp_path / "mine", {"a": 9, "b": 9})
    (root / "a" / "self").symlink_to("..")
    assert len(load(root)) == 18
    (root / "a" / "beside").symlink_to("../b")
    (root / "b" / "back").symlink_to("../a")
    faces = load(root)
    assert len(faces) == 9 + 9 + 9 + 9  # a, a/beside, b and b/back
    assert (
        "left out, for they lead back to where they lie: 4 links (the first is a/beside/back)" in faces.notes
    )


def test_what_cannot_be_opened_is_named_with_the_rest_and_can_be_skipped(tmp_path: Path) -> None:
    root = draw(tmp_path / "mine", {"a": 9, "b": 9})
    (root / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(root / "b" / "pipe.png")
    assert message(root) == (
        "mine: 2 of 20 pictures cannot be read: a/gone.png: cannot be read (No such file or directory); "
        "b/pipe.png: cannot be read (not a regular file); expected whole image files, or data.unreadable=skip to leave "
        "them out"
    )
    assert len(load(root, unreadable="skip")) == 18
    (root / "a" / "gone.png").unlink()
    (root / "c").symlink_to(tmp_path / "nowhere")  # a class, not a picture
    assert message(root) == "mine/c: cannot be read (No such file or directory)"


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "faces.csv").write_text("emotion,pixels,Usage\n")
    assert message(tmp_path / "faces.csv") == (
        "faces.csv: not a folder of pictures; expected a folder, or a zip or tar of one, with <class>/* or "
        "{train,val,test}/<class>/*"
    )


def test_the_folders_name_is_part_of_the_faces(tmp_path: Path) -> None:
    root = draw(tmp_path / "old.v1", {"a": 9, "b": 9})
    assert load(root).name == "old.v1"
    root.rename(tmp_path / "new")
    assert load(tmp_path / "new").name == "new"
