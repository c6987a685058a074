from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_lightning.data import placement
from fer_lightning.data.datamodule import FaceDataModule
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


@pytest.mark.parametrize("channels", [1, 3])
def test_batches_cut_ahead_by_a_thread_are_the_same(channels):
    images = torch.randint(0, 256, (50, 5, 4, channels), dtype=torch.uint8).permute(0, 3, 1, 2)
    plain, ahead = (
        BatchLoader(images, torch.arange(50), np.arange(50), 8, shuffle=True, seed=3, ahead=how)
        for how in (False, True)
    )
    for one, other in zip(plain, ahead, strict=True):
        assert torch.equal(one[0], images[one[2]])
        assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))


def test_a_loop_that_is_left_early_leaves_no_thread():
    before = threading.active_count()
    batches = iter(loader(50, 8, ahead=True))
    next(batches)
    assert threading.active_count() == before + 1
    batches.close()
    assert threading.active_count() == before


def test_pictures_lie_on_the_device_where_they_take_half_of_its_free_memory(monkeypatch):
    monkeypatch.setattr(placement, "free_memory", lambda device: 1000)
    device = torch.device("cpu")
    assert [placement.fits(count, device) for count in (500, 501)] == [True, False]
    assert placement.fits(501, device, True)
    assert not placement.fits(1, device, False)


def test_on_device_decides_whether_batches_are_cut_ahead(tmp_path):
    drawing = {"n_train": 20, "n_val": 20, "n_test": 20}
    for asked, ahead in (("auto", False), (True, False), (False, True)):
        data = FaceDataModule("synthetic", on_device=asked, drawing=drawing, cache_dir=str(tmp_path))
        batches = data.split_dataloader("val")
        assert batches.ahead is ahead
        assert batches.images.data_ptr() == data.faces.images.ctypes.data, "the cache's own pages"


def skewed(seed: int = 0, **options) -> BatchLoader:
    """Of three classes with 60, 5 and 1 faces."""
    labels = torch.tensor([0] * 60 + [1] * 5 + [2])
    images = torch.arange(66, dtype=torch.uint8).view(66, 1, 1, 1)
    return BatchLoader(images, labels, np.arange(66), 8, shuffle=True, seed=seed, balanced=True, **options)


@pytest.mark.parametrize("steps", [None, 20])
def test_balanced_batches_have_every_class_equally_often(steps):
    batches = skewed(steps=steps)
    seen = np.zeros(66, int)
    for _, labels, chosen in batches:
        counts = torch.bincount(labels, minlength=3)
        assert len(labels) == 8
        assert counts.max() - counts.min() <= 2
        np.add.at(seen, chosen.numpy(), 1)
    shares = np.array([seen[:60].sum(), seen[60:65].sum(), seen[65]])
    assert len(batches) == (steps or 8)
    assert shares.max() - shares.min() <= 1 + len(batches) * 8 // 66
    if steps is None:
        assert seen[:60].max() == 1  # no face again before all of its class
        assert set(seen[60:65]) <= {4, 5}


def test_the_order_of_balanced_batches_follows_from_seed_and_epoch():
    one, other = skewed(), skewed()
    other.set_epoch(2)
    for epoch in (1, 2):
        one.set_epoch(epoch)
        second = positions(one)
    assert second == positions(other)
    one.set_epoch(1)
    assert positions(one) != second != positions(skewed(seed=1))


def test_processes_share_balanced_batches():
    # Each step's faces of all processes are those of one process with batches twice as large.
    parts = [skewed(rank=rank, world_size=2) for rank in range(2)]
    first, second = (positions(part) for part in parts)
    mixed = [each for pair in zip(first, second, strict=True) for each in pair]
    assert mixed == positions(skewed())[: len(mixed)]
    labels = skewed().labels[mixed]
    assert torch.bincount(labels).tolist() in ([22, 21, 21], [21, 22, 21], [21, 21, 22])
