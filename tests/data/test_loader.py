from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_lightning.data.loader import BatchLoader


def loader(n: int, batch_size: int, **options) -> BatchLoader:
    images = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1)
    return BatchLoader(images, torch.arange(n) % 7, np.arange(n), batch_size, **options)


def positions(batches: BatchLoader) -> list[int]:
    return [int(position) for _, _, chosen in batches for position in chosen]


def test_images_and_labels_belong_to_their_positions():
    for images, labels, chosen in loader(50, 8, shuffle=True, seed=3):
        assert torch.equal(images.view(-1).long(), chosen)
        assert torch.equal(labels, chosen % 7)


def test_evaluation_keeps_the_order_and_every_face():
    assert positions(loader(10, 4)) == list(range(10))
    assert len(loader(10, 4)) == 3


def test_training_drops_the_short_last_batch():
    batches = loader(10, 4, shuffle=True)
    assert len(batches) == len(list(batches)) == 2
    assert all(len(labels) == 4 for _, labels, _ in batches)


def test_an_epoch_has_its_own_order_that_returns():
    batches = loader(64, 16, shuffle=True, seed=1)
    first = positions(batches)
    batches.set_epoch(1)
    second = positions(batches)
    batches.set_epoch(0)
    assert positions(batches) == first != second
    assert sorted(first) == sorted(second) == list(range(64))
    assert positions(loader(64, 16, shuffle=True, seed=2)) != first


@settings(max_examples=60, deadline=None)
@given(n=st.integers(2, 40), steps=st.integers(1, 30), batch_size=st.integers(1, 8), epochs=st.integers(1, 6))
def test_epochs_of_fixed_length_use_every_face_equally_often(n, steps, batch_size, epochs):
    batches = loader(n, batch_size, shuffle=True, steps=steps)
    seen = np.zeros(n, int)
    for epoch in range(epochs):
        batches.set_epoch(epoch)
        assert len(batches) == steps == len(list(batches))
        np.add.at(seen, positions(batches), 1)
    assert seen.max() - seen.min() <= 1


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_the_training_faces(world_size):
    parts = [
        positions(loader(60, 5, shuffle=True, seed=4, rank=rank, world_size=world_size))
        for rank in range(world_size)
    ]
    assert len({len(part) for part in parts}) == 1
    everything = sorted(position for part in parts for position in part)
    assert everything == sorted(set(everything))


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("n", "world_size", "each"), [(10, 3, 4), (1, 4, 1), (2, 5, 1), (9, 8, 2)])
def test_processes_see_every_face_in_as_many_steps(n, world_size, each, shuffle):
    loaders = [loader(n, n, shuffle=shuffle, rank=rank, world_size=world_size) for rank in range(world_size)]
    parts = [positions(batches) for batches in loaders]
    assert [len(part) for part in parts] == [each] * world_size
    assert {position for part in parts for position in part} == set(range(n))
