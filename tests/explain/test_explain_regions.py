"""Region occlusion: a network that reads only the mouth is found out, and nothing else is accused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn

import fer_lightning.conf
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.explain.region_boxes import BOXES, Regions
from fer_lightning.explain.region_effects import effect_cells, effect_sentence, region_effects
from fer_lightning.explain.region_occlusion import RegionOcclusion
from fer_lightning.plots.regions import plot_regions, region_panels

CONF = Path(fer_lightning.conf.__file__).parent


class ReadsTheMouth(nn.Module):
    """Class 0 where the mouth (rows 32–46, columns 12–36) is brighter than 128; the rest of the face is not read."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 2, bias=False)
        self.layer.weight.data = torch.tensor([[0.05], [-0.05]])

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images[:, 0, 32:46, 12:36].mean((1, 2))[:, None] - 128)


def faces(count: int = 40, seed: int = 0) -> tuple[Tensor, np.ndarray]:
    generator = torch.Generator().manual_seed(seed)
    images = 128 + 20 * torch.randn(count, 1, 48, 48, generator=generator)
    labels = np.arange(count) % 2
    images[:, :, 32:46, 12:36] += (
        torch.from_numpy(np.where(labels == 0, 40.0, -40.0)).float().view(-1, 1, 1, 1)
    )
    return images.clamp(0, 255), labels


def test_boxes_scale_with_the_picture_and_the_default_is_the_one_of_the_configuration():
    regions = Regions()
    assert regions.names == ("forehead", "brows", "eyes", "nose", "cheeks", "mouth")
    assert regions.scaled("mouth", 48, 48) == [(32, 46, 12, 36)]
    assert regions.scaled("mouth", 96, 24) == [(64, 92, 6, 18)]
    assert regions.mask("eyes", 48, 48).sum() == 2 * 7 * 16
    config = OmegaConf.load(CONF / "regions" / "default.yaml")
    assert OmegaConf.to_container(config.boxes) == BOXES
    assert isinstance(instantiate(config), RegionOcclusion)


def test_regions_do_not_overlap():
    regions = Regions()
    assert np.sum([regions.mask(name, 48, 48) for name in regions.names], axis=0).max() == 1


@pytest.mark.parametrize("name", list(BOXES))
@pytest.mark.parametrize("shape", [(48, 48), (32, 40)])
def test_controls_have_the_same_area_and_lie_elsewhere(name, shape):
    regions = Regions()
    region, places = regions.mask(name, *shape), regions.elsewhere(name, *shape, count=20, seed=3)
    assert (places.sum((1, 2)) == region.sum()).all()
    assert not (places & region).any()
    assert len({place.tobytes() for place in places}) > 5
    assert np.array_equal(places, regions.elsewhere(name, *shape, count=20, seed=3))


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ({"mouth": [[32, 60, 12, 36]]}, r"regions\.boxes\.mouth=\[32, 60, 12, 36\]: expected .* within 48"),
        ({"mouth": [[5, 5, 1, 2]]}, r"regions\.boxes\.mouth"),
        ({"mouth": []}, r"regions\.boxes\.mouth: expected at least one box"),
    ],
)
def test_boxes_outside_the_picture_are_refused(boxes, message):
    with pytest.raises(ConfigError, match=message):
        Regions(boxes)


def test_a_region_without_room_for_a_control_is_refused():
    with pytest.raises(ConfigError, match="no room for boxes of the same size elsewhere"):
        Regions({"face": [[4, 44, 4, 44]]}).elsewhere("face", 48, 48, 1)


def test_a_network_that_reads_the_mouth_loses_by_the_mouth_alone():
    model, (images, labels) = ReadsTheMouth().train(), faces()
    effects = RegionOcclusion(draws=2)(model, images, labels, ("up", "down"))
    mouth = effects.regions.index("mouth")
    assert effects.rows == ("up", "down", "all")
    assert effects.faces.tolist() == [20, 20, 40]
    expected = np.zeros((3, 6), bool)
    expected[:, mouth] = True
    assert np.array_equal(effects.decided, expected)
    others = np.delete(effects.lost.mean, mouth, axis=1)
    assert np.abs(others).max() < 1e-9  # nothing outside the mouth is read
    assert np.abs(effects.elsewhere.mean[:, mouth]).max() < 1e-9
    # The mouth covered with the face's mean (~ 128 + 40 · 336 / 2304 above or below): computed by hand.
    logit = 0.05 * (images.mean((1, 2, 3)) - 128)
    after = torch.sigmoid(2 * torch.from_numpy(np.where(labels == 0, 1, -1)) * logit).double()
    mouths = images[:, 0, 32:46, 12:36].mean((1, 2)) - 128
    before = torch.sigmoid(2 * 0.05 * mouths.abs()).double()
    assert effects.lost.mean[2, mouth] == pytest.approx(float((before - after).mean()), abs=1e-5)
    assert model.training
    assert model.layer.weight.requires_grad
    assert model.layer.weight.tolist() == [[pytest.approx(0.05)], [pytest.approx(-0.05)]]


def test_accuracy_can_be_what_is_lost_and_the_fill_decides():
    images, labels = faces()
    effects = RegionOcclusion(measure="accuracy", fill="black", draws=1)(
        ReadsTheMouth(), images, labels, ("up", "down")
    )
    mouth = effects.regions.index("mouth")
    # Black is dark: every face becomes "down".
    assert effects.lost.mean[:, mouth].tolist() == [1.0, 0.0, 0.5]
    assert effects.fill == "black"


def test_intervals_hold_for_all_cells_together_as_often_as_promised():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    missed = 0
    for number in range(120):
        lost, other = rng.exponential(0.1, (80, 4)) - 0.1, np.zeros((80, 4))
        moved = np.ones((80, 4))
        effects = region_effects(
            trained=(lost, other, moved, moved),
            untrained=(other, other, moved, moved),
            labels=labels,
            class_names=("a", "b"),
            regions=("p", "q", "r", "s"),
            measure="probability",
            fill="black",
            confidence=0.9,
            resamples=300,
            seed=number,
        )
        missed += bool(((effects.lost.low > 0) | (effects.lost.high < 0)).any())
    # One in ten is promised; skewed data of 40 faces cost some of it. Uncorrected intervals would miss in half.
    assert 4 <= missed <= 32


def example() -> dict:
    lost = np.array([[0.2, 0.0]] * 6 + [[0.0, 0.1]] * 2)
    lost[::2] += 0.02
    moved = np.ones((8, 2))
    return {
        "trained": (lost, np.full((8, 2), 0.03), 3 * moved, moved),
        "untrained": (0 * lost, 0 * lost, moved, moved),
        "labels": np.array([0] * 6 + [1] * 2),
        "class_names": ("glad", "sad"),
        "regions": ("eyes", "mouth"),
        "measure": "probability",
        "fill": "black",
        "confidence": 0.95,
        "resamples": 500,
        "seed": 0,
    }


def test_the_finding_is_said_in_words_with_its_control():
    effects = region_effects(**example())
    low, high = 100 * effects.lost.low[0, 0], 100 * effects.lost.high[0, 0]
    assert effect_sentence(effects, "glad", "eyes") == (
        f"covering the eyes costs glad 21.0 points [{low:.1f}, {high:.1f}] of the true class's probability, "
        "more than boxes of the same size elsewhere (3.0)"
    )
    assert "with no difference found from" in effect_sentence(effects, "glad", "mouth")
    assert effect_sentence(effects, "sad", "mouth") == "covering the mouth: too few images of sad (2) to say"
    assert effects.sensitivity[:, 0] == pytest.approx([3, 3, 3])
    header, rows = effect_cells(effects)
    assert len(rows) == 6
    assert rows[0][:3] == ["glad", "6", "eyes"]
    assert rows[0][-1] == "more"
    assert len(header) == len(rows[0])


def test_faces_and_labels_must_fit():
    with pytest.raises(DataError, match="expected one each"):
        RegionOcclusion()(ReadsTheMouth(), torch.zeros(2, 1, 48, 48), np.zeros(3, int), ("a", "b"))
    with pytest.raises(ConfigError, match=r"regions\.measure=loss: expected one of probability, accuracy"):
        RegionOcclusion(measure="loss")
    with pytest.raises(ConfigError, match=r"regions\.draws=0: expected a whole number of at least 1"):
        RegionOcclusion(draws=0)


def test_the_figure_shows_points_and_controls_on_one_scale():
    effects = region_effects(**example())
    panel = region_panels(effects)[0]
    assert panel.mean == pytest.approx([21.0, 1.0, 16.0])
    assert panel.control == pytest.approx([3, 3, 3])
    assert panel.decided.tolist()[0]
    figure = plot_regions(effects, title="toy")
    figure.draw_without_rendering()
    assert [ax.get_title("left") for ax in figure.axes] == [
        "eyes\n×3.0, untrained ×1.0",
        "mouth\n×3.0, untrained ×1.0",
    ]
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == [
        "glad (6)",
        "sad (2)",
        "all (8)",
    ]
