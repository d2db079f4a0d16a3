"""A conditional GAN in torch: from a label image to an image like one of a microscope.

Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017,
doi:10.1109/CVPR.2017.632. What is random there is in the label image here (see
`scopezoo.models.looks`), so the same label image always gives the same image.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as torch_f
from torch import Tensor, nn

from scopezoo.models.unet import UNet2d

FEATURES_OF_LABELS = 5
FEATURES = FEATURES_OF_LABELS + 1
"""With the chance that texture is made from, last."""
BRIGHTNESS_LEVELS = 8.0
BRIGHTNESS_STEP = 5.0
UNEVENNESS_LEVELS = 4.0
DEPTH_PX = 8
"""Distances to the edge are told up to here; what is deeper the network sees by itself."""


class Pix2PixGenerator2d(nn.Module):
    """Label image (b, 1, y, x), 0 is background, to grey levels (b, 1, y, x).

    0 and 1 are percentiles of the images that it learned from. y and x must be multiples of
    `stride`. The trunk runs at half the resolution; the head sees the labels' edges again.
    """

    def __init__(self, channels: Sequence[int], features: int) -> None:
        super().__init__()
        self.trunk = UNet2d(FEATURES, channels, features)
        self.stride = self.trunk.stride
        self.rise = nn.ConvTranspose2d(features, features, kernel_size=2, stride=2)
        self.head = nn.Sequential(
            nn.Conv2d(features + FEATURES, features, kernel_size=3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(features, 1, kernel_size=3, padding=1),
        )

    def forward(self, labels: Tensor) -> Tensor:
        """Grey levels for a label image."""
        return self.from_features(label_features(labels))

    def from_features(self, told: Tensor) -> Tensor:
        """Grey levels for what `label_features` tells of a label image."""
        found: Tensor = self.head(torch.cat([self.rise(self.trunk(told)), told], dim=1))
        return found


def label_features(labels: Tensor) -> Tensor:
    """(b, 1, y, x) to (b, 6, y, x).

    Inside, edge (with touching nuclei apart), depth below the edge, brightness and unevenness, all
    0 to 1; then what a pixel has beside a whole number, -1 to 1.
    """
    given = labels.float()
    labels = given.round()
    chance = 2 * (given - labels)
    inside = (labels > 0.5).float()
    highest = torch_f.max_pool2d(labels, kernel_size=3, stride=1, padding=1)
    lowest = -torch_f.max_pool2d(-labels, kernel_size=3, stride=1, padding=1)
    edge = inside * (highest - lowest > 0.5).float()
    core = inside - edge
    depth = torch.zeros_like(core)
    for _ in range(DEPTH_PX):
        depth = depth + core / DEPTH_PX
        core = -torch_f.max_pool2d(-core, kernel_size=3, stride=1, padding=1)
    look = labels - 1
    brightness = _modulo(BRIGHTNESS_STEP * look, BRIGHTNESS_LEVELS) / (BRIGHTNESS_LEVELS - 1)
    group = torch.floor(look / BRIGHTNESS_LEVELS)
    unevenness = _modulo(group, UNEVENNESS_LEVELS) / (UNEVENNESS_LEVELS - 1)
    looks = [inside * brightness, inside * unevenness]
    return torch.cat([inside, edge, depth, *looks, chance], dim=1)


def _modulo(number: Tensor, of: float) -> Tensor:
    return number - of * torch.floor(number / of)
