"""LIME: which superpixels of a face speak for and against each class (Ribeiro, Singh & Guestrin 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from scipy.stats import spearmanr
from skimage.segmentation import slic
from torch import Tensor, nn

from fer_lightning.config.values import Count, CountOrZero, NotNegative, Positive, checked
from fer_lightning.data.picture_arrays import as_pictures
from fer_lightning.errors import DataError
from fer_lightning.explain.fill import Fill, fill_words, filled
from fer_lightning.explain.undisturbed import device_of, undisturbed

Target = Literal["probability", "logit"]
Several = Annotated[int, Field(ge=2)]


@dataclass(frozen=True, eq=False)
class LimeExplanation:
    """The local linear model of one face.

    Attributes
    ----------
    image
        Levels 0–255, float32 ``[H, W]`` or ``[H, W, 3]``.
    segments
        int64 ``[H, W]``: the superpixel of each pixel, 0 to S - 1.
    weights
        float64 ``[C, S]``: what showing a superpixel adds to each class's probability (or logit); the mean of two
        independent draws of coverings.
    r2
        float64 ``[C]``: share of the variance over coverings that the linear model explains, weighted as the fit.
    stability
        float64 ``[C]``: Spearman's rank correlation of the two draws' weights; NaN where they are all alike.
    probabilities
        float64 ``[C]`` of the uncovered face.
    fill, target, samples
        What covered the superpixels, what was explained, and the coverings of each draw.
    """

    image: np.ndarray
    segments: np.ndarray
    weights: np.ndarray
    r2: np.ndarray
    stability: np.ndarray
    probabilities: np.ndarray
    fill: str
    target: str
    samples: int

    def map(self, label: int) -> np.ndarray:
        """Return each pixel's weight for class ``label``, float64 ``[H, W]``."""
        return np.asarray(self.weights[label][self.segments])


class Lime:
    """Covers random superpixels of a face and fits a weighted ridge regression to what the network says.

    All classes come from the same passes. It agrees with the ``lime`` package as well as that agrees with itself
    under another seed, and keeps small weights, which a Lasso sets to zero.

    Parameters
    ----------
    superpixels
        About how many; SLIC (Achanta et al. 2012) decides.
    compactness
        SLIC's trade of squareness against even grey or colour, for levels in [0, 1]; a colour's distance is the
        root mean square over its channels.
    samples_per_superpixel
        Coverings of each of the two draws, times the number of superpixels.
    fill
        What covers a superpixel: ``mean``, ``blur``, ``black``, or a grey level.
    target
        ``probability`` or ``logit``.
    ridge
        Penalty on the squared weights, not on the intercept.
    kernel_width
        A covering at cosine distance d from the whole face counts exp(-d² / width²).
    seed
        Of the coverings.
    batch_size
        Pictures in one pass.
    """

    @checked("lime.")
    def __init__(
        self,
        superpixels: Several = 40,
        compactness: Positive = 0.1,
        samples_per_superpixel: Several = 30,
        fill: Fill = "mean",
        target: Target = "probability",
        ridge: NotNegative = 1.0,
        kernel_width: Positive = 0.25,
        seed: CountOrZero = 0,
        batch_size: Count = 128,
    ) -> None:
        self.superpixels, self.compactness = superpixels, compactness
        self.samples_per_superpixel, self.fill, self.target = samples_per_superpixel, fill, target
        self.ridge, self.kernel_width, self.seed, self.batch_size = ridge, kernel_width, seed, batch_size

    def __call__(self, model: nn.Module, image: Tensor) -> LimeExplanation:
        """Explain one face, levels 0–255 ``[1, H, W]`` or ``[3, H, W]``; ``model`` is left as it was.

        Raises
        ------
        DataError
            It is no single picture, grey or colour.
        """
        if image.ndim != 3 or image.shape[0] not in (1, 3):
            raise DataError(f"a picture of shape {tuple(image.shape)}: expected [1, H, W] or [3, H, W]")
        picture = as_pictures(image.detach()[None].float().cpu())[0]
        segments = self.segment(picture)
        samples = self.samples_per_superpixel * int(segments.max() + 1)
        fits = []
        with torch.no_grad(), undisturbed(model):
            whole = self._outputs(model, image, segments, np.ones((1, int(segments.max()) + 1), bool))[1][0]
            for draw in range(2):
                shown = np.random.default_rng([self.seed, draw]).random((samples, segments.max() + 1)) < 0.5
                shown[0] = True
                fits.append(self._fit(shown, self._outputs(model, image, segments, shown)[0]))
        (one, r2_one), (other, r2_other) = fits
        return LimeExplanation(
            image=picture,
            segments=segments,
            weights=(one + other) / 2,
            r2=(r2_one + r2_other) / 2,
            stability=np.array([_rank_correlation(a, b) for a, b in zip(one, other, strict=True)]),
            probabilities=whole,
            fill=fill_words(self.fill),
            target=self.target,
            samples=samples,
        )

    def segment(self, picture: np.ndarray) -> np.ndarray:
        """Return the superpixels of a picture ``[H, W]`` or ``[H, W, 3]``, int64 ``[H, W]``, numbered without gaps."""
        colour = picture.ndim == 3
        found = slic(
            picture / 255,
            self.superpixels,
            # SLIC adds up squared distances over channels: so three equal ones count as one.
            self.compactness * (3**0.5 if colour else 1),
            sigma=1,
            convert2lab=False,
            channel_axis=-1 if colour else None,
            start_label=0,
        )
        return np.unique(found, return_inverse=True)[1].reshape(picture.shape[:2])

    def _outputs(
        self, model: nn.Module, image: Tensor, segments: np.ndarray, shown: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the target and the probabilities, float64 ``[n, C]`` each, for coverings ``shown`` [n, S]."""
        device = device_of(model)
        picture = image.float().to(device)[None]
        cover = filled(picture, self.fill)
        places, shown_here = torch.from_numpy(segments).to(device), torch.from_numpy(shown).to(device)
        logits = torch.cat(
            [
                model(torch.where(part[:, places][:, None], picture, cover)).double()
                for part in shown_here.split(self.batch_size)
            ]
        )
        probabilities = logits.softmax(1).cpu().numpy()
        return (probabilities if self.target == "probability" else logits.cpu().numpy()), probabilities

    def _fit(self, shown: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return weights ``[C, S]`` and R² ``[C]`` of the weighted ridge regression of outputs ``[n, C]``."""
        x = shown.astype(np.float64)
        distance = 1 - np.sqrt(x.mean(axis=1))  # cosine distance to the whole face
        w = np.exp(-((distance / self.kernel_width) ** 2))[:, None]
        x_centred = x - (w * x).sum(0) / w.sum()
        y_centred = outputs - (w * outputs).sum(0) / w.sum()
        gram = x_centred.T @ (w * x_centred) + self.ridge * np.eye(x.shape[1])
        weights = np.linalg.lstsq(gram, x_centred.T @ (w * y_centred), rcond=None)[0]
        left = (w * (y_centred - x_centred @ weights) ** 2).sum(0)
        whole = (w * y_centred**2).sum(0)
        # A class that no covering moves is explained in full by a model that says so.
        return weights.T, 1 - np.divide(left, whole, out=np.zeros_like(left), where=whole > 1e-20)


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    if min(np.ptp(one), np.ptp(other)) < 1e-12:  # rounding noise has ranks, but they mean nothing
        return float("nan")
    return float(spearmanr(one, other).statistic)
