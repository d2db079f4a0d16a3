"""Instance segmentation by insides and borders: classes, loss, decoding and the validation score.

Caicedo et al., Cytometry A 95, 952 (2019), doi:10.1002/cyto.a.23863.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as torch_f
from numpy.typing import NDArray
from torch import Tensor

from scopezoo.models.border_unet import CLASSES, BorderUNet2d
from scopezoo.models.instances import mean_precision
from scopezoo.models.patches import Field, to_stride
from scopezoo.predict.instances import InstanceSettings, find_instances

SMALLEST_PX = 4
"""Smaller insides are taken for noise."""


def border_settings(inside_threshold: float, mask_threshold: float) -> InstanceSettings:
    """How the classes become objects."""
    return InstanceSettings("inside", "border", inside_threshold, mask_threshold, SMALLEST_PX)


PLAIN_SETTINGS = border_settings(0.5, 0.5)
"""Before the thresholds are tuned."""


def border_classes(labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """The number of its class for each pixel of a label image YX; the border is one pixel wide,
    and of the object."""
    from skimage.segmentation import find_boundaries

    classes = (labels > 0).astype(np.int64)
    edges = find_boundaries(labels, mode="inner")  # type: ignore[no-untyped-call]
    classes[edges] = CLASSES.index("border")
    return classes


def border_loss(logits: Tensor, classes: Tensor, border_weight: float) -> Tensor:
    """Cross-entropy in which errors at borders count `border_weight` times."""
    weights = torch.tensor([1.0, 1.0, border_weight], device=logits.device)
    return torch_f.cross_entropy(logits, classes, weight=weights)


def predict_classes(network: BorderUNet2d, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities (3, y, x) for a whole normalised image YX.

    Sizes that are no multiple of the stride are reflected at the far edges and cropped after.
    """
    height, width = image.shape
    with torch.inference_mode():
        output = network(torch.from_numpy(to_stride(image, network.stride))[None, None])[0]
    return np.asarray(output[:, :height, :width].numpy())


def objects_of_classes(
    classes: NDArray[np.float32], settings: InstanceSettings
) -> NDArray[np.int32]:
    """Labels YX of probabilities (3, y, x)."""
    _, inside, border = classes
    return find_instances(inside, border, settings)


def border_score(network: BorderUNet2d, fields: list[Field]) -> float:
    """Mean over IoU 0.5 to 0.9 of TP / (TP + FP + FN), at plain thresholds."""
    found = [
        objects_of_classes(predict_classes(network, field.image), PLAIN_SETTINGS)
        for field in fields
    ]
    return mean_precision(found, fields)
