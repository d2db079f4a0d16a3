"""StarDist in torch: object probability and radial distances for every pixel.

Schmidt et al., "Cell Detection with Star-Convex Polygons", MICCAI 2018,
doi:10.1007/978-3-030-00934-2_30.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scopezoo.models.unet import UNet2d

DISTANCE_SCALE_PX = 10.0
"""The head works in units of this many pixels; without it polygons stay round for long."""
MIN_DISTANCE_PX = 1e-3


class StarDist2d(nn.Module):
    """(b, 1, y, x), normalised, to (b, y, x, 1 + rays): probability, then distances in pixels.

    The channel-last form on the input's own grid is what `stardist_postprocessing` of the
    BioImage Model Zoo expects. y and x must be multiples of `stride`.
    """

    def __init__(self, channels: Sequence[int], features: int, rays: int) -> None:
        super().__init__()
        self.rays = rays
        self.trunk = UNet2d(1, channels, features)
        self.stride = self.trunk.stride
        self.head = nn.ConvTranspose2d(features, 1 + rays, kernel_size=2, stride=2)

    def raw(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the probability (b, 1, y, x) and distances in pixels (b, rays, y, x)."""
        logits, distances = self.head(self.trunk(image)).split([1, self.rays], dim=1)
        return logits, distances * DISTANCE_SCALE_PX

    def forward(self, image: Tensor) -> Tensor:
        """Probability and distances, channel-last."""
        logits, distances = self.raw(image)
        output = torch.cat([logits.sigmoid(), distances.clamp(min=MIN_DISTANCE_PX)], dim=1)
        return output.permute(0, 2, 3, 1)
