"""Training of a network that makes images from label images, against a critic."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scopezoo.datasets.segmentation import SegmentationFolder
from scopezoo.models.adversary import AdversarialPair, Attempt
from scopezoo.models.looks import looks_of, numbered, with_texture
from scopezoo.models.patches import Field, cut_patch, field_probabilities, to_stride
from scopezoo.models.pix2pix import Pix2PixGenerator2d
from scopezoo.models.recipe import SynthesisRecipe, read_recipe_split
from scopezoo.models.segmentation import load_fields
from scopezoo.models.spectra import power_db

CHECK_PX = 256
CHECK_SEED = 1


class SynthesisTask:
    """Fields of the training part, their nuclei numbered by their looks; see `Task`."""

    score_name = "difference of power spectra in dB, negative"
    layout = torch.channels_last

    def __init__(self, recipe: SynthesisRecipe, recipe_path: Path, data: Path) -> None:
        split = read_recipe_split(recipe, recipe_path)
        folder = SegmentationFolder(data)
        self.recipe = recipe
        self.learn = [told(f) for f in load_fields(recipe, split, folder, "training")]
        self.check = [told(f) for f in load_fields(recipe, split, folder, "validation")]
        self.probabilities = field_probabilities(self.learn)

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Label image, noisy real image, noise (b, 3, y, x); real image (b, 1, y, x), normalised.

        Images that are made have no camera noise. The critic sees them and the real ones with the
        same noise on top, or it would look at nothing else.
        """
        plan = self.recipe.training
        drawn = rng.choice(len(self.learn), size=plan.batch, p=self.probabilities)
        cut = [
            cut_patch(self.learn[i], plan.patch_px, plan.foreground, plan.scale, rng) for i in drawn
        ]
        images = np.stack([image for image, _ in cut]).astype(np.float32)
        labels = np.stack([with_texture(labels, rng) for _, labels in cut])
        noise = rng.normal(0, plan.camera_noise, (2, *images.shape)).astype(np.float32)
        given = np.stack([labels, images + noise[0], noise[1]], axis=1)
        return torch.from_numpy(given), torch.from_numpy(images[:, None])

    def run(self, network: nn.Module, images: Tensor) -> Attempt:
        found: Attempt = network(images[:, :1], images[:, 1:2], images[:, 2:])
        return found

    def loss(self, output: Attempt, wanted: Tensor) -> tuple[Tensor, dict[str, float]]:
        smooth, of_real, of_made, for_maker = (part.float() for part in output)
        critic = ((of_real - 1).square().mean() + of_made.square().mean()) / 2
        fooled = (for_maker - 1).square().mean()
        difference = (smooth - wanted).abs().mean()
        parts = {"critic": critic, "fooled": fooled, "difference": difference}
        whole = critic + fooled + self.recipe.training.fidelity_weight * difference
        return whole, {name: float(part.detach()) for name, part in parts.items()}

    def score(self, network: nn.Module) -> float:
        """Root mean square difference between the power spectra of made and real images, negative.

        Of the middle of each image of the validation part, over all rings of frequency.
        """
        generator = cast(AdversarialPair, network).generator
        differences = []
        rng = np.random.default_rng(CHECK_SEED)
        for field in self.check:
            made = make_image(generator, with_texture(middle(field.labels), rng))
            differences.append(power_db(made) - power_db(middle(field.image)))
        return -float(np.sqrt(np.mean(np.square(differences))))


def told(field: Field) -> Field:
    """The same with labels that say how each nucleus looks."""
    return replace(field, labels=numbered(field.labels, looks_of(field.image, field.labels)))


def make_image(generator: Pix2PixGenerator2d, labels: NDArray[Any]) -> NDArray[np.float32]:
    """Grey levels for a whole label image YX.

    Sizes that are no multiple of the stride are reflected at the far edges and cropped after.
    """
    height, width = labels.shape
    padded = to_stride(labels.astype(np.float32), generator.stride)
    with torch.inference_mode():
        made = generator(torch.from_numpy(padded)[None, None])[0, 0]
    return np.asarray(made[:height, :width].numpy())


def middle(image: NDArray[Any]) -> NDArray[Any]:
    """At most `CHECK_PX` squared of an image YX."""
    top, left = (max(0, (size - CHECK_PX) // 2) for size in image.shape)
    return image[top : top + CHECK_PX, left : left + CHECK_PX]
