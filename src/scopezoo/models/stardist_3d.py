"""StarDist 3D in torch: object probability and radial distances on a coarse grid.

Weigert et al., "Star-convex Polyhedra for 3D Object Detection and Segmentation in Microscopy",
WACV 2020, doi:10.1109/WACV45572.2020.9093435.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scopezoo.models.unet_3d import UNet3d

DISTANCE_SCALE_PX = 10.0
"""The head works in units of this many voxels; without it polyhedra stay round for long."""
MIN_DISTANCE_PX = 1e-3


class StarDist3d(nn.Module):
    """(b, 1, z, y, x), normalised, to (b, z/2, y/4, x/4, 1 + rays): probability, then distances.

    Cell (i, j, k) of the output is voxel (2i, 4j, 4k) of the stack, distances are in voxels of the
    stack: what `stardist_postprocessing` of the BioImage Model Zoo expects with this grid. z, y
    and x must be multiples of `stride`.
    """

    grid = (2, 4, 4)

    def __init__(self, channels: Sequence[int], features: int, rays: int) -> None:
        super().__init__()
        self.rays = rays
        self.trunk = UNet3d(channels, features)
        self.stride = self.trunk.stride
        self.head = nn.Conv3d(features, 1 + rays, kernel_size=1)

    def raw(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the probability (b, 1, …) and distances in voxels (b, rays, …) on the grid."""
        logits, distances = self.head(self.trunk(image)).split([1, self.rays], dim=1)
        return logits, distances * DISTANCE_SCALE_PX

    def forward(self, image: Tensor) -> Tensor:
        """Probability and distances, channel-last."""
        logits, distances = self.raw(image)
        output = torch.cat([logits.sigmoid(), distances.clamp(min=MIN_DISTANCE_PX)], dim=1)
        return output.permute(0, 2, 3, 4, 1)
