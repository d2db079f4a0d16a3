"""The critic of a conditional GAN, and what is trained together.

The critic judges small patches (Isola et al. 2017, doi:10.1109/CVPR.2017.632) by the squared error
of its scores (Mao et al. 2017, doi:10.1109/ICCV.2017.304).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from scopezoo.models.pix2pix import FEATURES_OF_LABELS, Pix2PixGenerator2d, label_features


class Attempt(NamedTuple):
    """What the generator made without texture (b, 1, y, x), and scores of the critic (b, 1, y, x).

    `of_real` and `of_made` teach the critic alone, `for_maker` the generator alone.
    """

    smooth: Tensor
    of_real: Tensor
    of_made: Tensor
    for_maker: Tensor


class Critic2d(nn.Module):
    """Features of labels (b, 5, y, x) and grey levels (b, 1, y, x) to scores of patches.

    1 is real, 0 made.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(FEATURES_OF_LABELS + 1, channels[0], kernel_size=4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        for above, here in pairwise(channels):
            layers += [
                nn.Conv2d(above, here, kernel_size=4, stride=2, padding=1),
                nn.InstanceNorm2d(here, affine=True),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        layers.append(nn.Conv2d(channels[-1], 1, kernel_size=3, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, told: Tensor, image: Tensor) -> Tensor:
        found: Tensor = self.layers(torch.cat([told, image], dim=1))
        return found


class AdversarialPair(nn.Module):
    """A generator and its critic, which one optimiser trains at once.

    No gradient of the one's loss reaches the other: the critic sees images cut off from their
    generator, and the generator a critic cut off from its weights.
    """

    def __init__(self, generator: Pix2PixGenerator2d, critic: Critic2d) -> None:
        super().__init__()
        self.generator = generator
        self.critic = critic

    def forward(self, labels: Tensor, real: Tensor, noise: Tensor) -> Attempt:
        """All (b, 1, y, x); `noise` is added to what is made, as a camera's is in `real`."""
        told = label_features(labels)
        smooth, texture = self.generator.parts(labels, told)
        noisy = smooth + texture + noise
        fixed = {name: weight.detach() for name, weight in self.critic.named_parameters()}
        return Attempt(
            smooth,
            self.critic(told, real),
            self.critic(told, noisy.detach()),
            functional_call(self.critic, fixed, (told, noisy)),
        )
