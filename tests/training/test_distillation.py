from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_mixup import probed

from fer_lightning.__main__ import main
from fer_lightning.config.compose import compose_config
from fer_lightning.data.faces import Faces
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.evaluation.evaluate import data_of, predict_split
from fer_lightning.runs.predictions import Predictions, write_predictions
from fer_lightning.training.build import build_data
from fer_lightning.training.checkpoints import load_classifier
from fer_lightning.training.distillation import fingerprint, read_teachers, soft_targets
from training_runs import StopAfter, measured, run, weights

NAMES = ("x", "y", "z")
FACES = Faces(
    images=np.zeros((5, 2, 2), np.uint8),
    labels=np.array([0, 1, 2, 0, 1]),
    splits=np.array([0, 0, 0, 0, 1], np.uint8),
    ids=np.array(list("abcde")),
    class_names=NAMES,
    fingerprint="",
    name="made",
    synthetic=True,
)
TRAINED = np.arange(4)


def says(ids: str, *probabilities: tuple[float, float, float]) -> Predictions:
    labels = FACES.labels[["abcde".index(name) for name in ids]]
    # Logits are only known up to a constant.
    return Predictions(
        np.log(np.array(probabilities)).astype(np.float32) + 3, labels, np.array(list(ids)), NAMES
    )


def test_a_target_mixes_the_label_with_the_mean_of_the_teachers_that_know_the_face():
    one = says("ba", (0.2, 0.5, 0.3), (0.7, 0.2, 0.1))
    two = says("dcbe", (0.1, 0.1, 0.8), (0.25, 0.25, 0.5), (0.4, 0.1, 0.5), (0.9, 0.05, 0.05))
    found = soft_targets(FACES, TRAINED, {"one": one, "two": two}, 0.4)
    expected = [
        (0.6 + 0.4 * 0.7, 0.4 * 0.2, 0.4 * 0.1),
        (0.4 * 0.3, 0.6 + 0.4 * 0.3, 0.4 * 0.4),
        (0.4 * 0.25, 0.4 * 0.25, 0.6 + 0.4 * 0.5),
        (0.6 + 0.4 * 0.1, 0.4 * 0.1, 0.4 * 0.8),
        (0, 1, 0),  # not trained on
    ]
    assert found.numpy() == pytest.approx(np.array(expected), abs=1e-6)


def test_one_name_may_stand_for_two_faces_under_different_labels():
    faces = replace(FACES, ids=np.array(list("aacde")))
    one = says("abcd", (0.8, 0.1, 0.1), (0.3, 0.4, 0.3), (0.1, 0.1, 0.8), (0.8, 0.1, 0.1))
    found = soft_targets(faces, TRAINED, {"one": replace(one, ids=faces.ids[:4])}, 1.0)
    assert found[:2].numpy() == pytest.approx(np.array([(0.8, 0.1, 0.1), (0.3, 0.4, 0.3)]), abs=1e-6)


def test_what_a_teacher_must_know_is_said(tmp_path):
    known = says("abcd", *[(0.2, 0.3, 0.5)] * 4)
    part = {"some.npz": says("ab", *[(0.2, 0.3, 0.5)] * 2)}
    with pytest.raises(
        DataError, match=r"^loss\.teacher: some\.npz: 2 of the 4 faces .* the first c \(z\); expected"
    ):
        soft_targets(FACES, TRAINED, part, 0.5)
    with pytest.raises(DataError, match=r"t\.npz: knows x, y, w; the data x, y, z"):
        soft_targets(FACES, TRAINED, {"t.npz": replace(known, class_names=("x", "y", "w"))}, 0.5)
    with pytest.raises(DataError, match=r"t\.npz: 1 of the 4 faces .* the first b \(y\); expected"):
        soft_targets(FACES, TRAINED, {"t.npz": replace(known, labels=np.array([0, 2, 2, 0]))}, 0.5)
    (tmp_path / "cut.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"^loss\.teacher: .*cut\.npz: cannot be read"):
        read_teachers(str(tmp_path / "cut.npz"))
    np.savez(tmp_path / "nameless.npz", logits=known.logits, labels=known.labels)
    with pytest.raises(
        DataError, match=r"nameless\.npz: does not name its faces; expected what evaluate split=train"
    ):
        read_teachers([str(tmp_path / "nameless.npz")])
    for value in (np.nan, np.inf):
        logits = known.logits.copy()
        logits[2, 1] = value
        write_predictions(tmp_path / "diverged.npz", replace(known, logits=logits))
        with pytest.raises(
            DataError, match=r"diverged\.npz: not finite logits for 1 of 4 faces, the first c; expected"
        ):
            read_teachers(str(tmp_path / "diverged.npz"))


def test_a_fingerprint_is_of_what_the_teachers_say(tmp_path):
    known = says("abcd", *[(0.2, 0.3, 0.5)] * 4)
    write_predictions(tmp_path / "a.npz", known)
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes())
    write_predictions(tmp_path / "c.npz", replace(known, logits=known.logits * 2))
    one, same, other = (fingerprint(read_teachers(str(tmp_path / f"{name}.npz"))) for name in "abc")
    assert one == same != other
    assert fingerprint({}) is None


@pytest.mark.parametrize("mixup", [0.0, 0.8])
def test_the_loss_is_the_cross_entropy_with_the_targets_of_each_face(mixup):
    targets = torch.rand(50, 2, generator=torch.Generator().manual_seed(1)).softmax(1)
    probe, module = probed(mixup=mixup, targets=targets)
    positions = torch.tensor([31, 4, 49, 0, 17, 22, 8, 40])
    images = torch.arange(8.0).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    torch.manual_seed(2)
    share, order = (module.loss.draw_share(), torch.randperm(8)) if mixup else (1.0, torch.arange(8))
    torch.manual_seed(2)
    loss = module.training_step((images, torch.zeros(8, dtype=torch.long), positions), 0)
    assert torch.allclose(probe.seen, share * images + (1 - share) * images[order])
    target = share * targets[positions] + (1 - share) * targets[positions][order]
    log_probabilities = module(probe.seen).log_softmax(1)
    expected = -((0.9 * target + 0.05) * log_probabilities).sum(1).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert "loss.targets" not in module.state_dict()


def test_a_net_learns_what_its_teacher_says_and_evaluate_makes_a_teacher(tmp_path, tiny, capsys):
    run(tmp_path / "first", tiny)
    checkpoint = tmp_path / "first" / "checkpoints" / "last.ckpt"
    assert main(["evaluate", f"checkpoint={checkpoint}", "split=train", f"output={tmp_path / 'teach'}"]) == 0
    path = tmp_path / "teach" / "train_logits.npz"
    (said,) = read_teachers(str(path)).values()
    # A teacher that takes every face for a happy one, whatever its label.
    liar = np.full_like(said.logits, -20)
    liar[:, said.class_names.index("happy")] = 20
    write_predictions(tmp_path / "liar.npz", replace(said, logits=liar))
    options = ["trainer.max_epochs=3", "optimizer.lr=0.01", "loss.teacher_share=1"]
    run(tmp_path / "taught", tiny, *options, f"loss.teacher={tmp_path / 'liar.npz'}")
    module = load_classifier(tmp_path / "taught" / "checkpoints" / "last.ckpt")
    answers = predict_split(module, data_of(module, {}), "train").logits.argmax(1)
    assert (answers == said.class_names.index("happy")).mean() > 0.9

    # With no share it changes nothing but the order of summing.
    for name, more in (("plain", []), ("ignored", [f"loss.teacher={path}", "loss.teacher_share=0"])):
        run(tmp_path / name, tiny, *more)
    rows = [measured(tmp_path / name)[0] for name in ("plain", "ignored")]
    assert rows[0]["train/loss"] == pytest.approx(rows[1]["train/loss"], rel=1e-4)
    record = json.loads((tmp_path / "ignored" / "run.json").read_text())
    assert record["teacher"] == fingerprint(read_teachers(str(path)))
    assert json.loads((tmp_path / "plain" / "run.json").read_text())["teacher"] is None


def test_a_taught_run_goes_on_as_if_uninterrupted_and_with_no_other_teacher(tmp_path, tiny):
    data = build_data(compose_config(tiny))
    faces, trained = data.faces, data.train_indices
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        logits = random.normal(size=(len(trained), 7)).astype(np.float32)
        ids = np.asarray(faces.ids)[trained]
        write_predictions(
            tmp_path / f"{name}.npz", Predictions(logits, faces.labels[trained], ids, faces.class_names)
        )
    options = ["trainer.max_epochs=2", "loss.mixup=0.2", f"loss.teacher=[{tmp_path}/a.npz,{tmp_path}/b.npz]"]
    run(tmp_path / "whole", tiny, *options)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", tiny, *options, callbacks=[StopAfter(1, within=True)])
    kept = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes((tmp_path / "b.npz").read_bytes())
    with pytest.raises(
        ConfigError, match=r"^loss\.teacher=.*last\.ckpt learnt from another teacher, or from none"
    ):
        run(tmp_path / "parts", tiny, *options, "resume=true")
    (tmp_path / "a.npz").write_bytes(kept)
    run(tmp_path / "parts", tiny, *options, "resume=true")
    before, after = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(before[key], after[key]) for key in before)
