"""Synthetic faces: the same everywhere, labelled as asked, drawn as the expressions say, and learnable."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fer_lightning.data import synthetic
from fer_lightning.data.faces import FER_CLASSES
from fer_lightning.data.synthetic import SHARES, draw_data_set, draw_faces, synthetic_faces
from fer_lightning.data.synthetic_drawing import render
from fer_lightning.data.synthetic_expressions import (
    MOVEMENTS,
    Traits,
    draw_expressions,
    draw_weights,
    mixed_expressions,
)
from fer_lightning.data.synthetic_shapes import hill, inside, paint
from fer_lightning.data.synthetic_traits import EVEN, NORMAL, SOMETIMES, draw_people
from fer_lightning.errors import ConfigError

DIGEST = """
import hashlib
from fer_lightning.data.synthetic import draw_faces
images, labels = draw_faces(70, 4)
print(hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest())
"""


def average_people(count: int) -> Traits:
    """People of the same, average looks, held straight in even light."""
    traits = {name: np.full(count, mean, np.float32) for name, (mean, _) in NORMAL.items()}
    traits |= {name: np.zeros(count, np.float32) for name in SOMETIMES | EVEN}
    return traits | {"brow": np.full(count, 0.15, np.float32)}


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    """The seven expressions on one average face, float32 [7, 48, 48]."""
    return render(mixed_expressions(np.eye(7, dtype=np.float32)) | average_people(7), 48)


def test_same_seed_same_faces_in_every_process_and_chunk_size(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = draw_faces(70, 4)
    elsewhere = subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True)
    assert elsewhere.stdout.strip() == hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    monkeypatch.setattr(synthetic, "CHUNK", 9)
    again, same_labels = draw_faces(70, 4)
    assert np.array_equal(images, again)
    assert np.array_equal(labels, same_labels)
    assert not np.array_equal(images, draw_faces(70, 5)[0])


def test_drawing_version_goes_with_the_pixels() -> None:
    # When this fails, the pixels have changed: raise DRAWING_VERSION, or old caches are taken for new faces.
    images, labels = draw_faces(40, 0, noise=0.0, ambiguous=0.0)
    assert synthetic.DRAWING_VERSION == 1
    assert labels[:10].tolist() == LABELS_OF_VERSION_1
    np.testing.assert_allclose(images[:5].mean(axis=(1, 2)), MEANS_OF_VERSION_1, atol=0.05)
    np.testing.assert_allclose(images[:5].std(axis=(1, 2)), DEVIATIONS_OF_VERSION_1, atol=0.05)


LABELS_OF_VERSION_1 = [2, 4, 0, 4, 4, 0, 0, 6, 3, 0]
MEANS_OF_VERSION_1 = [109.444, 134.116, 103.905, 143.075, 130.636]
DEVIATIONS_OF_VERSION_1 = [26.012, 32.593, 43.8, 47.208, 35.234]


def test_class_counts_follow_the_shares() -> None:
    _, labels = draw_faces(1500, 1, image_size=16)
    assert np.bincount(labels).tolist() == [210, 105, 210, 315, 240, 180, 240]
    assert sum(SHARES.values()) == pytest.approx(1)
    assert tuple(SHARES) == FER_CLASSES
    assert min(SHARES.values()) >= 0.06
    for n in (1, 13, 20, 499):
        counts = np.bincount(draw_faces(n, 0, image_size=16)[1], minlength=7)
        assert counts.sum() == n
        assert np.abs(counts - n * np.array(list(SHARES.values()))).max() < 1


def test_pixels_are_those_of_photographs() -> None:
    images, _ = draw_faces(300, 2)
    assert images.dtype == np.uint8
    assert images.mean() / 255 == pytest.approx(0.5, abs=0.04)  # FER2013: 0.5077
    assert images.std() / 255 == pytest.approx(0.2551, abs=0.06)  # FER2013
    assert images.std(axis=(1, 2)).min() > 8  # no blank face
    assert len(np.unique(images, axis=0)) == 300


def test_expressions_move_what_they_should(plain: np.ndarray) -> None:
    face = dict(zip(FER_CLASSES, plain, strict=True))
    brows, mouth = slice(7, 17), slice(30, 46)
    neutral = face["neutral"]
    # Dark mouths: surprise's is open below where a neutral one is closed; happy shows teeth.
    assert face["surprise"][40, 23] < 0.2 < neutral[40, 23]
    assert face["happy"][39, 23:25].mean() > neutral[39, 23:25].mean() + 0.15
    # A smile's corners are higher than its middle, a sad mouth's are lower.
    assert darkest_row(face["happy"], mouth, 14) < darkest_row(face["happy"], mouth, 23)
    assert darkest_row(face["sad"], mouth, 18) > darkest_row(face["sad"], mouth, 23)
    # Brows: angry ones fall towards the nose, sad ones rise, surprised ones are high.
    assert darkest_row(face["angry"], brows, 18) > darkest_row(face["angry"], brows, 12) + 1
    assert darkest_row(face["sad"], brows, 19) < darkest_row(face["sad"], brows, 11) - 1
    assert darkest_row(face["surprise"], brows, 18) < darkest_row(neutral, brows, 18) - 2
    # Eyes: wide open in fear and surprise, narrow in disgust and happiness.
    open_eyes = dict(zip(FER_CLASSES, np.abs(plain - eyes_of_black()).sum(axis=(1, 2)), strict=True))
    assert min(open_eyes["fear"], open_eyes["surprise"]) > 2 * open_eyes["neutral"]
    assert max(open_eyes["disgust"], open_eyes["happy"]) < 0.5 * open_eyes["neutral"]
    # Disgust wrinkles the nose: the bridge is striped.
    stripes = {name: np.abs(np.diff(image[18:25, 23])).sum() for name, image in face.items()}
    assert max(stripes, key=lambda name: stripes[name]) == "disgust"


def eyes_of_black() -> np.ndarray:
    """The faces of `plain`, but what is seen between the lids is black."""
    black = {name: np.zeros(7, np.float32) for name in ("eye_white", "iris")}
    return render(mixed_expressions(np.eye(7, dtype=np.float32)) | average_people(7) | black, 48)


def darkest_row(face: np.ndarray, rows: slice, column: int) -> int:
    return rows.start + int(face[rows, column - 1 : column + 2].mean(axis=1).argmin())


def test_upright_even_faces_are_mirror_images(plain: np.ndarray) -> None:
    np.testing.assert_allclose(plain, plain[:, :, ::-1], atol=1e-5)


def test_pose_moves_the_whole_face() -> None:
    traits = mixed_expressions(np.zeros((2, 7), dtype=np.float32)) | average_people(2)
    traits |= {"background_slope": np.zeros(2, np.float32)}
    traits["shift_x"] = np.array([0, 4 / 24], dtype=np.float32)
    traits["shift_y"] = np.array([0, 2 / 24], dtype=np.float32)
    still, moved = render(traits, 48)
    # Rows at the bands' borders are drawn a little differently; a grey level is 0.004.
    np.testing.assert_allclose(moved[2:, 4:], still[:-2, :-4], atol=0.02)


def test_larger_images_show_the_same_faces() -> None:
    small, large = (draw_faces(30, 3, image_size=size, noise=0.0) for size in (48, 96))
    halved = large[0].reshape(30, 48, 2, 48, 2).mean(axis=(2, 4))
    assert np.array_equal(small[1], large[1])
    correlations = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(small[0], halved, strict=True)]
    assert min(correlations) > 0.97


def test_noise_and_ambiguity_do_what_they_say() -> None:
    assert (
        draw_faces(64, 0, noise=3.0)[0].astype(float).std()
        > draw_faces(64, 0, noise=0.0)[0].astype(float).std()
    )
    generator = np.random.default_rng(0)
    labels = np.arange(6).repeat(500)
    weights = draw_weights(generator, labels, 0.3)
    shown = (weights > 0).sum(axis=1)
    assert (shown == 2).mean() == pytest.approx(0.3, abs=0.03)
    own = weights[np.arange(len(labels)), labels]
    assert (own[shown == 1] >= 0.4).all()
    assert weights.sum(axis=1).max() <= 1.15 + 1e-6
    share = own[shown == 2] / weights[shown == 2].sum(axis=1)
    assert 0.35 - 1e-6 <= share.min() < 0.4 < 0.55 < share.max() <= 0.6 + 1e-6
    assert ((draw_weights(generator, labels, 0.0) > 0).sum(axis=1) == 1).all()


def test_mixtures_lie_between_the_expressions() -> None:
    weights = np.array(
        [[0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0], [0, 0, 0, 0.5, 0, 0.5, 0], [0] * 7], np.float32
    )
    mixed = mixed_expressions(weights)
    for name, row in MOVEMENTS.items():
        np.testing.assert_allclose(mixed[name], [row[3], row[5], (row[3] + row[5]) / 2, row[6]], atol=1e-6)


def test_extreme_traits_still_give_numbers() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 7, 200)
    traits = draw_expressions(generator, labels, 0.5) | draw_people(generator, 200)
    for name in ("mouth_square", "mouth_width", "lid_upper", "lip"):
        traits[name] = generator.uniform(-3, 3, 200).astype(np.float32)
    assert np.isfinite(render(traits, 48)).all()


def test_shapes_known_values() -> None:
    assert inside(np.array([-2.0, -0.5, 0.0, 0.25, 2.0]), 1.0).tolist() == [1, 1, 0.5, 0.25, 0]
    peak = hill(np.array([0.0, 1.0, 2.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.5]), 2.0, 3.0)
    np.testing.assert_allclose(peak, [1, 0.5625, 0, 0.5625])
    image = np.array([0.2, 0.2, 0.2])
    paint(image, np.array([0.0, 0.5, 1.0]), 1.0)
    np.testing.assert_allclose(image, [0.2, 0.6, 1.0])


def test_data_set_is_split_and_named(tmp_path: Path) -> None:
    faces = synthetic_faces(60, 30, 20, seed=7, cache_dir=tmp_path)
    assert (faces.name, faces.synthetic, faces.class_names) == ("synthetic", True, FER_CLASSES)
    assert [len(faces.indices(split)) for split in ("train", "val", "test")] == [60, 30, 20]
    assert (faces.ids[0], faces.ids[109]) == ("synthetic 000000", "synthetic 000109")
    raw = draw_data_set(60, 30, 20, seed=7)
    assert np.array_equal(faces.images, raw.images)
    assert np.array_equal(faces.labels, raw.labels)


def test_splits_do_not_depend_on_each_others_size_and_share_no_face() -> None:
    short, long = draw_data_set(20, 30, 20), draw_data_set(80, 30, 20)
    assert np.array_equal(short.images[20:], long.images[80:])
    assert len(np.unique(long.images, axis=0)) == 130
    for split in range(3):
        assert len(np.unique(short.labels[short.splits == split])) == 7


def test_wrong_labels_are_planted_in_the_same_faces() -> None:
    true = draw_data_set(200, 100, 20)
    few, more = (draw_data_set(200, 100, 20, label_noise=share) for share in (0.05, 0.2))
    assert np.array_equal(true.images, more.images)
    wrong = [each.labels != true.labels for each in (few, more)]
    assert [[int(each[true.splits == split].sum()) for split in range(3)] for each in wrong] == [
        [10, 5, 0],
        [40, 20, 0],
    ]
    assert not np.any(wrong[0] & ~wrong[1])
    assert np.array_equal(few.labels[wrong[0]], more.labels[wrong[0]])
    assert not np.array_equal(np.flatnonzero(wrong[1][:200]) % 100, np.flatnonzero(wrong[1][200:300]))
    assert np.array_equal(more.labels, draw_data_set(200, 100, 20, label_noise=0.2).labels)
    assert more.notes == ("label_noise=0.2: 60 faces have a wrong label",)
    assert len(np.unique((more.labels - true.labels)[wrong[1]] % 7)) == 6


def test_cache_tells_every_parameter_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"n_train": 20, "n_val": 20, "n_test": 20, "cache_dir": tmp_path}
    changes = [{}, {"seed": 1}, {"image_size": 32}, {"ambiguous": 0.5}, {"noise": 0.0}, {"n_train": 21}]
    changes.append({"label_noise": 0.2})
    fingerprints = {synthetic_faces(**(sizes | change)).fingerprint for change in changes}
    assert len(fingerprints) == len(changes)
    # Opened again without drawing, unless the drawing has changed.
    monkeypatch.setattr(synthetic, "draw_data_set", lambda *_, **__: pytest.fail("drawn again"))
    assert synthetic_faces(**sizes).fingerprint in fingerprints
    monkeypatch.setattr(synthetic, "DRAWING_VERSION", 2)
    with pytest.raises(pytest.fail.Exception, match="drawn again"):
        synthetic_faces(**sizes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_train": 19}, r"data\.drawing\.n_train=19: expected a whole number from 20 to"),
        ({"n_val": 30.5}, r"data\.drawing\.n_val=30\.5: expected a whole number"),
        ({"image_size": 8}, r"data\.drawing\.image_size=8: expected a whole number from 16 to 1024"),
        ({"ambiguous": 1.2}, r"data\.drawing\.ambiguous=1\.2: expected a number from 0 to 1"),
        ({"noise": -0.1}, r"data\.drawing\.noise=-0\.1: expected a number from 0 to 10"),
        ({"noise": "much"}, r"data\.drawing\.noise=much: expected a number"),
        ({"image_size": 48.0}, r"data\.drawing\.image_size=48\.0: expected a whole number"),
        ({"noise": float("nan")}, r"data\.drawing\.noise=nan: expected"),
        (
            {"label_noise": 1.0},
            r"data\.drawing\.label_noise=1\.0: expected a number of at least 0 and below 1",
        ),
        ({"seed": -1}, r"data\.drawing\.seed=-1: expected a whole number of at least 0"),
    ],
)
def test_wrong_value_is_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        draw_data_set(**{"n_train": 20, "n_val": 20, "n_test": 20} | arguments)


def test_labels_can_be_learnt_but_not_from_pixels_alone() -> None:
    images, labels = draw_faces(900, 0)
    pixels = images[:, ::3, ::3].reshape(900, -1) / 255 - 0.5
    linear = LogisticRegression(max_iter=200).fit(pixels[:600], labels[:600])
    assert 0.3 < linear.score(pixels[600:], labels[600:]) < 0.6  # always "happy" scores 0.21
