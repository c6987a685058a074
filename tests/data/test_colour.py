"""Pictures in colour from the file to the net's input."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from fer_forms import csv_lines, small_fer, write_csv, write_folder
from fer_lightning.config.compose import compose_config
from fer_lightning.config.schema import check_config
from fer_lightning.data.augmentation import RGB_TO_YIQ, Augmentation, overwrite, recolour
from fer_lightning.data.datamodule import FaceDataModule
from fer_lightning.data.decode import decode_all, decode_picture, fitted, selected
from fer_lightning.data.duplicates import is_blank, pixel_groups
from fer_lightning.data.normalization import PerImage, Standard
from fer_lightning.data.picture_arrays import as_tensor
from fer_lightning.data.reading import Reading
from fer_lightning.data.source import load_faces
from fer_lightning.data.splits import Splitting
from fer_lightning.data.synthetic import draw_faces, synthetic_faces
from fer_lightning.errors import ConfigError, DataError

LUMA = np.array([0.299, 0.587, 0.114])
RGB = np.random.default_rng(5).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def write_colour(root: Path, count: int = 24, size: int = 10) -> np.ndarray:
    """Two classes of colour pictures, and the pixels in the order of their names."""
    images = np.random.default_rng(3).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    for number, image in enumerate(images):
        folder = root / ("glad", "sad")[number * 2 // count]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number:03d}.png")
    return images


def test_colour_is_kept_to_the_bit_and_grey_repeated() -> None:
    assert (decode_picture(encoded(Image.fromarray(RGB)), 8, 3) == RGB).all()
    for grey in (RGB[..., 0], RGB[..., 0].astype(np.uint16) * 257):
        decoded = decode_picture(encoded(Image.fromarray(grey)), 8, 3)
        assert (decoded == RGB[..., :1]).all(), grey.dtype


def test_transparency_and_orientation_are_obeyed_in_colour() -> None:
    clear = np.dstack([RGB, np.full((8, 8), 255, np.uint8)])
    clear[:4, :, 3] = 0
    decoded = decode_picture(encoded(Image.fromarray(clear)), 8, 3)
    assert (decoded[:4] == 255).all()
    assert (decoded[4:] == RGB[4:]).all()
    exif = Image.Exif()
    exif[0x0112] = 3
    assert (decode_picture(encoded(Image.fromarray(RGB), exif=exif.tobytes()), 8, 3) == RGB[::-1, ::-1]).all()


def test_colour_that_is_made_grey_is_found() -> None:
    grey = Image.fromarray(RGB[..., 0])
    files = [encoded(grey), encoded(grey.convert("RGB"), "JPEG"), encoded(grey.convert("RGBA"))]
    assert decode_all(["a", "b", "c"], files.__getitem__, 8).coloured == ""
    files[1] = encoded(Image.fromarray(RGB), "JPEG")
    assert decode_all(["a", "b", "c"], files.__getitem__, 8).coloured == "b"


def test_arrays_are_brought_to_size_and_channels() -> None:
    images = np.stack([RGB, RGB[::-1]])
    grey = fitted(images, 8, 1)
    assert grey.shape == (2, 8, 8)
    assert np.abs(grey - images @ LUMA).max() <= 1
    assert (fitted(grey, 8, 3) == grey[..., None]).all()
    assert fitted(images, 4, 3).shape == (2, 4, 4, 3)
    assert fitted(images, 8, 3) is images


def test_pictures_are_moved_within_their_room() -> None:
    images = np.arange(10)[:, None, None] * np.ones((1, 2, 2), np.uint8)
    kept = np.array([1, 2, 5, 6, 7, 9])
    expected = images[kept].copy()
    chosen = selected(images, kept, block=2)
    assert (chosen == expected).all()
    assert np.shares_memory(chosen, images)


def test_a_folder_in_colour_and_in_grey(tmp_path: Path) -> None:
    images = write_colour(tmp_path / "faces")
    options = {"image_size": 10, "cache_dir": tmp_path / "cache", "val_fraction": 0.25, "test_fraction": 0.25}
    colour = load_faces("image_folder", tmp_path / "faces", channels=3, **options)
    assert colour.channels == 3
    assert (colour.images == images).all()
    assert isinstance(colour.images, np.memmap)
    assert colour.images.flags.c_contiguous
    assert not any("colour" in note or "grey" in note for note in colour.notes)
    grey = load_faces("image_folder", tmp_path / "faces", **options)
    assert grey.images.shape == (24, 10, 10)
    assert grey.fingerprint != colour.fingerprint
    said = "pictures are in colour (the first is glad/000.png) and are read as grey; data.channels=3 keeps it"
    assert said in grey.notes


def test_caches_of_grey_faces_keep_their_keys() -> None:
    """What a version that knew no colour called its caches after."""
    how = Reading(48, Splitting(0.1, 0.2, 3), "skip", "x")
    earlier = (
        "Reading(size=48, splitting=Splitting(val_fraction=0.1, test_fraction=0.2, seed=3), "
        "unreadable='skip', names='x')"
    )
    assert repr(how) == earlier


def test_fer2013_in_three_channels_is_said_to_be_grey(tmp_path: Path) -> None:
    raw = small_fer()
    for place in (
        write_csv(tmp_path / "fer2013.csv", csv_lines(raw)),
        write_folder(tmp_path / "kaggle", raw),
    ):
        faces = load_faces("fer2013", place, channels=3, cache_dir=tmp_path / "cache")
        assert faces.images.shape == (35, 48, 48, 3)
        assert (faces.images == faces.images[..., :1]).all()
        assert "the pictures are grey: red, green and blue of each are alike" in " ".join(faces.notes)


def test_synthetic_faces_in_colour_have_the_grey_ones_as_luma(tmp_path: Path) -> None:
    grey, labels = draw_faces(40, 7)
    colour, same = draw_faces(40, 7, channels=3)
    assert (labels == same).all()
    assert np.abs(colour @ LUMA - grey).max() <= 1
    assert (np.ptp(colour, axis=3).mean(axis=(1, 2)) > 10).all(), "each face has colour"
    sizes = {"n_train": 20, "n_val": 20, "n_test": 20, "cache_dir": tmp_path}
    faces = synthetic_faces(**sizes, channels=3)
    assert np.abs(faces.images @ LUMA - synthetic_faces(**sizes).images).max() <= 1


def test_saturation_is_pillows_and_hue_keeps_luma() -> None:
    image = torch.from_numpy(RGB).permute(2, 0, 1)[None].float()
    for factor in (0.0, 0.4, 1.0):
        found = recolour(image, torch.tensor([factor]), torch.zeros(1))[0].permute(1, 2, 0).numpy()
        expected = np.asarray(ImageEnhance.Color(Image.fromarray(RGB)).enhance(factor), float)
        assert np.abs(found - expected).max() <= 1.5, factor
    mild = 100 + image * 0.2  # so that nothing is clipped
    third = recolour(mild, torch.ones(1), torch.tensor([2 * math.pi / 3]))
    luma = torch.tensor(RGB_TO_YIQ[0]).view(3, 1, 1)
    torch.testing.assert_close((third * luma).sum(1), (mild * luma).sum(1), atol=1e-3, rtol=0)
    assert (third - mild).abs().max() > 5
    again = recolour(third, torch.ones(1), torch.tensor([4 * math.pi / 3]))
    torch.testing.assert_close(again, mild, atol=1e-2, rtol=0)


def test_colour_jitter_is_refused_for_grey() -> None:
    with pytest.raises(ConfigError, match=r"expected data\.channels=3"):
        Augmentation(hue=0.1)(torch.zeros(2, 1, 8, 8))
    for key in ("saturation", "hue"):
        with pytest.raises(
            ConfigError, match=rf"^augmentation.{key}=0.2 with data.channels=1: grey images have no colour"
        ):
            check_config(compose_config([f"augmentation.{key}=0.2"]))
        check_config(compose_config([f"augmentation.{key}=0.2", "data.channels=3"]))


def test_augmentation_of_colour_treats_channels_alike_but_for_colours() -> None:
    torch.manual_seed(0)
    grey = torch.rand(6, 1, 12, 12) * 255
    change = {"rotation": 20.0, "zoom": 0.2, "flip": True, "brightness": 0.1, "contrast": 0.3}
    torch.manual_seed(1)
    alone = Augmentation(**change)(grey)
    torch.manual_seed(1)
    together = Augmentation(**change)(grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(together, alone.expand(-1, 3, -1, -1), atol=1e-3, rtol=0)
    levels = torch.tensor([[1.0, 2.0, 3.0]])
    erased = overwrite(torch.zeros(1, 3, 2, 2), torch.tensor([[0.0, 0.0, 2.0, 2.0]]), levels)
    assert erased[0, :, 1, 1].tolist() == [1, 2, 3]
    rectangles, drawn = Augmentation(erase=1.0).draw_rectangles(torch.zeros(5, 3, 20, 20))
    assert (rectangles.shape, drawn.shape) == ((5, 4), (5, 3))


def test_standard_by_channel_against_numpy_and_through_a_checkpoint() -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 5, 5, 3), dtype=np.uint8) // np.array(
        [1, 2, 4], np.uint8
    )
    standard = Standard()
    standard.fit(images)
    assert standard.mean.numpy() == pytest.approx(images.mean(axis=(0, 1, 2)) / 255, rel=1e-6)
    assert standard.std.numpy() == pytest.approx(images.std(axis=(0, 1, 2)) / 255, rel=1e-6)
    output = standard(as_tensor(images))
    torch.testing.assert_close(output.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    loaded = Standard()
    loaded.load_state_dict(standard.state_dict())
    assert torch.equal(loaded(as_tensor(images)), output)
    with pytest.raises(DataError, match="whose every green is 7: expected some contrast"):
        standard.fit(np.stack([images[..., 0], np.full_like(images[..., 0], 7), images[..., 2]], axis=3))


def test_a_checkpoint_of_grey_faces_has_one_number_each() -> None:
    loaded = Standard()
    loaded.load_state_dict({"mean": torch.tensor(0.5), "std": torch.tensor(0.25)})
    assert loaded(torch.full((1, 1, 1, 1), 255.0)).item() == pytest.approx(2.0)


def test_per_image_by_channel() -> None:
    images = as_tensor(np.random.default_rng(1).integers(0, 256, (4, 6, 6, 3), dtype=np.uint8))
    output = PerImage()(images)
    torch.testing.assert_close(output.mean((2, 3)), torch.zeros(4, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(output.std((2, 3), correction=0), torch.ones(4, 3))


def test_copies_of_colour_pictures() -> None:
    images = np.stack([RGB, RGB, RGB[..., ::-1], np.full_like(RGB, 9), np.tile(RGB[:1, :1], (8, 8, 1))])
    assert pixel_groups(images).tolist()[0] == pixel_groups(images).tolist()[1]
    assert len(set(pixel_groups(images).tolist())) == 4
    assert is_blank(images).tolist() == [False, False, False, True, True]


def test_near_copies_of_colour_pictures(tmp_path: Path) -> None:
    """A picture under another light, in its own colours and in grey, is near; another picture is not."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(30, 200, (12, 6, 6, 3), dtype=np.uint8)
    images = np.kron(blocks, np.ones((1, 8, 8, 1), np.uint8))
    for split, change in (("train", 0), ("test", 20)):
        for number, image in enumerate(images if split == "train" else images[:6]):
            grey = split == "test" and number % 2
            shown = np.repeat((image @ LUMA)[..., None], 3, axis=2) if grey else image
            folder = tmp_path / "faces" / split / ("a", "b")[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray((shown + change).astype(np.uint8)).save(folder / f"{number}.png")
    fresh = np.kron(rng.integers(0, 256, (2, 6, 6, 3), dtype=np.uint8), np.ones((1, 8, 8, 1), np.uint8))
    for number, image in enumerate(fresh):
        Image.fromarray(image).save(tmp_path / "faces" / "test" / ("a", "b")[number] / "fresh.png")
    data = FaceDataModule(
        "image_folder",
        str(tmp_path / "faces"),
        image_size=24,
        channels=3,
        val_fraction=0,
        cache_dir=str(tmp_path / "cache"),
    )
    names = data.faces.ids[data.faces.indices("test")]
    near = data.nearly_copied_from_training("test")
    assert near.tolist() == ["fresh" not in name for name in names]
    assert not data.copied_from_training("test").any()
