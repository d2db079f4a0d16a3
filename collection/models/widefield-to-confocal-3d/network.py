"""A 2.5D U-Net: every plane of the output is made from some planes of the input around it.

Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28, in each plane, from features of a first
convolution over the neighbouring planes: on a CPU it learns many times faster than a 3D U-Net.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from torch import Tensor, nn
import torch
import torch.nn.functional as torch_f


class SlicesUNet3d(nn.Module):
    """(b, 1, z, y, x), normalised, to the same shape.

    The input is not added to the output: what the network then has to learn is to subtract its
    noise, and the rest of that stays in places that are dark.

    A strided convolution halves y and x, `channels` gives the width of each level below. z is free,
    y and x must be multiples of `stride`. Beyond the first and last plane there are copies of them.
    """

    def __init__(self, channels: Sequence[int], slices: int) -> None:
        super().__init__()
        self.stride = 2 ** len(channels)
        self.margin = slices // 2
        self.stem = nn.Sequential(
            nn.Conv3d(1, channels[0], (slices, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1)),
            nn.ReLU(inplace=True),
        )
        self.down = nn.ModuleList([_planewise(channels[0], channels[0])])
        self.down.extend(
            nn.Sequential(nn.MaxPool3d((1, 2, 2)), _planewise(above, here), _planewise(here, here))
            for above, here in pairwise(channels)
        )
        self.up = nn.ModuleList()
        self.merge = nn.ModuleList()
        for here, below in reversed(list(pairwise(channels))):
            self.up.append(nn.ConvTranspose3d(below, here, (1, 2, 2), stride=(1, 2, 2)))
            self.merge.append(nn.Sequential(_planewise(2 * here, here), _planewise(here, here)))
        self.head = nn.ConvTranspose3d(channels[0], 1, (1, 4, 4), (1, 2, 2), padding=(0, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """The restored stack, plane for plane."""
        margin = self.margin
        return self.inner_planes(torch_f.pad(image, (0, 0, 0, 0, margin, margin), "replicate"))

    def inner_planes(self, image: Tensor) -> Tensor:
        """The restored planes that have all their neighbours: 2 · `margin` fewer."""
        features: Tensor = self.stem(image)
        skipped = []
        for down in self.down:
            features = down(features)
            skipped.append(features)
        skipped.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            features = merge(torch.cat([up(features), skipped.pop()], dim=1))
        restored: Tensor = self.head(features)
        return restored


def _planewise(in_channels: int, out_channels: int) -> nn.Sequential:
    """A 3×3 convolution in each plane."""
    return nn.Sequential(
        nn.Conv3d(in_channels, out_channels, (1, 3, 3), padding=(0, 1, 1), bias=False),
        nn.BatchNorm3d(out_channels),
        nn.ReLU(inplace=True),
    )
