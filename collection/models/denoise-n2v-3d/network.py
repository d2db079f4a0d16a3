"""U-Nets at full resolution whose convolutions lie in the plane, for planes and for stacks.

Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28, without batch normalisation, for grey
levels matter here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from torch import Tensor, nn
import torch
import torch.nn.functional as torch_f


LEAK = 0.1


class PlanesUNet2d(nn.Module):
    """(b, 1, y, x), normalised, to the same shape; y and x must be multiples of `stride`.

    `channels` gives the width of each level, each of half the resolution of the one above. With
    `residual` it learns what to add to the input.
    """

    margin = 0

    def __init__(self, channels: Sequence[int], residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.stride = 2 ** (len(channels) - 1)
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels[0], kernel_size=3, padding=1),
            nn.LeakyReLU(LEAK, inplace=True),
            _convolution(channels[0], channels[0]),
        )
        self.down = nn.ModuleList(
            nn.Sequential(nn.MaxPool2d(2), _convolution(above, here), _convolution(here, here))
            for above, here in pairwise(channels)
        )
        self.up = nn.ModuleList()
        self.merge = nn.ModuleList()
        for here, below in reversed(list(pairwise(channels))):
            self.up.append(nn.ConvTranspose2d(below, here, kernel_size=2, stride=2))
            self.merge.append(nn.Sequential(_convolution(2 * here, here), _convolution(here, here)))
        self.head = nn.Conv2d(channels[0], 1, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        """What the image becomes."""
        return self.inner_planes(image)

    def inner_planes(self, image: Tensor) -> Tensor:
        """The same: a plane has no neighbours."""
        features: Tensor = self.stem(image)
        skipped = []
        for down in self.down:
            skipped.append(features)
            features = down(features)
        for up, merge in zip(self.up, self.merge, strict=True):
            features = merge(torch.cat([up(features), skipped.pop()], dim=1))
        found: Tensor = self.head(features)
        return found + image if self.residual else found


class PlanesUNet3d(nn.Module):
    """(b, 1, z, y, x), normalised, to the same shape.

    Each plane is made from itself and `neighbours` on either side; beyond the first and last plane
    there are copies of them. y and x must be multiples of `stride`, z is free.
    """

    def __init__(self, channels: Sequence[int], neighbours: int, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.stride = 2 ** (len(channels) - 1)
        self.margin = neighbours
        self.stem = nn.Sequential(
            nn.Conv3d(1, channels[0], (2 * neighbours + 1, 3, 3), padding=(0, 1, 1)),
            nn.LeakyReLU(LEAK, inplace=True),
            _planewise(channels[0], channels[0]),
        )
        self.down = nn.ModuleList(
            nn.Sequential(nn.MaxPool3d((1, 2, 2)), _planewise(above, here), _planewise(here, here))
            for above, here in pairwise(channels)
        )
        self.up = nn.ModuleList()
        self.merge = nn.ModuleList()
        for here, below in reversed(list(pairwise(channels))):
            self.up.append(nn.ConvTranspose3d(below, here, (1, 2, 2), stride=(1, 2, 2)))
            self.merge.append(nn.Sequential(_planewise(2 * here, here), _planewise(here, here)))
        self.head = nn.Conv3d(channels[0], 1, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        """What the stack becomes, plane for plane."""
        margin = self.margin
        return self.inner_planes(torch_f.pad(image, (0, 0, 0, 0, margin, margin), "replicate"))

    def inner_planes(self, image: Tensor) -> Tensor:
        """The planes that have all their neighbours: 2 · `margin` fewer."""
        features: Tensor = self.stem(image)
        skipped = []
        for down in self.down:
            skipped.append(features)
            features = down(features)
        for up, merge in zip(self.up, self.merge, strict=True):
            features = merge(torch.cat([up(features), skipped.pop()], dim=1))
        found: Tensor = self.head(features)
        # Counted from the front: tracing turns a negative end into a number of the example.
        return found + image.narrow(2, self.margin, found.shape[2]) if self.residual else found


def _convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1),
        nn.LeakyReLU(LEAK, inplace=True),
    )


def _planewise(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(in_channels, out_channels, (1, 3, 3), padding=(0, 1, 1)),
        nn.LeakyReLU(LEAK, inplace=True),
    )
