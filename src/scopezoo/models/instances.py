"""Instance segmentation with StarDist: loss, prediction of a whole image, validation score."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import torch
import torch.nn.functional as torch_f
from numpy.typing import NDArray
from torch import Tensor, nn

from scopezoo.models.patches import Field, to_stride
from scopezoo.models.star_shapes import StarShape, Thresholds
from scopezoo.models.stardist import StarDist2d
from scopezoo.models.stardist_3d import StarDist3d


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


def predict_stars(
    network: nn.Module, image: NDArray[np.float32], grid: tuple[int, ...]
) -> NDArray[np.float32]:
    """The output for a whole normalised image, YX or ZYX: float32 (cells of the grid …, 1 + rays).

    Sizes that are no multiple of the stride are reflected at the far edges and cropped after.
    """
    stride: int | tuple[int, ...] = cast(StarDist2d | StarDist3d, network).stride
    with torch.inference_mode():
        output = network(torch.from_numpy(to_stride(image, stride))[None, None])[0]
    cells = [math.ceil(size / step) for size, step in zip(image.shape, grid, strict=True)]
    return np.asarray(output[tuple(slice(0, count) for count in cells)].numpy())


def star_score(network: nn.Module, shape: StarShape, fields: list[Field]) -> float:
    """Mean over IoU 0.5 to 0.9 of TP / (TP + FP + FN), at plain thresholds."""
    plain = Thresholds(probability=0.5, overlap=0.4)
    found = [
        shape.render(
            shape.find(predict_stars(network, field.image, shape.grid), plain), field.labels.shape
        )
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
