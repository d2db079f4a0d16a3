"""A U-Net that tells background, inside and border of objects.

Ronneberger et al., MICCAI 2015, doi:10.1007/978-3-319-24574-4_28; three classes as of Caicedo et
al., Cytometry A 95, 952 (2019), doi:10.1002/cyto.a.23863.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from scopezoo.models.unet import UNet2d

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
