"""Training of networks that make an image into one on the same pixels: CARE, Noise2Void, fnet.

Weigert et al. 2018, doi:10.1038/s41592-018-0216-7; Krull et al. 2019, doi:10.1109/CVPR.2019.00223;
Ounkomol et al. 2018, doi:10.1038/s41592-018-0111-2.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scopezoo.models.blind_spot import with_blind_spots
from scopezoo.models.recipe import ImageRecipe, PairAugmentation
from scopezoo.models.samples import Stack, draw_patch, read_samples
from scopezoo.models.task import Task
from scopezoo.models.teacher import read_teacher

VALIDATION_PATCHES = 64
VALIDATION_SEED = 1
LEAST_NOISE = 0.005
"""In normalised grey levels; added to a patch's noise, so that none counts without bounds."""
NORMAL_MEDIAN = 0.6745
"""Median absolute deviation of a normal distribution of standard deviation 1."""

LossFunction = Callable[[Tensor, Tensor], Tensor]


class _ImageTask:
    """Patches of the training part, drawn evenly from its samples."""

    score_name = "PSNR in dB"

    def __init__(self, recipe: ImageRecipe, recipe_path: Path, data: Path) -> None:
        plan = recipe.training
        self.recipe = recipe
        self.teacher = read_teacher(recipe, recipe_path)
        self.margin = recipe.neighbours
        self.layout = torch.channels_last_3d if recipe.is_3d else torch.channels_last
        self.pixel_loss: LossFunction = torch.abs if plan.loss == "l1" else torch.square  # type: ignore[assignment]
        self.samples = read_samples(recipe, data, "training")
        checked = read_samples(recipe, data, "validation")
        rng = np.random.default_rng(VALIDATION_SEED)
        picked = rng.integers(len(checked), size=VALIDATION_PATCHES)
        self.check = [self._example(checked[i], rng, vary=False) for i in picked]

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Sources (b, 1, z, y, x) and what is wanted (b, c, fewer z, y, x); no z for planes."""
        picked = rng.integers(len(self.samples), size=self.recipe.training.batch)
        examples = [self._example(self.samples[i], rng, vary=True) for i in picked]
        sources, wanted = (torch.from_numpy(np.stack(part)) for part in zip(*examples, strict=True))
        if self.teacher is not None:
            wanted[:, :1] = (wanted[:, :1] + self.teacher(sources)) / 2
        return sources, wanted

    def run(self, network: nn.Module, images: Tensor) -> Tensor:
        found: Tensor = network.inner_planes(images)  # type: ignore[operator]
        return found

    def score(self, network: nn.Module) -> float:
        """Mean over fixed patches of the validation part, in dB, of 1 over the squared error."""
        scores = []
        for source, wanted in self.check:
            with torch.inference_mode():
                found = self.run(network, torch.from_numpy(source)[None])
                error = self.error(found, torch.from_numpy(wanted)[None], torch.square)
            scores.append(-10 * np.log10(max(float(error), 1e-12)))
        return float(np.mean(scores))

    def loss(self, output: Tensor, wanted: Tensor) -> tuple[Tensor, dict[str, float]]:
        return self.error(output.float(), wanted, self.pixel_loss), {}  # type: ignore[arg-type]

    def error(self, output: Tensor, wanted: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
        """Mean of what is wrong, with the weights that `wanted` has as its second channel."""
        target, weights = wanted[:, :1], wanted[:, 1:]
        return (of(output - target) * weights).sum() / weights.sum()

    def _example(self, sample: Any, rng: np.random.Generator, *, vary: bool) -> tuple[Stack, Stack]:
        """Source and what is wanted for it, with the channel first and z for stacks alone."""
        plan = self.recipe.training
        size = (1, plan.patch_px, plan.patch_px)
        on_bright = rng.random() < plan.foreground
        source, target = draw_patch(sample, size, self.margin, rng, on_bright=on_bright)
        if vary:
            source, target = varied(source, target, plan.augmentation, rng)
        given, wanted = self._lesson(source, target, rng)
        if not self.recipe.is_3d:
            return np.ascontiguousarray(given), np.ascontiguousarray(wanted)
        return np.ascontiguousarray(given[None]), np.ascontiguousarray(wanted[:, None])

    def _lesson(
        self,
        source: Stack,
        target: Stack | None,
        rng: np.random.Generator,  # noqa: ARG002 # for those that hide pixels
    ) -> tuple[Stack, Stack]:
        """From a patch to what the network gets and what the loss wants (one plane a channel)."""
        assert target is not None  # of a method that learns from one
        return source, np.concatenate([target, np.ones_like(target)])


class CareTask(_ImageTask):
    """Errors count against the noise of their patch: all of its levels are to be learned."""

    def _lesson(
        self,
        source: Stack,
        target: Stack | None,
        rng: np.random.Generator,  # noqa: ARG002 # it hides nothing
    ) -> tuple[Stack, Stack]:
        assert target is not None
        weight = 1 / (noise_deviation(source) + LEAST_NOISE)
        return source, np.concatenate([target, np.full_like(target, weight)])


class Noise2VoidTask(_ImageTask):
    """Hidden pixels of noisy images are to be predicted from those around them.

    What remains of an error is noise, which differs from patch to patch: it is the logarithm that
    is made small, or the noisiest patches would be all that is learned.
    """

    score_name = "prediction of hidden pixels in dB"

    def _lesson(
        self,
        source: Stack,
        target: Stack | None,  # noqa: ARG002 # it has none
        rng: np.random.Generator,
    ) -> tuple[Stack, Stack]:
        given, hidden = with_blind_spots(source, self.margin, self.recipe.training.hidden_px, rng)
        noisy = source[self.margin : len(source) - self.margin]
        return given, np.concatenate([noisy, hidden.astype(np.float32)])

    def loss(self, output: Tensor, wanted: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Mean over the patches of the logarithm of a patch's error at its hidden pixels."""
        target, hidden = wanted[:, :1], wanted[:, 1:]
        wrong = self.pixel_loss(output.float() - target) * hidden  # type: ignore[call-arg]
        by_patch = wrong.flatten(1).sum(1) / hidden.flatten(1).sum(1)
        return torch.log(by_patch + LEAST_NOISE**2).mean(), {}


def image_task(recipe: ImageRecipe, recipe_path: Path, data: Path) -> Task:
    """The task of a recipe with the pairs in `data`."""
    tasks = {"care": CareTask, "noise2void": Noise2VoidTask, "fnet": _ImageTask}
    return tasks[recipe.training.method](recipe, recipe_path, data)


def noise_deviation(stack: Stack) -> float:
    """Standard deviation of the noise, from differences of neighbours along x."""
    difference = np.abs(np.diff(stack, axis=2))
    return float(np.median(difference) / (NORMAL_MEDIAN * np.sqrt(2)))


def varied(
    source: Stack, target: Stack | None, how: PairAugmentation, rng: np.random.Generator
) -> tuple[Stack, Stack | None]:
    """A pair of patches ZYX, turned, mirrored (not along z) and varied in brightness and noise."""
    turns, mirror = int(rng.integers(4)), bool(rng.integers(2))
    gain = np.float32(np.exp(rng.uniform(*np.log(how.gain))))

    def turned(patch: NDArray[np.float32]) -> Stack:
        patch = np.rot90(patch, turns, axes=(1, 2))
        return np.asarray((patch[:, :, ::-1] if mirror else patch) * gain)

    noise = rng.uniform(*how.noise) if rng.random() < 0.5 else 0.0
    source, target = turned(source), None if target is None else turned(target)
    if noise:
        source = source + rng.normal(0, noise, source.shape).astype(np.float32)
    return source, target
