"""A U-Net that tells background, inside and border of objects.

Ronneberger et al., MICCAI 2015, doi:10.1007/978-3-319-24574-4_28; three classes as of Caicedo et
al., Cytometry A 95, 952 (2019), doi:10.1002/cyto.a.23863.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from torch import Tensor, nn
import torch


class UNet2d(nn.Module):
    """Features at half resolution: (b, c, y, x) to (b, features, y/2, x/2).

    A strided convolution halves the grid, `channels` gives the width of each level below it, and
    y and x must be multiples of `stride`. Batch normalisation follows every convolution of 3×3 and
    folds into it once trained (Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28).
    """

    def __init__(self, in_channels: int, channels: Sequence[int], features: int) -> None:
        super().__init__()
        self.stride = 2 ** len(channels)
        self.stem = nn.Conv2d(in_channels, channels[0], kernel_size=4, stride=2, padding=1)
        self.down = nn.ModuleList([_convolution(channels[0], channels[0])])
        self.down.extend(
            nn.Sequential(nn.MaxPool2d(2), _convolution(above, here), _convolution(here, here))
            for above, here in pairwise(channels)
        )
        self.up = nn.ModuleList()
        self.merge = nn.ModuleList()
        for level in reversed(range(len(channels) - 1)):
            here = channels[level]
            self.up.append(nn.ConvTranspose2d(channels[level + 1], here, kernel_size=2, stride=2))
            out = features if level == 0 else here
            self.merge.append(nn.Sequential(_convolution(2 * here, here), _convolution(here, out)))

    def forward(self, image: Tensor) -> Tensor:
        """Features at half resolution of a normalised image."""
        features: Tensor = self.stem(image)
        skipped = []
        for down in self.down:
            features = down(features)
            skipped.append(features)
        skipped.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            features = merge(torch.cat([up(features), skipped.pop()], dim=1))
        return features


def _convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


CLASSES = ("background", "inside", "border")


class BorderUNet2d(nn.Module):
    """(b, 1, y, x), normalised, to probabilities of `CLASSES` (b, 3, y, x).

    y and x must be multiples of `stride`.
    """

    def __init__(self, channels: Sequence[int], features: int) -> None:
        super().__init__()
        self.trunk = UNet2d(1, channels, features)
        self.stride = self.trunk.stride
        self.head = nn.ConvTranspose2d(features, 3, kernel_size=2, stride=2)

    def raw(self, image: Tensor) -> Tensor:
        """Logits (b, 3, y, x)."""
        logits: Tensor = self.head(self.trunk(image))
        return logits

    def forward(self, image: Tensor) -> Tensor:
        """Probabilities."""
        return self.raw(image).softmax(dim=1)
