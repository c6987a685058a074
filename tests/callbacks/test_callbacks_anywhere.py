"""The callbacks in somebody else's Lightning program: its own module, its own loaders, its own loggers."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, Logger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from fer_lightning.callbacks.confusion import ConfusionMatrix
from fer_lightning.callbacks.dead_units import DeadUnits
from fer_lightning.callbacks.explanation import ExplanationPart
from fer_lightning.callbacks.filters import FilterImages
from fer_lightning.callbacks.inspection import Findings, InspectionCallback
from fer_lightning.callbacks.saliency import SaliencyMaps
from fer_lightning.data.input_range import Scale, range_of, standardized_range
from fer_lightning.data.labelled_pictures import LabelledPictures
from fer_lightning.data.loader_pictures import LoaderPictures
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.explain.subject import Subject

SIZE = 12
COLOURS = ("red", "green", "blue")


def coloured(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Noisy pictures in [0, 1], each brighter in the channel of its label; float ``[N, 3, H, W]``."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    images = 0.4 * torch.rand(count, 3, SIZE, SIZE + 4, generator=generator)
    images[torch.arange(count), labels] += 0.5
    return images, labels


class Own(pl.LightningModule):
    """Somebody's module: another name for its net, another metric, two parts of a batch."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, batch: Any, index: int) -> Tensor:
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch: Any, index: int) -> None:
        self.log("accuracy", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 0.05)


class Watching(InspectionCallback):
    """Keeps what it is given."""

    def inspect(self, subject: Subject, folder: Path) -> Findings:
        self.subject, self.shown = subject, subject.predictions
        with torch.no_grad():
            self.logits = subject.module(subject.tensor(subject.images(np.arange(3))))
        return Findings()


def trainer(folder: Path, *callbacks: pl.Callback, **options: Any) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        default_root_dir=folder,
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        **{"logger": CSVLogger(folder, "logs", "one")} | options,
    )


def loaders(images: Tensor, labels: Tensor, **options: Any) -> tuple[DataLoader[Any], DataLoader[Any]]:
    data = TensorDataset(images, labels)
    return DataLoader(data, 16), DataLoader(data, 8, **options)


def test_every_callback_works_in_another_program(tmp_path, caplog):
    module = Own()
    module.class_names = COLOURS
    parts = [
        ExplanationPart(part=part, **options)
        for part, options in {
            "feature_maps": {},
            "class_images": {},
            "lime": {},
            "regions": {"region_faces": 14},
            "dead_units": {},
        }.items()
    ]
    shown = [ConfusionMatrix(), SaliencyMaps(check=True), FilterImages(steps=2), DeadUnits(draw=True)]
    with caplog.at_level(logging.WARNING):
        best = ModelCheckpoint(tmp_path / "kept", monitor="accuracy", mode="max")
        run = trainer(tmp_path, *shown, *parts, best)
        run.fit(module, *loaders(*coloured(60)))
    said = [record.getMessage() for record in caplog.records if "fer_lightning" in record.name]
    assert said == []
    folder = tmp_path / "logs" / "one"
    found = json.loads((folder / "confusion.json").read_text())
    assert found["class_names"] == list(COLOURS)
    assert np.sum(found["counts"]) == 60
    accuracy = float(best.best_model_score)
    assert np.trace(found["counts"]) / 60 == pytest.approx(accuracy, abs=0.01)
    seen = json.loads((folder / "saliency.json").read_text())
    assert seen["data"] == "TensorDataset"
    assert seen["checked_on"] > 40
    assert {each["true"] for each in seen["faces"]} <= set(COLOURS)
    names = {path.stem for path in folder.rglob("*.png")}
    assert {"confusion", "saliency", "filters_net.0", "class_images", "lime", "regions"} <= names
    assert {"feature_maps", "dead_units"} <= names
    with Image.open(folder / "class_images" / "class_images.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert (np.ptp(pixels, axis=2) > 60).mean() > 0.05  # in colour
    rows = (folder / "metrics.csv").read_text().splitlines()
    assert "dead_units/all" in rows[0]


def test_the_subject_is_the_module_on_its_validation_pictures(tmp_path):
    module, (images, labels) = Own(), coloured(30)
    before = [Watching(when="end"), Watching(when=1)]
    trainer(tmp_path, *before).fit(module, *loaders(images, labels))
    for watching in before:
        subject = watching.subject
        assert subject.class_names == ("0", "1", "2")
        assert (subject.image_size, subject.channels) == ((SIZE, SIZE + 4), 3)
        levels = (images.numpy() * 255).round().astype(np.uint8).transpose(0, 2, 3, 1)
        assert np.array_equal(subject.images(np.arange(30)), levels)
        assert subject.predictions.labels.tolist() == labels.tolist()
        with torch.no_grad():
            expected = module(images)
        assert watching.shown.logits == pytest.approx(expected.numpy(), abs=1e-5)
        rounded = module(torch.from_numpy(levels[:3]).permute(0, 3, 1, 2) / 255)
        assert torch.allclose(watching.logits, rounded, atol=1e-5)
    assert module.training


@pytest.mark.parametrize("plain", [True, False])
def test_the_best_weights_are_looked_at_if_no_object_is_unpickled_for_them(tmp_path, caplog, plain):
    class Late(Own):
        def on_train_epoch_end(self) -> None:
            if self.current_epoch == 1:  # after the checkpoint: what was learnt is lost
                nn.init.zeros_(self.net[4].weight)

        def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
            if not plain:
                checkpoint["where"] = Path("a")

    watching = Watching(when="best")
    kept = ModelCheckpoint(tmp_path / "kept", monitor="accuracy", mode="max")
    with caplog.at_level(logging.WARNING):
        trainer(tmp_path, watching, kept).fit(Late(), *loaders(*coloured(30)))
    assert watching.subject.weights.startswith("best epoch") == plain
    assert ("never loaded: the last epoch is looked at" in caplog.text) != plain
    stored = torch.load(kept.best_model_path, weights_only=False)["state_dict"]["net.4.weight"]
    seen = watching.subject.module.state_dict()["model.net.4.weight"]
    assert torch.equal(seen, stored if plain else torch.zeros_like(stored))


class Stream(IterableDataset[Any]):
    """Batches of its own, each time in another order."""

    def __iter__(self) -> Any:
        images, labels = coloured(24)
        for row in torch.randperm(24).tolist():
            yield images[row] * 2 - 1, labels[row]


@pytest.mark.parametrize("kind", ["shuffled", "streamed"])
def test_pictures_of_a_loader_without_order_stay_together_with_their_labels(kind):
    images, labels = coloured(24)
    data = TensorDataset(images * 2 - 1, labels)
    loader = DataLoader(data, 5, shuffle=True) if kind == "shuffled" else DataLoader(Stream(), 5)
    pictures = LoaderPictures(loader)
    assert isinstance(pictures, LabelledPictures)
    first = [part for _, part, _ in pictures.batches()]
    assert torch.cat(first).tolist() == pictures.labels.tolist()
    assert sorted(pictures.labels.tolist()) == sorted(labels.tolist())
    shown = pictures.images(np.array([7, 0, 23]))
    assert shown.mean((1, 2)).argmax(1).tolist() == pictures.labels[[7, 0, 23]].tolist()
    again = torch.cat([each for each, _, _ in pictures.batches()])
    assert np.array_equal(again[7].permute(1, 2, 0).numpy(), shown[0])


class Named(Dataset[Any]):
    """Grey pictures as bytes, with classes and ids."""

    classes = ("dark", "bright")
    ids = ("a", "b", "c", "d")

    def __len__(self) -> int:
        return 4

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return torch.full((SIZE, SIZE), 60 * row, dtype=torch.uint8), row // 2


def test_what_a_dataset_says_is_taken():
    pictures = LoaderPictures(DataLoader(Named(), 3), name="mine", limit=1)
    assert (pictures.name, pictures.class_names) == ("mine", ("dark", "bright"))
    assert pictures.labels.tolist() == [0, 0, 1]
    assert pictures.ids.tolist() == ["a", "b", "c"]
    assert pictures.images(np.array([2])).tolist() == np.full((1, SIZE, SIZE), 120).tolist()
    levels, _, positions = next(iter(pictures.batches()))
    assert levels.shape == (3, 1, SIZE, SIZE)
    assert positions.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0, 1.0, (0.0, 1.0)), (-0.9, 1.0, (-1.0, 1.0)), (3.0, 250.0, (0.0, 255.0))],
)
def test_a_range_is_told_from_the_values(low, high, expected):
    images = torch.rand(2, 3, 4, 4) * (high - low) + low
    images[0, 0, 0, 0], images[0, 0, 0, 1] = low, high
    assert range_of(images) == expected


def test_standardized_pictures_become_the_levels_they_were():
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    levels = torch.randint(0, 256, (4, 3, 5, 5)).float()
    levels[0, :, 0, 0], levels[0, :, 0, 1] = 0, 255
    inputs = (levels / 255 - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    assert torch.allclose(Scale.of(standardized_range(mean, std)).levels(inputs), levels, atol=1e-3)
    assert torch.allclose(Scale.of(range_of(inputs)).levels(inputs), levels, atol=1e-3)
    with pytest.raises(ConfigError, match="input_range="):
        Scale.of((1.0, 1.0))


class Labelled(Own):
    """Gives its pictures itself, since its batches are dictionaries."""

    def __init__(self, pictures: LabelledPictures) -> None:
        super().__init__()
        self.pictures = pictures

    def labelled_pictures(self) -> LabelledPictures:
        return self.pictures

    def training_step(self, batch: Any, index: int) -> Tensor:
        return super().training_step((batch["x"], batch["y"]), index)

    def validation_step(self, batch: Any, index: int) -> None:
        super().validation_step((batch["x"], batch["y"]), index)


class Dictionaries(Dataset[Any]):
    def __len__(self) -> int:
        return 12

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        images, labels = coloured(12)
        return {"x": images[row], "y": labels[row]}


def test_a_module_with_other_batches_gives_its_pictures_or_is_told_how(tmp_path, caplog):
    batches = DataLoader(Dictionaries(), 4)
    own = Labelled(LoaderPictures(DataLoader(TensorDataset(*coloured(12)), 5), class_names=COLOURS))
    own.input_range = (0.0, 1.0)
    watching = Watching(when="end")
    trainer(tmp_path, watching).fit(own, batches, batches)
    assert watching.shown.labels.tolist() == coloured(12)[1].tolist()
    assert watching.subject.class_names == COLOURS

    class Silent(Labelled):
        labelled_pictures = property()  # none

    with caplog.at_level(logging.WARNING):
        trainer(tmp_path, Watching(when="end")).fit(Silent(own.pictures), batches, batches)
    (said,) = [record.getMessage() for record in caplog.records if "Watching failed" in record.getMessage()]
    assert "labelled_pictures()" in said


def test_logits_and_names_that_do_not_fit_are_said_in_one_line(tmp_path, caplog):
    class Pair(Own):
        def forward(self, x: Tensor) -> Any:
            return self.net(x), x

        def training_step(self, batch: Any, index: int) -> Tensor:
            return nn.functional.cross_entropy(self(batch[0])[0], batch[1])

        def validation_step(self, batch: Any, index: int) -> None:
            pass

    named = Own()
    named.class_names = ("one", "two")
    with caplog.at_level(logging.WARNING):
        for module in (Pair(), named):
            trainer(tmp_path, Watching(when="end")).fit(module, *loaders(*coloured(12)))
    said = [record.getMessage() for record in caplog.records if "Watching failed" in record.getMessage()]
    assert "forward of Pair gives tuple : expected logits [N, K]" in said[0]
    assert "2 class names for 3 logits" in said[1]


class Board(Logger):
    """A logger like TensorBoard's."""

    def __init__(self) -> None:
        super().__init__()
        self.images: dict[str, np.ndarray] = {}
        self.texts: dict[str, str] = {}

    name, version = "board", 0  # type: ignore[assignment]

    @property
    def experiment(self) -> Board:
        return self

    def add_image(self, key: str, image: np.ndarray, step: int, dataformats: str) -> None:
        assert dataformats == "HWC"
        self.images[key] = image

    def add_text(self, key: str, text: str, step: int) -> None:
        self.texts[key] = text

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        pass

    def log_hyperparams(self, *params: Any, **more: Any) -> None:
        pass


def test_a_logger_like_tensorboards_takes_pictures_and_tables(tmp_path):
    board = Board()
    trainer(tmp_path, ConfusionMatrix(), logger=board).fit(Own(), *loaders(*coloured(30)))
    with Image.open(tmp_path / "confusion.png") as picture:
        assert np.array_equal(board.images["confusion/matrix"], np.asarray(picture.convert("RGB")))
    lines = board.texts["confusion/counts"].splitlines()
    assert lines[0] == "|true|predicted|faces|"
    assert sum(int(line.split("|")[3]) for line in lines[2:]) == 30


def test_classes_without_names_are_numbered(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        trainer(tmp_path, ConfusionMatrix(), SaliencyMaps()).fit(Own(), *loaders(*coloured(60)))
    assert "SaliencyMaps failed" not in caplog.text
    folder = tmp_path / "logs" / "one"
    found = json.loads((folder / "saliency.json").read_text())
    assert {face["true"] for face in found["faces"]} <= {"0", "1", "2"}
    assert (folder / "saliency.png").is_file()


def test_nothing_in_training_changes(tmp_path):
    kept = []
    for callbacks in ([], [ConfusionMatrix(when=1), SaliencyMaps(when=1), DeadUnits()]):
        module = Own()
        pl.seed_everything(0)
        run = trainer(tmp_path / str(len(kept)), *callbacks)
        run.fit(module, DataLoader(TensorDataset(*coloured(30)), 8, shuffle=True), loaders(*coloured(9))[1])
        kept.append(module.state_dict())
    assert all(torch.equal(value, kept[1][key]) for key, value in kept[0].items())


def test_no_validation_loader_is_said(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        trainer(tmp_path, Watching(when="end")).fit(Own(), loaders(*coloured(9))[0])
    assert "no validation loader" in caplog.text
    with pytest.raises(DataError, match="gives no batch"):
        _ = LoaderPictures([]).labels
