"""The checks of saliency against networks and maps whose answer is known."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity
from torch import nn

import fer_lightning.conf
from fer_lightning.errors import ConfigError, DataError
from fer_lightning.explain.face_selection import balanced_correct, one_of_each_class, worst_mistakes
from fer_lightning.explain.saliency_methods import attributions, make_method
from fer_lightning.explain.trust_checks import TrustRules, check_trust, insertion_deletion, methods_for
from fer_lightning.explain.trust_checks.discrimination import class_similarity, other_classes
from fer_lightning.explain.trust_checks.estimate import Estimate, FaceBootstrap
from fer_lightning.explain.trust_checks.insertion import pixel_ranks
from fer_lightning.explain.trust_checks.randomization import (
    redrawn,
    redrawn_similarity,
    weighted_layers,
)
from fer_lightning.explain.trust_checks.similarity import similarities
from fer_lightning.explain.trust_checks.trust_verdict import failures, verdict
from fer_lightning.models import DNN, Small
from fer_lightning.training.construct import build


class Linear(nn.Module):
    """Logit c is the sum of w_c · x / 255, for faces of 8 × 8."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.dense = nn.Linear(weights[0].numel(), len(weights), bias=False)
        with torch.no_grad():
            self.dense.weight.copy_(weights.flatten(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.dense(images.flatten(1) / 255)


def thirds() -> Linear:
    """Class c reads the c-th third of the columns of an 8 × 8 face, with weights of its own."""
    weights = torch.zeros(3, 8, 8)
    generator = torch.Generator().manual_seed(4)
    for label, columns in enumerate((slice(0, 3), slice(3, 5), slice(5, 8))):
        weights[label, :, columns] = (
            2 * torch.rand(weights[label, :, columns].shape, generator=generator) + 0.5
        )
    return Linear(weights)


@pytest.fixture
def faces() -> torch.Tensor:
    return 255 * torch.rand(48, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def labels_of(model: nn.Module, faces: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return model(faces).argmax(1).numpy()


def test_insertion_and_deletion_of_a_linear_model_are_exact():
    # Four pixels, 255 · (4, 3, 2, 1) logits; salient first: what is left is 10, 6, 3, 1, 0 after each of 4 steps.
    model = Linear(torch.tensor([[[4.0, 3.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]]))
    face = torch.full((1, 1, 2, 2), 255.0)
    maps = np.array([[[4.0, 3.0], [2.0, 1.0]]])
    found = insertion_deletion(model, face, np.array([0]), maps, fill="black", steps=4, score="logit")
    np.testing.assert_allclose(found.shares, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(found.deletion, [[10, 6, 3, 1, 0]], atol=1e-5)
    np.testing.assert_allclose(found.insertion, [[0, 4, 7, 9, 10]], atol=1e-5)
    assert found.deletion_auc[0] == pytest.approx((10 / 2 + 6 + 3 + 1 + 0) / 4)
    assert found.insertion_auc[0] == pytest.approx((0 + 4 + 7 + 9 + 10 / 2) / 4)
    assert found.gain[0] == pytest.approx(2.5)
    backward = insertion_deletion(model, face, np.array([0]), -maps, fill="black", steps=4, score="logit")
    assert backward.gain[0] == pytest.approx(-2.5)
    share = insertion_deletion(model, face, np.array([0]), maps, fill="black", steps=4)
    np.testing.assert_allclose(
        share.deletion[0], 1 / (1 + np.exp(-np.array([10, 6, 3, 1, 0.0]))), rtol=1e-5
    )  # two classes, the other's logit is 0


def test_a_random_order_gains_nothing_and_does_not_depend_on_batches(faces):
    model = thirds()
    labels = labels_of(model, faces)
    many, targets = faces.repeat(8, 1, 1, 1), np.tile(labels, 8)
    maps = np.random.default_rng(0).random((len(many), 8, 8))
    found = insertion_deletion(model, many, targets, maps, fill="mean", score="logit")
    assert abs(found.gain.mean()) < 4 * found.gain.std() / np.sqrt(len(many))
    again = insertion_deletion(model, many, targets, maps, fill="mean", score="logit", batch_size=7)
    np.testing.assert_allclose(again.gain, found.gain, atol=1e-5)


def test_pixels_of_equal_value_are_ordered_by_chance():
    maps = np.zeros((200, 4, 4))
    maps[:, 2, 1] = 1
    ranks = pixel_ranks(maps)
    assert (ranks[:, 9] == 0).all()
    assert (np.sort(ranks, axis=1) == np.arange(16)).all()
    others = np.delete(ranks, 9, axis=1).mean(0)
    np.testing.assert_allclose(others, 8, atol=4 * np.sqrt(14 * 16 / 12 / 200))


@pytest.mark.parametrize("kind", ["spearman", "ssim"])
def test_similarities_equal_scipys_and_scikit_images(kind):
    rng = np.random.default_rng(0)
    one = np.round(rng.random((4, 9, 9)), 1)  # with ties
    other = np.round(rng.random((4, 9, 9)) + one / 2, 1)
    one[3] = 0.3
    other[2] = one[2]
    found = similarities(one, other, kind)
    for number in (0, 1):
        left, right = one[number], other[number]
        expected = (
            spearmanr(left.ravel(), right.ravel()).statistic
            if kind == "spearman"
            else structural_similarity(left / left.max(), right / right.max(), data_range=1)
        )
        assert found[number] == pytest.approx(expected)
    assert found[2] == 1
    assert found[3] == 0  # a flat map is like nothing
    assert similarities(np.zeros((1, 3, 3)), np.zeros((1, 3, 3)), kind)[0] == 1


def test_redrawn_weights_are_others_and_go_back_bit_by_bit_even_after_an_error():
    model = Small(image_size=16).train()
    model.features.block1.norm.running_mean.fill_(3)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = torch.get_rng_state()

    def fail() -> None:
        with redrawn(model, weighted_layers(model), seed=1):
            for name in ("features.block1.conv.weight", "classifier.output.weight"):
                assert not torch.equal(model.state_dict()[name], before[name])
            assert model.features.block1.norm.running_mean.abs().max() == 0
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert weighted_layers(model)[0] == "classifier.output"
    assert weighted_layers(model)[-1] == "features.block1.conv"


def test_sobel_ignores_the_weights_and_the_gradient_does_not(faces):
    model = thirds()
    labels = labels_of(model, faces)
    alike = {}
    for name in ("sobel", "gradient", "random"):
        method = make_method(name)
        found = attributions(model, faces, labels, method)
        alike[name] = redrawn_similarity(model, faces, found, method, redraws=2)
    np.testing.assert_array_equal(alike["sobel"], 1)
    assert alike["gradient"].max() < 0.5
    assert abs(alike["random"].mean()) < 0.05


def test_only_the_named_layers_are_drawn_anew():
    torch.manual_seed(0)
    model = Small(image_size=16).eval()
    faces = 255 * torch.rand(4, 1, 16, 16)
    method = make_method("gradient")
    found = attributions(model, faces, None, method)
    assert weighted_layers(model)[0] == "classifier.output"
    whole = redrawn_similarity(model, faces, found, method, seed=3)
    every = redrawn_similarity(model, faces, found, method, layers=weighted_layers(model), seed=3)
    np.testing.assert_allclose(every, whole)
    logits = redrawn_similarity(model, faces, found, method, layers=["classifier.output"], seed=3)
    assert logits.mean() > whole.mean()


def test_classes_that_read_different_regions_have_different_maps(faces):
    model = thirds()
    labels = labels_of(model, faces)
    others = other_classes(labels, 3, seed=0)
    gradient, sobel = make_method("gradient"), make_method("sobel")
    apart = class_similarity(model, faces, attributions(model, faces, labels, gradient), gradient, others)
    assert apart.max() < 0  # what is large in one is zero in the other
    same = class_similarity(model, faces, attributions(model, faces, labels, sobel), sobel, others)
    np.testing.assert_array_equal(same, 1)


def test_other_classes_are_each_of_the_others_and_never_the_own():
    targets = np.repeat(np.arange(7), 600)
    others = other_classes(targets, 7)
    assert (others != targets).all()
    counts = np.array([[((targets == a) & (others == b)).sum() for b in range(7)] for a in range(7)])
    assert np.abs(counts[~np.eye(7, dtype=bool)] - 100).max() < 45
    with pytest.raises(DataError, match="1 class: expected at least 2"):
        other_classes(np.zeros(3, int), 1)


def test_the_bootstraps_interval_is_the_normal_one_for_a_mean():
    values = np.random.default_rng(0).normal(2, 3, 400)
    found = FaceBootstrap(400, 0.95, 4000).estimate(values)
    half = 1.96 * values.std() / 20
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.05)
    assert found.high == pytest.approx(values.mean() + half, abs=0.05)


def test_faces_are_balanced_correct_and_chosen_by_the_seed():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [50, 50, 3])
    logits = np.eye(3)[labels] + 0.1 * rng.random((103, 3))
    logits[:10] = [0, 1, 0]
    chosen = balanced_correct(logits, labels, 21, seed=1)
    assert (logits[chosen].argmax(1) == labels[chosen]).all()
    assert np.bincount(labels[chosen]).tolist() == [9, 9, 3]
    assert len(set(chosen)) == 21
    np.testing.assert_array_equal(chosen, balanced_correct(logits, labels, 21, seed=1))
    assert set(chosen) != set(balanced_correct(logits, labels, 21, seed=2))
    assert len(balanced_correct(logits, labels, 1000)) == 93
    with pytest.raises(DataError, match="none of 2 faces is classified correctly"):
        balanced_correct(np.eye(2), np.array([1, 0]))
    with pytest.raises(ConfigError, match="faces=0"):
        balanced_correct(logits, labels, 0)


def test_one_face_of_each_class_and_the_worst_mistakes():
    labels = np.array([0, 0, 0, 1, 1, 2])
    logits = np.array([[1.0, 0, 0], [3, 0, 0], [2, 0, 0], [4, 0, 0], [0, 0, 5], [0, 0, 1]])
    assert one_of_each_class(logits, labels) == {0: 2, 2: 5}
    assert worst_mistakes(logits, labels).tolist() == [4, 3]
    assert worst_mistakes(logits, labels, 1).tolist() == [4]


@pytest.fixture(scope="module")
def report():
    model = thirds()
    images = 255 * torch.rand(48, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    methods = ["gradient", make_method("integrated_gradients", baseline="black"), "sobel"]
    rules = TrustRules(fill="black", steps=8, score="logit")
    return check_trust(model, images, labels_of(model, images), methods, rules, data="noise", synthetic=True)


def test_a_linear_models_gradient_is_trusted_and_the_controls_are_not(report):
    assert [each.name for each in report.methods] == ["gradient", "integrated_gradients", "random", "sobel"]
    assert report["gradient"].verdict == report["integrated_gradients"].verdict == "trusted"
    assert report["integrated_gradients"].checks["completeness"].high < 1e-4
    assert "completeness" not in report["gradient"].checks
    assert report["sobel"].verdict == "control"
    assert report["sobel"].checks["redrawn"].low == pytest.approx(1)
    assert report["sobel"].checks["other_class"].low == pytest.approx(1)
    # Integrated gradients order the pixels of a linear model exactly, so nothing gains more.
    gains = {each.name: each.checks["faithfulness"].mean for each in report.methods}
    assert max(gains, key=gains.get) == "integrated_gradients"
    assert abs(gains["random"]) < 0.25 * gains["gradient"]
    over = report["gradient"].scores["over_edges"]
    np.testing.assert_allclose(
        over, report["gradient"].scores["faithfulness"] - report["sobel"].scores["faithfulness"]
    )


def test_the_report_is_text_json_and_csv(report):
    lines = report.to_text().splitlines()
    assert lines[0].split()[0] == "method"
    assert [line.split()[0] for line in lines[1:5]] == [each.name for each in report.methods]
    assert "48 correctly classified images of SYNTHETIC DATA (noise)" in lines[6]
    assert max(map(len, lines[:5])) <= 150
    plain = json.loads(json.dumps(report.to_dict()))
    assert (
        plain["methods"]["gradient"]["checks"]["redrawn"]["mean"] == report["gradient"].checks["redrawn"].mean
    )
    assert plain["rules"]["fill"] == "black"
    rows = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert float(rows[0]["faithfulness_low"]) == pytest.approx(
        report["gradient"].checks["faithfulness"].low, rel=1e-5
    )
    assert rows[0]["completeness_mean"] == ""


def test_a_caption_is_one_line_with_verdict_and_numbers(report):
    gain, sobel, random = (report[name].checks["faithfulness"] for name in ("gradient", "sobel", "random"))
    assert report.caption("gradient") == (
        f"gradient: trusted (insertion−deletion {gain}, sobel {sobel.mean:+.2f}, random {random.mean:+.2f})"
    )
    assert report.caption("occlusion") == "occlusion: not checked"
    assert report.caption("sobel") == f"sobel: control (insertion−deletion {sobel})"


GOOD = {
    "over_edges": Estimate(0.2, 0.1, 0.3),
    "over_random": Estimate(0.2, 0.1, 0.3),
    "redrawn": Estimate(0.1, 0.0, 0.2),
    "other_class": Estimate(0.1, 0.0, 0.2),
    "completeness": Estimate(0.01, 0.0, 0.02),
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "trusted"),
        ({"over_edges": Estimate(0.1, -0.01, 0.2)}, "not better than edges"),
        ({"over_random": Estimate(0.1, 0.0, 0.2)}, "not better than chance"),
        ({"redrawn": Estimate(0.4, 0.3, 0.51)}, "not of these weights"),
        ({"other_class": Estimate(0.9, 0.8, 0.95)}, "not of this class"),
        ({"completeness": Estimate(0.04, 0.02, 0.06)}, "does not add up"),
        ({"completeness": Estimate(float("nan"), float("nan"), float("nan"))}, "does not add up"),
        (
            {"over_edges": Estimate(0, -1, 1), "redrawn": Estimate(1, 1, 1)},
            "not better than edges, not of these weights",
        ),
    ],
)
def test_a_verdict_needs_the_whole_interval(change, words):
    assert verdict(GOOD | change, TrustRules(), 48) == words
    assert ", ".join(failures(GOOD | change, TrustRules())) == ("" if words == "trusted" else words)
    assert verdict(GOOD | change, TrustRules(), 47) == "not enough images"
    assert verdict(GOOD | change, TrustRules(), 48, control=True) == "control"


def test_thresholds_are_configuration():
    strict = TrustRules(min_gain_over_edges=0.15, max_redrawn_similarity=0.15)
    assert failures(GOOD, strict) == ("not better than edges", "not of these weights")


def test_the_option_is_built_with_the_defaults():
    path = Path(fer_lightning.conf.__file__).parent / "trust" / "default.yaml"
    assert build(OmegaConf.load(path)) == TrustRules()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"faces": 0}, "trust.faces=0: expected a whole number of at least 1"),
        ({"similarity": "pearson"}, "trust.similarity=pearson: expected one of spearman, ssim"),
        ({"fill": "white"}, "trust.fill=white: expected one of mean, blur, black"),
        ({"score": "loss"}, "trust.score=loss: expected one of probability, logit"),
        ({"max_class_similarity": 2}, "trust.max_class_similarity=2: expected a number from -1 to 1"),
        ({"confidence": 1}, "trust.confidence=1: expected a number above 0 and below 1"),
    ],
)
def test_a_wrong_rule_is_named(values, message):
    with pytest.raises(ConfigError) as caught:
        TrustRules(**values)
    assert message in str(caught.value)


def test_a_network_without_convolutions_is_checked_without_grad_cam():
    assert "grad_cam" not in methods_for(DNN(image_size=16))
    assert "grad_cam" in methods_for(Small(image_size=16))


def test_the_check_leaves_a_model_in_training_as_it_was():
    model = Small(image_size=16, num_classes=4)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = torch.get_rng_state()
    faces = np.random.default_rng(0).integers(0, 256, (3, 1, 16, 16), dtype=np.uint8)
    found = check_trust(model, faces, [0, 1, 3], ["gradient", "grad_cam"], TrustRules(steps=2))
    assert {each.verdict for each in found.methods} == {"not enough images", "control"}
    assert "3, needs 48" in found.caption("gradient")
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(DataError, match="1 faces and targets"):
        check_trust(model, faces[:1], [0])
