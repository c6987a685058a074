"""Check saliency methods on a network: does the picture show what the network does?"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from fer_lightning.errors import DataError
from fer_lightning.explain.layers import convolutions
from fer_lightning.explain.saliency_methods import CONTROLS, METHODS, Method, attributions, make_method
from fer_lightning.explain.trust_checks.discrimination import class_similarity, other_classes
from fer_lightning.explain.trust_checks.estimate import Estimate, FaceBootstrap
from fer_lightning.explain.trust_checks.insertion import insertion_deletion
from fer_lightning.explain.trust_checks.randomization import redrawn_similarity
from fer_lightning.explain.trust_checks.trust_report import MethodTrust, TrustReport
from fer_lightning.explain.trust_checks.trust_rules import TrustRules
from fer_lightning.explain.trust_checks.trust_verdict import verdict
from fer_lightning.explain.undisturbed import device_of, undisturbed
from fer_lightning.messages import progress


def methods_for(model: nn.Module) -> list[str]:
    """Return the names of the methods that go with a network: Grad-CAM needs a convolution."""
    return [name for name in METHODS if name != "grad_cam" or convolutions(model)]


def check_trust(
    model: nn.Module,
    images: Tensor | np.ndarray,
    targets: Tensor | np.ndarray,
    methods: Sequence[str | Method] | None = None,
    rules: TrustRules | None = None,
    *,
    batch_size: int = 64,
    data: str = "",
    synthetic: bool = False,
) -> TrustReport:
    """Check saliency methods beside the controls ``random`` and ``sobel``; the model is left as it was.

    Parameters
    ----------
    model
        Levels float ``[N, C, H, W]`` to logits.
    images, targets
        ``[N, C, H, W]`` levels 0–255, and the class of each, int ``[N]``: faces that the model classifies correctly,
        such as `balanced_correct` picks.
    methods
        Names or methods; ``None`` is all that go with the network.
    rules
        Settings and thresholds.
    batch_size
        Faces in one pass.
    data, synthetic
        What the faces are, for the report.

    Raises
    ------
    ConfigError
        A method is unknown or does not go with the network.
    DataError
        There are fewer than two faces, or images and targets do not belong together.
    """
    rules = rules or TrustRules()
    faces, classes = torch.as_tensor(images), np.asarray(targets, dtype=np.int64)
    if len(faces) < 2 or classes.shape != (len(faces),):
        raise DataError(
            f"{len(faces)} faces and targets of shape {classes.shape}: expected at least 2, one target each"
        )
    others = other_classes(classes, count_classes(model, faces), rules.seed)
    asked = [make_method(method) for method in (methods_for(model) if methods is None else methods)]
    asked = [method for method in asked if method.name not in CONTROLS]
    scored = [
        (method, *_scores(model, faces, classes, others, method, rules, batch_size))
        for method in progress([*asked, *map(make_method, CONTROLS)], "methods checked")
    ]
    gains = {method.name: scores["faithfulness"] for method, scores, _ in scored}
    bootstrap = FaceBootstrap(len(faces), rules.confidence, rules.resamples, rules.seed)
    found = []
    for method, scores, seconds in scored:
        control = method.name in CONTROLS
        if not control:
            gain = scores["faithfulness"]
            scores |= {"over_edges": gain - gains["sobel"], "over_random": gain - gains["random"]}
        checks: dict[str, Estimate] = {check: bootstrap.estimate(values) for check, values in scores.items()}
        word = verdict(checks, rules, len(faces), control=control)
        found.append(MethodTrust(method.name, method.settings, checks, word, scores, seconds))
    return TrustReport(tuple(found), rules, len(faces), data, synthetic)


def _scores(
    model: nn.Module,
    images: Tensor,
    targets: np.ndarray,
    others: np.ndarray,
    method: Method,
    rules: TrustRules,
    batch_size: int,
) -> tuple[dict[str, np.ndarray], float]:
    """Return one value a face and check, and the seconds it took."""
    begin = time.perf_counter()
    found = attributions(model, images, targets, method, batch_size=batch_size, seed=rules.seed)
    curves = insertion_deletion(
        model,
        images,
        targets,
        found.maps,
        fill=rules.fill,
        steps=rules.steps,
        score=rules.score,
        batch_size=batch_size,
        seed=rules.seed,
    )
    scores = {
        "faithfulness": curves.gain,
        "redrawn": redrawn_similarity(
            model,
            images,
            found,
            method,
            redraws=rules.redraws,
            kind=rules.similarity,
            batch_size=batch_size,
            seed=rules.seed,
        ),
        "other_class": class_similarity(
            model,
            images,
            found,
            method,
            others,
            kind=rules.similarity,
            batch_size=batch_size,
            seed=rules.seed,
        ),
    }
    if found.completeness_error is not None and found.difference is not None:
        # Of the mean change: a single face's may be next to nothing and its share of it anything.
        scale = max(float(np.abs(found.difference).mean()), 1e-12)
        scores["completeness"] = np.abs(found.completeness_error).astype(np.float64) / scale
    return scores, time.perf_counter() - begin


def count_classes(model: nn.Module, images: Tensor) -> int:
    """Return how many logits a network gives for levels ``[N, C, H, W]``; it is left as it was."""
    device = device_of(model)
    with undisturbed(model), torch.no_grad():
        return int(model(images[:1].to(device).float()).shape[1])
