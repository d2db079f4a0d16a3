"""Trains the tiny network of the packaging tests on simulated discs: `python make_weights.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from scopezoo.models.checkpoint import save_tensors
from scopezoo.models.instances import star_loss
from scopezoo.models.network import make_network
from scopezoo.models.recipe import read_recipe
from scopezoo.models.star_shapes import star_shape

FOLDER = Path(__file__).parent


def discs(rng: np.random.Generator, size: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """A noisy image of discs that do not touch, and their labels."""
    labels = np.zeros((size, size), np.int32)
    y, x = np.indices((size, size))
    for number in range(1, size * size // 500):
        cy, cx, radius = *rng.uniform(0, size, 2), rng.uniform(6, 12)
        inside = (y - cy) ** 2 + (x - cx) ** 2 < radius**2
        if not labels[inside].any():
            labels[inside] = number
    image = (labels > 0) * rng.uniform(0.6, 1.0) + rng.normal(0, 0.05, labels.shape)
    return image.astype(np.float32), labels


def main() -> None:
    """Write weights.pt beside the recipe."""
    recipe = read_recipe(FOLDER / "recipe.yaml")
    torch.manual_seed(recipe.training.seed)
    network = make_network(recipe)
    optimiser = torch.optim.Adam(network.parameters(), recipe.training.learning_rate)
    for step in range(recipe.training.steps):
        rng = np.random.default_rng([recipe.training.seed, step])
        drawn = [discs(rng, recipe.training.patch_px) for _ in range(recipe.training.batch)]
        images = torch.from_numpy(np.stack([image[None] for image, _ in drawn]))
        targets = np.stack([star_shape(recipe).targets(labels) for _, labels in drawn])
        loss, _ = star_loss(*network.raw(images), torch.from_numpy(targets), 1.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    save_tensors(network.state_dict(), FOLDER / "weights.pt")
    print(f"{recipe.training.steps} steps, loss {loss.item():.3f}")


if __name__ == "__main__":
    main()
