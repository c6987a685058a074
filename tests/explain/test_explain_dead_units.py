"""Dead units: planted ones are counted exactly, and unscaled input kills units where scaled input does not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from fer_lightning.data.normalization import GreyLevels, Unit
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.explain.unit_watch import UnitWatch, dead_alert, dead_share, dead_units
from fer_lightning.models import Small
from fer_lightning.models.activation import make_activation
from fer_lightning.plots.dead_units import layer_labels, plot_dead_history, plot_dead_units


class Planted(nn.Module):
    """Three dense units of input x in [-1, 1]: on for some, deep in the negative (-100 + x), and negative (-2 + x)."""

    def __init__(self, activation: str) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 3)
        self.linear.weight.data.fill_(1.0)
        self.linear.bias.data = torch.tensor([0.0, -100.0, -2.0])
        self.activation = make_activation(activation, 0.1)

    def forward(self, images: Tensor) -> Tensor:
        return self.activation(self.linear(images.flatten(1)))


def faces() -> Tensor:
    return torch.linspace(-1, 1, 11).view(11, 1, 1, 1)


@pytest.mark.parametrize(
    ("activation", "dead", "silent"),
    [
        ("relu", 2, 2),  # 0 for both negative units
        ("leaky_relu", 0, 2),  # both still pass their input on
        ("prelu", 0, 2),
        ("selu", 1, 2),  # only the deep one is at its lower bound, -1.758
        ("elu", 1, 2),
        ("gelu", 1, 2),  # gelu(-100) is 0, gelu(-2 ± 1) is not
        ("silu", 1, 2),
    ],
)
def test_planted_dead_units_are_counted(activation, dead, silent):
    (layer,) = dead_units(Planted(activation), faces().split(4))
    assert (layer.layer, layer.units, layer.positions) == ("activation", 3, 3)
    assert (layer.dead_units, layer.dead_positions, layer.silent_units) == (dead, dead, silent)
    assert layer.dead == pytest.approx(dead / 3)


def test_a_unit_that_is_on_for_a_single_face_is_not_dead_whatever_the_batches():
    model = Planted("relu")
    model.linear.bias.data = torch.tensor([0.0, -0.999, -1.0])
    for size in (1, 5, 11):
        (layer,) = dead_units(model, faces().split(size))
        assert layer.dead_units == 1  # -1 + x is positive for no x, -0.999 + x for x = 1


def test_units_that_are_the_same_for_every_face_are_constant_but_not_dead():
    model = Planted("relu")
    model.linear.weight.data.zero_()
    model.linear.bias.data = torch.tensor([1.0, 5.0, -1.0])
    (layer,) = dead_units(model, [faces()])
    assert (layer.dead_units, layer.constant_units) == (1, 3)


def test_channels_are_dead_when_all_their_positions_are():
    conv = nn.Conv2d(1, 3, 1)
    conv.weight.data.fill_(1.0)
    conv.bias.data = torch.tensor([0.0, -0.5, -2.0])
    images = torch.zeros(4, 1, 2, 2)
    images[:, 0, 0, 0] = torch.linspace(0, 1, 4)  # only one of the four positions is ever above 0.5
    images[:, 0, 0, 1] = 0.1
    (layer,) = dead_units(nn.Sequential(conv, nn.ReLU()), images.split(2))
    assert (layer.units, layer.positions) == (3, 12)
    assert layer.dead_units == 1
    assert layer.dead_positions == 2 + 3 + 4


class Interrupted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.activation = nn.ReLU()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        self.activation(images * self.weight)
        raise RuntimeError("midway")


def test_hooks_and_modes_are_as_before_even_after_an_error():
    model = Interrupted().train()
    with pytest.raises(DataError, match=r"Interrupted fails on a batch \[.*\]: RuntimeError: midway"):
        dead_units(model, [faces()])
    assert model.training
    assert not model.activation._forward_hooks
    assert model.weight.requires_grad


def test_an_epoch_that_runs_anyway_can_be_watched():
    model = Planted("relu").train()
    with UnitWatch(model) as watch:
        model(faces()).sum().backward()
    assert watch.layers()[0].dead_units == 2
    model(torch.full((1, 1, 1, 1), 1000.0))  # after the watch: not seen
    assert watch.layers()[0].dead_units == 2


def test_a_model_without_activations_and_wrong_options_are_refused():
    with pytest.raises(ConfigError, match="no activation layer: expected one of ReLU"):
        UnitWatch(nn.Linear(1, 1))
    with pytest.raises(ConfigError, match="tolerance=-1"):
        UnitWatch(nn.ReLU(), -1)
    with pytest.raises(ConfigError, match="threshold=50: expected a number from 0 to 1"):
        dead_alert([], threshold=50)


def test_the_alert_names_the_worst_layer_and_is_silent_below_the_threshold():
    rows = dead_units(Planted("relu"), [faces()])
    assert dead_share(rows) == pytest.approx(2 / 3)
    assert dead_alert(rows, threshold=0.7) == ""
    assert dead_alert(rows, threshold=0.5).startswith("dead units: in activation 2 of 3 never activate")


def test_names_of_layers_are_short_and_figures_show_the_shares():
    assert layer_labels(["model.features.block1.activation2"]) == ["block1.act2"]
    rows = dead_units(Planted("relu"), [faces()])
    ax = plot_dead_units({"one": rows, "other": rows})
    assert [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata())] == pytest.approx([200 / 3] * 2)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["act (3)"]
    curve = plot_dead_history({"model.a": [0.0, 0.5], "model.b": [0.1, 1.0]})
    assert [list(line.get_ydata()) for line in curve.lines] == [[0, 50], [10, 100]]
    assert list(curve.lines[0].get_xdata()) == [1, 2]


def trained(normalization: nn.Module, images: Tensor, labels: Tensor, seed: int) -> nn.Module:
    """The small net without norm after a few steps of plain gradient descent; only the normalization differs."""
    torch.manual_seed(seed)
    model = nn.Sequential(normalization, Small(norm="none", num_classes=3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03)
    for step in range(8):
        batch = slice(16 * (step % 4), 16 * (step % 4) + 16)
        loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("seed", [0, 1])
def test_unscaled_input_kills_a_layer_where_scaled_input_does_not(seed):
    # R1's contrast: the same net, steps and faces at 0–255 and at 0–1; a face's class is the place of its shadow.
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(64) % 3
    images = 60 + 195 * torch.rand(64, 1, 48, 48, generator=generator)
    for image, label in zip(images, labels.tolist(), strict=True):
        image[:, 16 * label : 16 * label + 16] *= 0.4
    stuck = dead_units(trained(GreyLevels(), images, labels, seed), images.split(32))
    healthy = dead_units(trained(Unit(), images, labels, seed), images.split(32))
    # Measured with seed 0: 89 against 17 % of all units, and of the worst layer 100 against 36 %.
    assert max(layer.dead for layer in stuck) > 0.9
    assert max(layer.dead for layer in healthy) < 0.6
    assert dead_share(stuck) > 2 * dead_share(healthy)
    assert "never activate" in dead_alert(stuck)
    assert dead_alert(healthy) == ""
