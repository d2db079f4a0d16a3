"""From a recipe to its network."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from scopezoo.errors import FileError
from scopezoo.models.adversary import AdversarialPair, Critic2d
from scopezoo.models.border_unet import BorderUNet2d
from scopezoo.models.checkpoint import load_tensors
from scopezoo.models.pix2pix import Pix2PixGenerator2d
from scopezoo.models.planes import PlanesUNet2d, PlanesUNet3d
from scopezoo.models.recipe import (
    BorderNetwork,
    Pix2PixNetwork,
    Planes2dNetwork,
    Planes3dNetwork,
    Recipe,
    StarDist3dNetwork,
    StarDistNetwork,
    SynthesisRecipe,
)
from scopezoo.models.slices import SlicesUNet3d
from scopezoo.models.stardist import StarDist2d
from scopezoo.models.stardist_3d import StarDist3d


def make_network(recipe: Recipe) -> nn.Module:
    """The recipe's network with fresh weights, in training mode."""
    arguments = recipe.network
    if isinstance(arguments, StarDistNetwork):
        return StarDist2d(arguments.channels, arguments.features, arguments.rays)
    if isinstance(arguments, StarDist3dNetwork):
        return StarDist3d(arguments.channels, arguments.features, arguments.rays)
    if isinstance(arguments, BorderNetwork):
        return BorderUNet2d(arguments.channels, arguments.features)
    if isinstance(arguments, Pix2PixNetwork):
        return Pix2PixGenerator2d(arguments.channels, arguments.features)
    if isinstance(arguments, Planes2dNetwork):
        return PlanesUNet2d(arguments.channels, arguments.residual)
    if isinstance(arguments, Planes3dNetwork):
        return PlanesUNet3d(arguments.channels, arguments.neighbours, arguments.residual)
    return SlicesUNet3d(arguments.channels, arguments.slices)


def make_trainee(recipe: Recipe) -> nn.Module:
    """What is trained for a recipe: its network, and the critic where it has one."""
    network = make_network(recipe)
    if isinstance(recipe, SynthesisRecipe):
        assert isinstance(network, Pix2PixGenerator2d)
        return AdversarialPair(network, Critic2d(recipe.training.critic))
    return network


def kept_network(trainee: nn.Module) -> nn.Module:
    """What is kept of it: the network alone."""
    return trainee.generator if isinstance(trainee, AdversarialPair) else trainee


def load_network(recipe: Recipe, weights: Path) -> nn.Module:
    """The recipe's network with the weights of a state dict, ready to predict (eval mode).

    Raises FileError where the file is missing, broken, or of another network.
    """
    network = make_network(recipe)
    state = load_tensors(weights)
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise FileError(f"{weights} does not fit the network of {recipe.id}: {reason}") from error
    return network.eval()
