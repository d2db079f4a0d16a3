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
BRIGHTNESS_LEVELS = 8.0
BRIGHTNESS_STEP = 5.0
UNEVENNESS_LEVELS = 4.0
DEPTH_PX = 8
"""Distances to the edge are told up to here; what is deeper the network sees by itself."""
GRAIN_SIGMAS_PX = (0.7, 1.4, 2.8)
"""Gaussians that the kernels of texture are before they are trained."""
GRAIN_PX = 13


class Pix2PixGenerator2d(nn.Module):
    """Label image (b, 1, y, x), 0 is background, to grey levels (b, 1, y, x).

    0 and 1 are percentiles of the images that it learned from. y and x must be multiples of
    `stride`. A trunk at half the resolution, and a head that sees the labels' edges again, say how
    bright a pixel is and how much of each kind of texture is on it; textures are chance, filtered.
    """

    def __init__(self, channels: Sequence[int], features: int) -> None:
        super().__init__()
        self.trunk = UNet2d(FEATURES_OF_LABELS, channels, features)
        self.stride = self.trunk.stride
        self.rise = nn.ConvTranspose2d(features, features, kernel_size=2, stride=2)
        self.head = nn.Sequential(
            nn.Conv2d(features + FEATURES_OF_LABELS, features, kernel_size=3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(features, 1 + len(GRAIN_SIGMAS_PX), kernel_size=3, padding=1),
        )
        self.grain = nn.Conv2d(1, len(GRAIN_SIGMAS_PX), GRAIN_PX, padding=GRAIN_PX // 2, bias=False)
        with torch.no_grad():
            self.grain.weight.copy_(gaussians())

    def forward(self, labels: Tensor) -> Tensor:
        """Grey levels for a label image."""
        smooth, texture = self.parts(labels, label_features(labels))
        return smooth + texture

    def parts(self, labels: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """What adds up to the grey levels: smooth nuclei, and texture; `told` is of the labels."""
        found = self.head(torch.cat([self.rise(self.trunk(told)), told], dim=1))
        labels = labels.float()
        texture = found[:, 1:] * self.grain(labels - labels.round())
        return found[:, :1], texture.sum(dim=1, keepdim=True)


def gaussians() -> Tensor:
    """Kernels (n, 1, y, x) that leave chance its variance."""
    along = torch.arange(GRAIN_PX) - GRAIN_PX // 2
    squared = (along[:, None] ** 2 + along**2).float()
    kernels = torch.stack([torch.exp(-squared / (2 * sigma**2)) for sigma in GRAIN_SIGMAS_PX])
    return (kernels / kernels.square().sum(dim=(1, 2), keepdim=True).sqrt())[:, None]


def label_features(labels: Tensor) -> Tensor:
    """(b, 1, y, x) to (b, 5, y, x), all 0 to 1.

    Inside, edge (with touching nuclei apart), depth below the edge, brightness and unevenness.
    """
    labels = labels.float().round()
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
    return torch.cat([inside, edge, depth, inside * brightness, inside * unevenness], dim=1)


def _modulo(number: Tensor, of: float) -> Tensor:
    return number - of * torch.floor(number / of)
