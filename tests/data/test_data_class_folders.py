"""Which folders are classes, which are splits, and which are nobody's."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_lightning.data.class_folders import split_of
from fer_lightning.data.expressions import expression, fer_class
from fer_lightning.data.faces import FER_CLASSES, Faces
from fer_lightning.data.source import load_faces
from fer_lightning.data.system_files import is_system_file
from fer_lightning.errors import ConfigError, DataError

JUNK_FOLDERS = (
    *(
        "lost+found",
        "@eaDir",
        "#recycle",
        "$RECYCLE.BIN",
        "RECYCLER",
        "System Volume Information",
        "FOUND.000",
    ),
    *(".ipynb_checkpoints", "__MACOSX", ".dropbox.cache", "@Recycle", "__pycache__", ".Trash-1000"),
)
JUNK_FILES = (
    *("Thumbs.db", "ehthumbs.db", "desktop.ini", ".DS_Store", "._x.png", "Icon\r", "x.png:Zone.Identifier"),
    *("~$x.png", "x.png~", "x.png.part", "Picasa.ini"),
)


def draw(root: Path, counts: dict[str, int], ending: str = "png") -> Path:
    """Random pictures, `counts` of them a folder."""
    rng = np.random.default_rng(0)
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            image = Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8))
            image.save(root / folder / f"im{i}.{ending}")
    return root


def load(path: Path, name: str = "image_folder", **options: object) -> Faces:
    return load_faces(name, path, image_size=8, cache_dir=path.parent / "cache", **options)  # type: ignore[arg-type]


def message(path: Path, name: str = "image_folder", **options: object) -> str:
    with pytest.raises(DataError) as error:
        load(path, name, **options)
    text = str(error.value)
    assert "\n" not in text
    return text.removeprefix(f"{path.parent}/")


def counts(faces: Faces) -> list[list[int]]:
    table = np.zeros((3, len(faces.class_names)), int)
    np.add.at(table, (faces.splits, faces.labels), 1)
    return table.tolist()


@pytest.mark.parametrize(
    ("split", "names"),
    [
        (0, "train TRAIN Training train_set trainset train-images train_data trn images_train TrainingSet"),
        (1, "val valid Validation val_set validation_images dev development PublicTest public_test eval"),
        (2, "test Testing test_set testset TEST_DATA PrivateTest private-test holdout testing images.test"),
        (None, "happy a 1 latest trained_dogs values attest testimony public set images sad_test_faces_old"),
    ],
)
def test_splits_by_their_names(split: int | None, names: str) -> None:
    assert {name: split_of(name) for name in names.split()} == dict.fromkeys(names.split(), split)


def test_splits_by_any_of_their_names_hold_the_classes(tmp_path: Path) -> None:
    root = draw(tmp_path / "affect", {"train_set/a": 3, "train_set/b": 3, "val_set/a": 2, "val_set/b": 1})
    assert (load(root).class_names, counts(load(root))) == (("a", "b"), [[3, 3], [2, 1], [0, 0]])
    root = draw(tmp_path / "inverse", {"a/train": 4, "a/test": 1, "b/train": 5, "b/test": 2})
    faces = load(root)
    assert (faces.class_names, counts(faces)) == (("a", "b"), [[3, 4], [1, 1], [1, 2]])
    root = draw(tmp_path / "within", {"train/images/a": 3, "train/images/b": 3, "val/a": 1, "val/b": 1})
    assert counts(load(root)) == [[3, 3], [1, 1], [0, 0]]


def test_two_folders_for_one_split_are_refused(tmp_path: Path) -> None:
    root = draw(
        tmp_path / "two", {f"{split}/{name}": 2 for split in ("train", "val", "valid") for name in "ab"}
    )
    assert message(root) == (
        "two/valid: 'valid' and 'val' are both taken for val; expected one folder for each of train, val and test"
    )


def test_a_level_that_may_be_the_classes_is_asked_for(tmp_path: Path) -> None:
    for outer, inner in ((("fold1", "fold2"), ("a", "b")), (("2011", "2012"), ("happy", "sad"))):
        root = draw(tmp_path / outer[0], {f"{one}/{two}": 3 for one in outer for two in inner})
        assert message(root) == (
            f"{outer[0]}: {', '.join(outer)} each hold {', '.join(inner)}: are these the classes? Then call the outer "
            "folders train, val and test, or put their pictures together into one folder for each class"
        )
    root = draw(tmp_path / "pets", {f"{one}/{two}": 4 for one in ("cat", "dog") for two in ("old", "young")})
    faces = load(root)
    assert faces.class_names == ("cat", "dog")
    assert (
        faces.notes[0]
        == "the classes are cat, dog; the folders old, young in each of them are taken together"
    )
    root = draw(
        tmp_path / "faces", {f"{one}/{two}": 4 for one in ("happy", "sad") for two in ("men", "women")}
    )
    assert load(root).class_names == ("happy", "sad")
    root = draw(tmp_path / "beside", {"set/train/a": 2, "set/train/b": 2, "more": 2})
    assert message(root) == (
        "beside/set: holds split folders (train) and stands beside other folders (more); expected data.path=… to be "
        "the folder of the splits"
    )


def test_a_second_copy_is_left_out(tmp_path: Path) -> None:
    root = draw(
        tmp_path / "k" / "images", {f"{s}/{c}": 3 for s in ("train", "validation") for c in FER_CLASSES}
    )
    shutil.copytree(root, tmp_path / "images")
    shutil.move(tmp_path / "images", root / "images")
    for name in ("image_folder", "fer2013"):
        faces = load(tmp_path / "k", name)
        assert counts(faces) == [[3] * 7, [3] * 7, [0] * 7]
        assert faces.notes == ("images/images/: left out, for it holds again the 42 files beside it",)
    (root / "images" / "train" / "happy" / "more.png").write_bytes(
        (root / "train/happy/im0.png").read_bytes()
    )
    assert "folder 'images' stands beside split folders" in message(tmp_path / "k")


def test_what_systems_leave_is_nobodys(tmp_path: Path) -> None:
    root = draw(tmp_path / "mine", {"a": 8, "b": 8})
    for folder in JUNK_FOLDERS:
        draw(root, {folder: 1, f"a/{folder}/more": 1})
    for file in JUNK_FILES:
        (root / "b" / file).write_text("x")
        (root / file).write_text("x")
    faces = load(root)
    assert (len(faces), faces.class_names) == (16, ("a", "b"))
    assert not any(
        map(is_system_file, ("recycled_paper", "tmp", "thumbs", "at@home", "c#", "$", "macosx", "icons"))
    )


def test_unlabelled_test_pictures_are_left_out_with_a_note(tmp_path: Path) -> None:
    root = draw(tmp_path / "mine", {"train/a": 8, "train/b": 8, "test": 5})
    faces = load(root)
    assert len(faces) == 16
    assert "test: left out, for no class folder holds its 5 pictures" in faces.notes


@pytest.mark.parametrize("raw", [b"fr\xf6hlich", "fröhlich".encode(), "fro\u0308hlich".encode()])
def test_names_in_any_bytes_are_read(tmp_path: Path, raw: bytes) -> None:
    root = draw(tmp_path / "mine", {"happy": 8, "sad": 8})
    os.rename(os.fsencode(root / "happy"), os.fsencode(root) + b"/" + raw)
    faces = load(root)
    assert faces.class_names == ("fröhlich", "sad")
    assert all(str(name).isprintable() for name in faces.ids)
    for name in (b"\xe4.png", b"\xff\n.png"):
        Path(os.fsdecode(os.fsencode(root) + b"/sad/" + name)).write_bytes(b"no")
    assert ": sad/ä.png: not an image (2 bytes); sad/\\xff\\n.png: not an image" in message(root)


def test_expressions_as_people_spell_them(tmp_path: Path) -> None:
    for name, words in {
        "angry": "Anger ANGRY 0_angry 1.anger an",
        "disgust": "disgusted Disgust",
        "fear": "fearful afraid",
        "happy": "happiness Happy joy 3-happy",
        "sad": "sadness",
        "surprise": "Surprised surprise_1",
        "neutral": "Neutral normal",
    }.items():
        assert {expression(word) for word in words.split()} == {name}
    assert [expression(word) for word in ("contempt", "1", "a", "")] == [None] * 4
    assert [fer_class(word) for word in ("3", "happiness", "7", "contempt")] == [3, 3, None, None]
    spelled = ["angry", "disgusted", "fearful", "happy", "sad", "surprised", "neutral"]
    root = draw(tmp_path / "k", {f"{s}/{c}": n for s, n in (("train", 8), ("test", 3)) for c in spelled})
    faces = load(root, "fer2013")
    assert (faces.class_names, counts(faces)) == (FER_CLASSES, [[7] * 7, [1] * 7, [3] * 7])
    assert faces.notes == (
        "the 21 files in test do not say which are PublicTest and which PrivateTest: all of them are test faces, and "
        "accuracies are not those of FER2013's own splits",
        "the data have no validation split: 7 of 56 training images, drawn over the classes (data.val_fraction, "
        "data.split_seed)",
    )
    assert len(set(faces.ids)) == len(faces)


def test_classes_spelled_differently_in_each_split_are_one(tmp_path: Path) -> None:
    root = draw(
        tmp_path / "mine", {"train/angry": 3, "train/Cool": 3, "val/Anger": 1, "val/cool": 1, "test/COOL": 1}
    )
    draw(root, {"test/angry": 1})
    faces = load(root)
    assert (faces.class_names, counts(faces)) == (("Cool", "angry"), [[3, 3], [1, 1], [1, 1]])
    assert faces.notes == (
        "classes are called as in the training faces: Anger is taken for angry, COOL is taken for Cool, "
        "cool is taken for Cool",
    )
    root = draw(tmp_path / "both", {"angry": 8, "anger": 8})
    assert load(root).class_names == ("anger", "angry")


def test_fer2013_in_folders_for_its_three_usages(tmp_path: Path) -> None:
    usages = {"Training": 3, "PublicTest": 2, "PrivateTest": 1}
    root = draw(tmp_path / "k", {f"{usage}/{c}": n for usage, n in usages.items() for c in FER_CLASSES})
    faces = load(root, "fer2013")
    assert (counts(faces), faces.notes) == ([[3] * 7, [2] * 7, [1] * 7], ())


def test_ck_plus_is_split_by_person(tmp_path: Path) -> None:
    root = tmp_path / "CK+48"
    for person in range(1, 31):
        for number, name in enumerate(("anger", "contempt", "happy")):
            if (person + number) % 2:
                draw(root / name, {"": 1})
                for frame in (12, 13, 14):
                    shutil.copy(
                        root / name / "im0.png", root / name / f"S{person:03d}_00{number}_{frame:08d}.png"
                    )
                (root / name / "im0.png").unlink()
    faces = load(root)
    persons = np.array([str(name).split("/")[1][:4] for name in faces.ids])
    assert all(len(set(faces.splits[persons == person])) == 1 for person in set(persons))
    assert counts(faces) == [[33, 33, 33], [6, 6, 6], [6, 6, 6]]
    assert "drawn by person, 30 of them" in faces.notes[0]
    assert (load(root, split_seed=1).splits != faces.splits).any()
    by_face = load(root, names="")
    assert any(len(set(by_face.splits[persons == person])) > 1 for person in set(persons))


def test_classes_and_persons_are_read_off_names(tmp_path: Path) -> None:
    root = tmp_path / "jaffe"
    root.mkdir()
    for i, person in enumerate(("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")):
        for j, code in enumerate(("AN", "DI", "FE", "HA", "NE", "SA", "SU")):
            Image.new("L", (8, 8), 20 * i + j).save(root / f"{person}.{code}{j % 3 + 1}.{i * 7 + j}.tiff")
    faces = load(root)
    assert faces.class_names == tuple(sorted(FER_CLASSES))
    assert faces.notes[0] == "classes are read off the files' names, which are those of JAFFE"
    assert all(
        len({faces.splits[k] for k, n in enumerate(faces.ids) if n[:2] == p}) == 1 for p in ("KA", "YM")
    )
    mine = draw(tmp_path / "mine", {"": 12})
    for i, file in enumerate(sorted(mine.iterdir())):
        file.rename(mine / f"{'smile' if i % 2 else 'frown'}-{i // 3}.png")
    with pytest.raises(DataError, match="lies in no class folder"):
        load(mine)
    assert load(mine, names=r"(?P<class>[a-z]+)-(?P<person>\d+)").class_names == ("frown", "smile")
    with pytest.raises(
        DataError, match=r"frown-0\.png: its name does not follow data\.names=\(\?P<class>x\)$"
    ):
        load(mine, names="(?P<class>x)")
    for wrong in ("(x", "[a-z]+-[0-9]+"):
        with pytest.raises(ConfigError, match=r"^data\.names="):
            load(mine, names=wrong)


def test_raf_db_as_it_is_given_out_and_as_on_kaggle(tmp_path: Path) -> None:
    lines = []
    for split, count in (("train", 28), ("test", 7)):
        for i in range(count):
            lines.append(f"{split}_{i:05d}.jpg {i % 7 + 1}")
            for folder, end in (("aligned", "_aligned"), ("original", "")):
                place = tmp_path / "raf" / "basic" / "Image" / folder / f"{split}_{i:05d}{end}.jpg"
                place.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (8, 8), i if end else 200).save(place)
    (tmp_path / "raf/basic/EmoLabel").mkdir()
    listing = tmp_path / "raf/basic/EmoLabel/list_patition_label.txt"
    listing.write_text("\n".join(lines) + "\n")
    faces = load(tmp_path / "raf")
    assert counts(faces) == [[3] * 7, [1] * 7, [1] * 7]
    assert faces.images.max() < 60
    surprised = faces.labels == faces.class_names.index("surprise")
    assert {int(str(name)[-14:-12]) % 7 for name in faces.ids[surprised]} == {0}
    listing.write_text("train_00000.jpg 8\n")
    assert message(tmp_path / "raf").endswith(
        "line 1: 'train_00000.jpg 8'; expected a picture and a number from 1 to 7"
    )
    root = draw(
        tmp_path / "kaggle" / "DATASET", {f"{s}/{c}": 8 for s in ("train", "test") for c in range(1, 8)}
    )
    for i, file in enumerate(sorted(root.rglob("*.png"))):
        file.rename(file.with_name(f"train_{i:05d}_aligned.png"))
    assert load(tmp_path / "kaggle").class_names == faces.class_names
    assert "unknown class '7'" in message(tmp_path / "kaggle", "fer2013")


def test_affectnet_as_it_is_given_out(tmp_path: Path) -> None:
    for split, count in (("train_set", 32), ("val_set", 16)):
        draw(tmp_path / "a" / split, {"images": count}, "jpg")
        (tmp_path / "a" / split / "annotations").mkdir()
        for i in range(count):
            for what, value in (("exp", str(i % 8)), ("aro", "0.25")):
                np.save(tmp_path / "a" / split / "annotations" / f"im{i}_{what}.npy", np.array(value))
    faces = load(tmp_path / "a")
    assert counts(faces) == [[4] * 8, [2] * 8, [0] * 8]
    assert faces.class_names[faces.labels[faces.ids.tolist().index("val_set/images/im7.jpg")]] == "contempt"
    np.save(tmp_path / "a/val_set/annotations/im7_exp.npy", np.array("9"))
    assert message(tmp_path / "a") == (
        "a/val_set/annotations/im7_exp.npy: expected the number of an expression from 0 to 7"
    )
    for file in (tmp_path / "a").rglob("*_exp.npy"):
        file.unlink()
    assert "annotations: holds no picture (im0_aro.npy …)" in message(tmp_path / "a")


def test_all_unreadable_pictures_are_named_at_once_or_left_out(tmp_path: Path) -> None:
    root = draw(tmp_path / "mine", {"a": 8, "b": 8})
    whole = (root / "a" / "im0.png").read_bytes()
    for i in range(9):
        (root / "b" / f"empty{i}.png").write_bytes(b"")
    (root / "a" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "a" / "x.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    text = message(root)
    assert text.startswith("mine: 11 of 27 pictures cannot be read: a/cut.png: cannot be decoded (")
    assert (
        "; a/x.heic: a HEIC picture; convert it to JPEG or PNG; b/empty0.png: not an image (0 bytes); "
        in text
    )
    assert text.endswith(
        "b/empty7.png: not an image (0 bytes); and 1 more; expected whole image files, or data.unreadable=skip to "
        "leave them out"
    )
    faces = load(root, unreadable="skip")
    assert len(faces) == 16
    assert len(faces.unreadable) == 11
    assert faces.unreadable[-1] == "b/empty8.png: not an image (0 bytes)"
    assert load(root, unreadable="skip").unreadable == faces.unreadable  # from the cache
