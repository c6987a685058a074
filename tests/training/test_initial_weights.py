"""Initial weights from files: whose, what fits, what is said, and that a run stays the same run."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
import torch
from torch import nn

import my_nets
from fer_lightning import messages
from fer_lightning.config.compose import compose_config
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.models import Small
from fer_lightning.runs.run import Run
from fer_lightning.training.build import check_parts
from fer_lightning.training.checkpoints import load_classifier, read_checkpoint
from fer_lightning.training.initial_weights import fingerprint_of, fit, read_weights, take_weights
from fer_lightning.training.module import CHECKPOINT_KEY
from training_runs import run, save, weights


def wrapped(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: value for name, value in state.items()}


@pytest.mark.parametrize(
    "stored",
    [
        lambda state: state,
        lambda state: {"state_dict": wrapped(state, "model."), "epoch": 3},
        lambda state: {"model": wrapped(state, "module."), "optimizer": {"step": torch.ones(1)}},
        lambda state: {"state_dict": wrapped(state, "net.backbone.") | {"loss.weight": torch.ones(7)}},
    ],
)
def test_every_kind_of_file_gives_the_whole_net(tmp_path, stored):
    torch.manual_seed(1)
    source, net = Small(), Small()
    torch.save(stored(source.state_dict()), tmp_path / "a.ckpt")
    said = take_weights(net, read_weights(str(tmp_path / "a.ckpt")), "a.ckpt")
    assert all(torch.equal(value, source.state_dict()[name]) for name, value in net.state_dict().items())
    count = len(net.state_dict())
    assert said.startswith(f"model.weights=a.ckpt: {count} of {count} tensors taken over")


def test_a_file_of_an_old_pytorch_is_read(tmp_path):
    torch.manual_seed(1)
    state = Small().state_dict()
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    read = read_weights(str(tmp_path / "old.pth"))
    assert read.keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in read.items())


def test_a_backbone_goes_into_a_net_that_has_it_under_a_name():
    source, net = my_nets.Net(5), nn.ModuleDict({"backbone": my_nets.Net(7), "more": nn.Linear(2, 2)})
    found = fit(net, wrapped(source.state_dict(), "model."))
    assert torch.equal(found.taken["backbone.enter.weight"], source.enter.weight)
    assert "backbone.leave.weight [7, 16] (in the file [5, 16])" in found.new
    assert "more.weight [2, 2]" in found.new
    assert "backbone.leave.weight" not in found.taken


def test_a_head_for_other_classes_begins_anew_and_is_named():
    torch.manual_seed(2)
    source, net = Small(num_classes=8), Small(num_classes=3)
    head = net.classifier.output.weight.clone()
    said = take_weights(net, source.state_dict() | {"extra.bias": torch.ones(1)}, "a.ckpt")
    assert torch.equal(net.features.block1.conv.weight, source.features.block1.conv.weight)
    assert torch.equal(net.classifier.output.weight, head)
    assert "initialized anew: classifier.output.weight [3, 64] (in the file [8, 64])" in said
    assert "left out of the file: extra.bias" in said


def test_what_does_not_fit_at_all_or_is_no_file_of_weights_is_refused_in_a_line(tmp_path):
    torch.save({"a.weight": torch.ones(3, 3)}, tmp_path / "other.pt")
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    torch.save({"net": nn.Linear(1, 1)}, tmp_path / "objects.pt")
    (tmp_path / "damaged.pt").write_bytes(b"PK\x03\x04")
    (tmp_path / "nothing.pt").touch()
    for name, error, message in (
        ("other.pt", ConfigError, "no tensor fits Small: it has features.block1.conv.weight [16, 1, 5, 5] and others, "
         "the file a.weight [3, 3]"),
        ("empty.pt", DataError, "holds no tensors by name"),
        ("objects.pt", DataError, "which are never loaded; expected tensors: torch.save(model.state_dict(), FILE)"),
        ("damaged.pt", DataError, "not a readable checkpoint"),
        ("nothing.pt", DataError, "nothing.pt: not a readable checkpoint (it is empty)"),
        ("absent.pt", ConfigError, "no such file; expected a checkpoint or a state dict"),
    ):  # fmt: skip
        with pytest.raises(error, match=re.escape(message)) as caught:
            check_parts(compose_config([f"model.weights={tmp_path / name}"]))
        assert "model.weights" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_fingerprint_is_that_of_the_tensors_wherever_they_lie(tmp_path):
    state = Small().state_dict()
    torch.save(state, tmp_path / "a.pt")
    torch.save({"state_dict": state}, tmp_path / "b.pt")
    first, second = (fingerprint_of(read_weights(str(tmp_path / name))) for name in ("a.pt", "b.pt"))
    assert first == second
    state["classifier.output.bias"][0] += 1
    assert fingerprint_of(state) != first
    halves = {name: value.bfloat16() for name, value in state.items()}
    assert fingerprint_of(halves) != fingerprint_of(state)


@pytest.fixture
def source(tmp_path: Path, tiny: list[str]) -> Path:
    save(tmp_path / "source.ckpt", [*tiny, "seed=5"])
    return tmp_path / "source.ckpt"


def test_a_run_begins_with_the_weights_keeps_what_is_frozen_and_says_both(tmp_path, tiny, source, caplog):
    caplog.set_level(logging.INFO)
    messages._logged.clear()
    words = [f"model.weights={source}", "model.freeze=[features]", "optimizer.layer_decay=0.5"]
    found = run(tmp_path / "run", tiny, *words)
    began, ended = read_checkpoint(source)["state_dict"], weights(tmp_path / "run")
    for name, value in ended.items():
        assert torch.equal(value, began[name]) == name.startswith("model.features"), name
    record = Run(tmp_path / "run").record
    assert record["weights"] == fingerprint_of(began)
    trained = sum(p.numel() for p in Small().classifier.parameters())
    assert record["parameters"]["trainable"] == trained
    assert f"of which {trained:,} are trained" in caplog.text
    assert f"model.weights={source}: " in caplog.text
    assert found.record["status"] == "complete"
    source.unlink()  # a checkpoint has all weights
    load_classifier(tmp_path / "run" / "checkpoints" / "last.ckpt")


def test_the_average_of_frozen_parts_and_their_norms_is_what_they_are(tmp_path, tiny, source):
    words = [
        f"model.weights={source}",
        "model.freeze=[features.block1]",
        "callbacks=ema",
        "callbacks.ema.decay=0.5",
    ]
    run(tmp_path / "run", tiny, *words)
    began, ended = read_checkpoint(source)["state_dict"], weights(tmp_path / "run")
    for name, value in ended.items():
        if name.startswith("model.features.block"):
            same = torch.allclose(value.float(), began[name].float(), rtol=1e-5, atol=1e-7)
            assert same == name.startswith("model.features.block1"), name


def test_a_resumed_run_must_have_begun_with_the_same_weights(tmp_path, tiny, source):
    words = [*tiny, "scheduler=constant"]
    run(tmp_path / "run", words, f"model.weights={source}")
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    again = [*words, "trainer.max_epochs=2", f"resume={last}"]
    assert run(tmp_path / "more", again, f"model.weights={source}").epochs == 2
    with pytest.raises(
        ConfigError, match=r"model\.weights=null: .* began with other weights; expected the same"
    ):
        run(tmp_path / "none", again)
    held = torch.load(source, weights_only=True)
    held["state_dict"]["model.classifier.output.bias"] += 1
    torch.save(held, source)
    with pytest.raises(ConfigError, match="began with other weights"):
        run(tmp_path / "other", again, f"model.weights={source}")
    assert read_checkpoint(last)[CHECKPOINT_KEY]["weights"] is not None
