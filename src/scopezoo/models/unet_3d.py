"""A compact 3D U-Net whose trunk runs on a coarse grid, coarser in the plane than along z."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

STEM_CHANNELS = 24


class UNet3d(nn.Module):
    """Features on a coarse grid: (b, 1, z, y, x) to (b, features, z/2, y/4, x/4).

    Two strided convolutions lead to the grid, `channels` gives the width of each level below it,
    each of half the resolution of the one above in y and x; z, y and x must be multiples of
    `stride`. Along z the grid stays, for stacks are shallow. Batch normalisation follows every
    convolution of 3×3×3 and folds into it once trained (Çiçek et al. 2016,
    doi:10.1007/978-3-319-46723-8_49).
    """

    def __init__(self, channels: Sequence[int], features: int) -> None:
        super().__init__()
        in_plane = 4 * 2 ** (len(channels) - 1)
        self.stride = (2, in_plane, in_plane)
        self.stem = nn.Sequential(
            nn.Conv3d(1, STEM_CHANNELS, kernel_size=4, stride=2, padding=1),
            nn.ReLU(inplace=True),
            _convolution_3d(STEM_CHANNELS, STEM_CHANNELS),
            nn.Conv3d(STEM_CHANNELS, channels[0], (3, 4, 4), stride=(1, 2, 2), padding=1),
        )
        self.down = nn.ModuleList([_convolution_3d(channels[0], channels[0])])
        self.down.extend(
            nn.Sequential(
                nn.MaxPool3d((1, 2, 2)),
                _convolution_3d(above, here),
                _convolution_3d(here, here),
                _convolution_3d(here, here),
            )
            for above, here in pairwise(channels)
        )
        self.up = nn.ModuleList()
        self.merge = nn.ModuleList()
        for level in reversed(range(len(channels) - 1)):
            here = channels[level]
            self.up.append(
                nn.ConvTranspose3d(channels[level + 1], here, (1, 2, 2), stride=(1, 2, 2))
            )
            out = features if level == 0 else here
            self.merge.append(
                nn.Sequential(_convolution_3d(2 * here, here), _convolution_3d(here, out))
            )

    def forward(self, image: Tensor) -> Tensor:
        """Features of a normalised stack."""
        features: Tensor = self.stem(image)
        skipped = []
        for down in self.down:
            features = down(features)
            skipped.append(features)
        skipped.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            features = merge(torch.cat([up(features), skipped.pop()], dim=1))
        return features


def _convolution_3d(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm3d(out_channels),
        nn.ReLU(inplace=True),
    )
