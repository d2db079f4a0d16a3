"""The recipe: the one file from which a model is trained and packaged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from scopezoo.datasets.split import Split, read_split
from scopezoo.errors import FileError

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Range = tuple[float, float]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Author(_Section):
    """Somebody who made the model."""

    name: str
    affiliation: str | None = None


class Citation(_Section):
    """A work to cite, by DOI."""

    text: str
    doi: str


class Data(_Section):
    """What the model learns from: a dataset of the collection and its committed split."""

    dataset: str
    split: Path
    """Relative to the recipe."""


class StarDistNetwork(_Section):
    """Arguments of `scopezoo.models.stardist.StarDist2d`."""

    kind: Literal["stardist_2d"]
    channels: tuple[Count, ...]
    features: Count
    rays: Annotated[int, Field(ge=3)]


class Normalisation(_Section):
    """Percentiles of the whole plane that become 0 and 1 (`scale_range` over y and x)."""

    low_percentile: Annotated[float, Field(ge=0, lt=100)]
    high_percentile: Annotated[float, Field(gt=0, le=100)]


class Augmentation(_Section):
    """How a training patch is varied, beside quarter turns and mirroring.

    Ranges are drawn from evenly; `scale` and `gamma` evenly in their logarithm.
    """

    scale: Range
    """Zoom factor of the field, so that nuclei of other sizes are seen."""
    gain: Range
    """Factor on the normalised grey levels."""
    offset: Range
    """Added to the normalised grey levels."""
    gamma: Range
    """Exponent of the normalised grey levels above 0, for half of the patches."""
    noise: Range
    """Standard deviation of Gaussian noise, in normalised grey levels, for half of the patches."""
    blur_px: Range
    """Standard deviation of a Gaussian blur, for a fifth of the patches."""


class Training(_Section):
    """How the weights are found."""

    seed: int
    steps: Count
    batch: Count
    patch_px: Count
    foreground: Probability
    """Fraction of patches that are placed on an object."""
    learning_rate: Positive
    warmup_steps: Count
    weight_decay: Annotated[float, Field(ge=0)]
    distance_weight: Positive
    average_decay: Probability
    """Decay per step of the moving average of the weights, which is what is kept."""
    precision: Literal["float32", "bfloat16"]
    """Of the convolutions while training; the kept weights are float32."""
    validate_every: Count
    """Steps between two looks at the validation part, each with a checkpoint."""
    patience: Count
    """Looks without improvement after which training stops early."""
    augmentation: Augmentation


class Recipe(_Section):
    """Everything that makes one model: data, network, training, and what to tell its users."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    name: str
    version: str
    description: str
    authors: tuple[Author, ...]
    license: str
    tags: tuple[str, ...]
    task: str
    modality: str
    intended_use: str
    limitations: str
    cite: tuple[Citation, ...]
    data: Data
    network: StarDistNetwork
    normalisation: Normalisation
    training: Training

    @model_validator(mode="after")
    def _patch_fits_the_network(self) -> Recipe:
        stride = 2 ** len(self.network.channels)
        if self.training.patch_px % stride:
            raise ValueError(
                f"training.patch_px is {self.training.patch_px}: expected a multiple of {stride}"
            )
        return self


def read_recipe(path: Path) -> Recipe:
    """Read `recipe.yaml`; raises FileError that names the first key that is wrong."""
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Recipe.model_validate(content)
    except FileNotFoundError as error:
        raise FileError(f"{path} is missing: expected a recipe (YAML)") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FileError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(key) for key in first["loc"]) or "the whole"
        raise FileError(f"{path} is not a recipe: {where}: {first['msg']}") from error


def read_recipe_split(recipe: Recipe, recipe_path: Path) -> Split:
    """The split that a recipe names, relative to its own folder."""
    return read_split(recipe_path.parent / recipe.data.split)
