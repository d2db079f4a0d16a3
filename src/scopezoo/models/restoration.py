"""Training of networks that make one microscope's image into another's."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scopezoo.models.fidelity import psnr_db, scaled_to
from scopezoo.models.pairs import PairSource, as_registered, with_fields_centred
from scopezoo.models.recipe import PairAugmentation, RestorationRecipe
from scopezoo.models.slices import SlicesUNet3d

VALIDATION_PATCHES = 160
"""Fewer do not tell one look from the next: their noise is most of the score."""
VALIDATION_SEED = 1
BORDER_FRACTION = 0.2
"""Of the patches that end in a stack's first or last plane, with copies of it beyond."""


class RestorationTask:
    """Patches of registered pairs, read as they are needed; see `scopezoo.models.task.Task`."""

    score_name = "PSNR in dB"
    layout = torch.channels_last_3d

    def __init__(self, recipe: RestorationRecipe, data: Path) -> None:
        plan = recipe.training
        self.recipe = recipe
        self.margin = recipe.network.slices // 2
        self.loss_function = nn.L1Loss() if plan.loss == "l1" else nn.MSELoss()
        size = (plan.planes + 2 * self.margin, plan.patch_px, plan.patch_px)
        aligned = as_registered if recipe.data.registered else with_fields_centred
        self.source = PairSource(data, "training", recipe.normalisation, aligned)
        self.patches = self.source.patches(size, plan.seed, plan.foreground)
        check = PairSource(data, "validation", recipe.normalisation, aligned)
        checked = check.patches(size, VALIDATION_SEED, plan.foreground)
        self.check = [check.normalised(checked[n]) for n in range(VALIDATION_PATCHES)]

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Sources (b, 1, z, y, x) and targets (b, 1, fewer z, y, x), normalised."""
        plan = self.recipe.training
        numbers = rng.integers(2**62, size=plan.batch)
        drawn = [self.source.normalised(self.patches[int(number)]) for number in numbers]
        varied = [vary(*pair, self.margin, plan.augmentation, rng) for pair in drawn]
        sources, targets = (np.stack([pair[i][None] for pair in varied]) for i in (0, 1))
        return torch.from_numpy(sources), torch.from_numpy(targets)

    def run(self, network: nn.Module, images: Tensor) -> Tensor:
        return cast(SlicesUNet3d, network).inner_planes(images)

    def loss(self, output: Tensor, wanted: Tensor) -> tuple[Tensor, dict[str, float]]:
        return self.loss_function(output.float(), wanted), {}

    def score(self, network: nn.Module) -> float:
        """Mean PSNR over fixed patches, scale and offset matched; 1 is the target's high level."""
        scores = []
        for source, target in self.check:
            with torch.inference_mode():
                given = torch.from_numpy(source)[None, None]
                found = self.run(network, given)[0, 0].numpy()
            wanted = inner_planes(target, self.margin)
            scores.append(psnr_db(scaled_to(found, wanted), wanted, data_range=1.0))
        return float(np.mean(scores))


def vary(
    source: NDArray[np.float32],
    target: NDArray[np.float32],
    margin: int,
    how: PairAugmentation,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A pair of patches ZYX, mirrored, turned and varied; the target without `margin` planes."""
    turns, mirrors = int(rng.integers(4)), rng.integers(2, size=2)
    gain = np.exp(rng.uniform(*np.log(how.gain)))

    def turned(patch: NDArray[np.float32]) -> NDArray[np.float32]:
        patch = np.rot90(patch, turns, axes=(1, 2))
        return patch[:: -1 if mirrors[0] else 1, :: -1 if mirrors[1] else 1] * np.float32(gain)

    source, target = turned(source), inner_planes(turned(target), margin)
    if rng.random() < BORDER_FRACTION:
        source = with_border(source, int(rng.integers(1, margin + 1)), at_end=bool(rng.integers(2)))
    if rng.random() < 0.5:
        noise = rng.normal(0, rng.uniform(*how.noise), source.shape)
        source = source + noise.astype(np.float32)
    return np.ascontiguousarray(source), np.ascontiguousarray(target)


def with_border(stack: NDArray[np.float32], planes: int, *, at_end: bool) -> NDArray[np.float32]:
    """The stack as if its first (or last) planes were beyond the image: copies of the next one."""
    changed = stack.copy()
    if at_end:
        changed[len(stack) - planes :] = stack[len(stack) - planes - 1]
    else:
        changed[:planes] = stack[planes]
    return changed


def inner_planes(stack: NDArray[np.float32], margin: int) -> NDArray[np.float32]:
    """Without the first and last `margin` planes."""
    return stack[margin : len(stack) - margin]
