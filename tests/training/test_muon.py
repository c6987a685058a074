"""Muon: the orthogonalization against a decomposition, single steps by hand, and a run that is resumed."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from fer_lightning.errors import ConfigError
from fer_lightning.training.muon import Muon, orthogonalize
from fer_lightning.training.schedules import cosine, one_cycle


def matrix_with(values: torch.Tensor, rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix of these singular values, and the orthogonal matrix of the same singular vectors."""
    left = torch.linalg.qr(torch.randn(rows, len(values), dtype=torch.float64))[0]
    right = torch.linalg.qr(torch.randn(columns, len(values), dtype=torch.float64))[0]
    return left @ values.diag() @ right.T, left @ right.T


@pytest.mark.parametrize(("rows", "columns"), [(8, 30), (30, 8), (8, 8)])
def test_orthogonalization_keeps_the_singular_vectors_and_levels_the_values(rows, columns):
    torch.manual_seed(0)
    given, orthogonal = matrix_with(torch.linspace(0.2, 3, 8, dtype=torch.float64), rows, columns)
    found = orthogonalize(given, rounds=5)
    values = torch.linalg.svdvals(found)
    assert values.min().item() > 0.65
    assert values.max().item() < 1.25
    # The same singular vectors: their product is symmetric and positive.
    product = orthogonal.T @ found
    torch.testing.assert_close(product, product.T, atol=1e-9, rtol=0)
    assert torch.linalg.eigvalsh(product).min().item() > -1e-9


def test_orthogonalization_does_not_see_the_scale():
    torch.manual_seed(0)
    given = torch.randn(6, 20, dtype=torch.float64)
    torch.testing.assert_close(orthogonalize(given), orthogonalize(given * 1000), atol=1e-5, rtol=0)


def test_one_round_is_the_quintic_of_the_singular_values():
    values = torch.tensor([0.8, 0.6, 0.0], dtype=torch.float64)  # of norm 1, so nothing is rescaled
    found = orthogonalize(values.diag(), rounds=1).diagonal()
    torch.testing.assert_close(
        found, 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5, atol=1e-6, rtol=0
    )


def test_a_step_turns_a_convolution_and_fixes_its_norm():
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 4, 3, bias=False)
    before = layer.weight.detach().clone()
    layer.weight.grad = torch.randn_like(layer.weight)
    Muon(layer.parameters(), lr=0.05, momentum=0.9).step()
    # The first momentum is the gradient, and Nesterov's look-ahead scales it, which is not seen.
    direction = orthogonalize(layer.weight.grad.flatten(1)).view_as(before)
    torch.testing.assert_close(layer.weight, before * 2 / before.norm() - 0.05 * direction)


def test_everything_else_is_torchs_own_gradient_descent():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))
    twin = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))
    twin.load_state_dict(net.state_dict())
    matrices = [parameter for parameter in twin.parameters() if parameter.dim() > 1]
    vectors = [parameter for parameter in twin.parameters() if parameter.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
    optimizers = (
        Muon(net.parameters(), other_lr=0.1, momentum=0.8, weight_decay=0.01),
        torch.optim.SGD(groups, lr=0.1, momentum=0.8, nesterov=True),
    )
    images, labels = torch.randn(8, 1, 4, 4), torch.randint(0, 2, (8,))
    for _ in range(3):
        for model, optimizer in zip((net, twin), optimizers, strict=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
    for ours, theirs in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_state_goes_on_after_it_was_stored():
    def step(layer: nn.Conv2d, optimizer: Muon, seed: int) -> None:
        layer.weight.grad = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(seed))
        optimizer.step()

    torch.manual_seed(0)
    layer = nn.Conv2d(3, 4, 3, bias=False)
    optimizer = Muon(layer.parameters())
    step(layer, optimizer, 1)
    other = nn.Conv2d(3, 4, 3, bias=False)
    other.load_state_dict(layer.state_dict())
    resumed = Muon(other.parameters(), lr=1.0)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(layer, optimizer, 2)
    step(other, resumed, 2)
    assert torch.equal(layer.weight, other.weight)


@pytest.mark.parametrize("schedule", [cosine, one_cycle])
def test_a_schedule_moves_both_rates_in_proportion(schedule):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(4, 2))
    optimizer = Muon(net.parameters(), lr=0.05, other_lr=0.2)
    scheduler = schedule(optimizer, 10)
    seen = []
    for _ in range(10):
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates[1] == pytest.approx(4 * rates[0])
        assert rates[2] == rates[1]
        seen.append(rates[0])
        optimizer.step()
        scheduler.step()
    assert max(seen) == pytest.approx(0.05)


def test_linear_one_cycle_goes_straight_up_and_down():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = one_cycle(
        optimizer, 11, warmup=5 / 11, initial_divisor=10, final_divisor=1e9, anneal="linear"
    )
    rates = []
    for _ in range(11):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step() if len(rates) < 11 else None
    rising = [0.1 + 0.9 * step / 4 for step in range(5)]
    falling = [1 - step / 6 for step in range(1, 7)]
    assert rates == pytest.approx(rising + falling, abs=1e-6)


@pytest.mark.parametrize(
    ("key", "value"),
    [("lr", 0.0), ("other_lr", -1.0), ("momentum", 1.0), ("rounds", 0), ("weight_decay", -0.1)],
)
def test_wrong_value_is_named(key, value):
    with pytest.raises(ConfigError, match=rf"optimizer\.{key}={value}: expected"):
        Muon([nn.Parameter(torch.zeros(1))], **{key: value})
