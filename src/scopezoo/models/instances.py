"""Instance segmentation with StarDist: targets, loss, decoding and the validation score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as torch_f
from numpy.typing import NDArray
from torch import Tensor

from scopezoo.models.patches import Field, to_stride
from scopezoo.models.stardist import StarDist2d

BORDER_PX = 2
"""Objects are not looked for nearer to the image's border (`b` of `stardist_postprocessing`)."""


@dataclass(frozen=True)
class Thresholds:
    """Of the object probability, and of the overlap at which the less probable one is dropped."""

    probability: float
    overlap: float


def star_targets(labels: NDArray[np.int32], rays: int) -> NDArray[np.float32]:
    """Object probability, then distances in pixels: float32 (1 + rays, y, x).

    The probability is the distance to the object's edge over the object's largest such distance.
    """
    from stardist.geometry import star_dist
    from stardist.utils import edt_prob

    distances = star_dist(labels, rays).transpose(2, 0, 1)
    return np.concatenate([edt_prob(labels)[None], distances]).astype(np.float32)


def star_loss(
    logits: Tensor, distances: Tensor, targets: Tensor, distance_weight: float
) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy of the probability plus the distances' absolute error.

    The error is relative to the mean distance at that pixel, so that small objects count like
    large ones, and weighted by the probability, for it is near the centre that polygons start.
    """
    probability, wanted = targets[:, :1], targets[:, 1:]
    cross_entropy = torch_f.binary_cross_entropy_with_logits(logits, probability)
    error = (distances - wanted).abs().mean(1, keepdim=True) / (wanted.mean(1, keepdim=True) + 1)
    relative = (probability * error).sum() / (probability.sum() + 1)
    parts = {"probability": float(cross_entropy.detach()), "distance": float(relative.detach())}
    return cross_entropy + distance_weight * relative, parts


def predict_stars(network: StarDist2d, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network's output for a whole normalised image YX: float32 (y, x, 1 + rays).

    Sizes that are no multiple of the stride are reflected at the far edges and cropped after.
    """
    height, width = image.shape
    with torch.inference_mode():
        output = network(torch.from_numpy(to_stride(image, network.stride))[None, None])[0]
    return np.asarray(output[:height, :width].numpy())


@dataclass(frozen=True)
class StarPolygons:
    """Objects that were found: centres (n, 2) y and x, distances (n, rays), probabilities (n,)."""

    centres: NDArray[np.int64]
    distances: NDArray[np.float32]
    probabilities: NDArray[np.float32]

    def above(self, probability: float) -> StarPolygons:
        """Those that are more probable."""
        keep = self.probabilities > probability
        return StarPolygons(self.centres[keep], self.distances[keep], self.probabilities[keep])


def find_stars(stars: NDArray[np.float32], thresholds: Thresholds) -> StarPolygons:
    """Objects of a network's output (y, x, 1 + rays), the less probable of overlapping ones
    dropped."""
    from stardist import non_maximum_suppression

    centres, probabilities, distances = non_maximum_suppression(
        np.ascontiguousarray(stars[..., 1:]),
        np.ascontiguousarray(stars[..., 0]),
        grid=(1, 1),
        b=BORDER_PX,
        prob_thresh=thresholds.probability,
        nms_thresh=thresholds.overlap,
    )
    return StarPolygons(centres, distances, probabilities)


def render_stars(polygons: StarPolygons, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Labels YX from 1; where polygons overlap the more probable one is on top."""
    from stardist import polygons_to_label

    labels = polygons_to_label(
        polygons.distances, polygons.centres, prob=polygons.probabilities, shape=shape
    )
    return np.asarray(labels, dtype=np.int32)


def star_score(network: StarDist2d, fields: list[Field]) -> float:
    """Mean over IoU 0.5 to 0.9 of TP / (TP + FP + FN), at plain thresholds."""
    plain = Thresholds(probability=0.5, overlap=0.4)
    found = [
        render_stars(find_stars(predict_stars(network, field.image), plain), field.labels.shape)
        for field in fields
    ]
    return mean_precision(found, fields)


def mean_precision(found: list[NDArray[np.int32]], fields: list[Field]) -> float:
    """Mean over IoU 0.5 to 0.9 of TP / (TP + FP + FN) of the objects of all fields together."""
    from stardist.matching import matching_dataset

    truth = [field.labels for field in fields]
    overlaps = (0.5, 0.6, 0.7, 0.8, 0.9)
    matches = matching_dataset(truth, found, thresh=overlaps, show_progress=False, parallel=False)
    return float(np.mean([match.accuracy for match in matches]))
