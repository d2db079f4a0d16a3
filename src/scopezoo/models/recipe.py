"""The recipe: the one file from which a model is trained and packaged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

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


class Parent(_Section):
    """The model whose weights a training began with."""

    id: str
    version: str


class SplitData(_Section):
    """A dataset of the collection whose split is a file beside it."""

    dataset: str
    split: Path
    """Relative to the recipe."""
    unlike: tuple[str, ...] = ()
    """Strata of the test part that differ from those of training on purpose."""


class PairedData(_Section):
    """A dataset of pairs, which holds its own split."""

    dataset: str
    unlike: tuple[str, ...] = ()
    """Specimens of the test part that differ from those of training on purpose."""
    registered: bool = True
    """False takes the middles of the two fields for one place: what is learned without registering.
    """


class StarDistNetwork(_Section):
    """Arguments of `scopezoo.models.stardist.StarDist2d`."""

    kind: Literal["stardist_2d"]
    channels: tuple[Count, ...]
    features: Count
    rays: Annotated[int, Field(ge=3)]


class StarDist3dNetwork(_Section):
    """Arguments of `scopezoo.models.stardist_3d.StarDist3d`."""

    kind: Literal["stardist_3d"]
    channels: tuple[Count, ...]
    features: Count
    rays: Annotated[int, Field(ge=4)]


class Pix2PixNetwork(_Section):
    """Arguments of `scopezoo.models.pix2pix.Pix2PixGenerator2d`."""

    kind: Literal["pix2pix_2d"]
    channels: tuple[Count, ...]
    features: Count


class BorderNetwork(_Section):
    """Arguments of `scopezoo.models.border_unet.BorderUNet2d`."""

    kind: Literal["border_unet_2d"]
    channels: tuple[Count, ...]
    features: Count


class SlicesNetwork(_Section):
    """Arguments of `scopezoo.models.slices.SlicesUNet3d`."""

    kind: Literal["slices_unet_3d"]
    channels: tuple[Count, ...]
    slices: Annotated[int, Field(ge=1)]
    """Planes from which one is made; odd."""

    @model_validator(mode="after")
    def _has_a_middle(self) -> SlicesNetwork:
        if self.slices % 2 == 0:
            raise ValueError(f"slices is {self.slices}: expected an odd number")
        return self


class Planes2dNetwork(_Section):
    """Arguments of `scopezoo.models.planes.PlanesUNet2d`."""

    kind: Literal["planes_unet_2d"]
    channels: tuple[Count, ...]
    residual: bool = False
    """Whether it learns what to add to the input, rather than the whole output."""


class Planes3dNetwork(_Section):
    """Arguments of `scopezoo.models.planes.PlanesUNet3d`."""

    kind: Literal["planes_unet_3d"]
    channels: tuple[Count, ...]
    neighbours: Annotated[int, Field(ge=0)]
    """Planes on either side from which one is made, beside its own."""
    residual: bool = False


class Normalisation(_Section):
    """Percentiles of the image (a plane, or a whole stack) that become 0 and 1 (`scale_range`)."""

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


class PairAugmentation(_Section):
    """How a pair of patches is varied, beside quarter turns and mirroring, z included."""

    gain: Range
    """Factor on the normalised grey levels of both, drawn evenly in its logarithm."""
    noise: Range
    """Standard deviation of Gaussian noise on the source, in normalised grey levels, for half."""


class _Training(_Section):
    gradient_memory: ClassVar[float] = 0.9
    """Decay per step of the optimiser's mean gradient (the first beta of Adam)."""
    seed: int
    steps: Count
    batch: Count
    patch_px: Count
    foreground: Probability
    """Fraction of patches that are placed on an object, or where the target is bright."""
    learning_rate: Positive
    warmup_steps: Count
    weight_decay: Annotated[float, Field(ge=0)]
    average_decay: Probability
    """Decay per step of the moving average of the weights, which is what is kept."""
    precision: Literal["float32", "bfloat16"]
    """Of the convolutions while training; the kept weights are float32."""
    validate_every: Count
    """Steps between two looks at the validation part, each with a checkpoint."""
    patience: Count
    """Looks without improvement after which training stops early."""


class TaughtTraining(_Training):
    """Of a network that may have a larger one as its teacher."""

    teacher: Path | None = None
    """Recipe of a larger model, relative to this one, its weights beside it: what it finds in a
    patch counts as much as the target (`scopezoo.models.teacher`)."""


class StarDistTraining(TaughtTraining):
    """How the weights of a StarDist network are found."""

    distance_weight: Positive
    augmentation: Augmentation


class StarDist3dTraining(StarDistTraining):
    """The same for stacks."""

    patch_planes: Count


class BorderTraining(TaughtTraining):
    """How the weights are found of a network that tells inside and border of objects."""

    border_weight: Positive
    """Of an error at a border, against one elsewhere."""
    augmentation: Augmentation


class RestorationTraining(_Training):
    """How the weights are found of a network that makes one image into another."""

    loss: Literal["l1", "l2"]
    planes: Count
    """Depth of a patch of the target; the source's has the planes around it that it is made from.
    """
    augmentation: PairAugmentation


class ImageTraining(TaughtTraining):
    """How the weights are found of a network that makes an image into one on the same pixels.

    CARE learns from an image with more light, on the grey levels of its input; fnet from another
    contrast, on levels of its own; Noise2Void from the noisy image alone.
    """

    method: Literal["care", "noise2void", "fnet"]
    loss: Literal["l1", "l2"]
    augmentation: PairAugmentation
    hidden_px: Annotated[int, Field(ge=2)] = 6
    """Noise2Void hides one pixel in each square of this side."""

    @model_validator(mode="after")
    def _noisy_images_alone(self) -> ImageTraining:
        if self.method == "noise2void" and self.teacher is not None:
            raise ValueError("noise2void learns from noisy images alone: expected no teacher")
        return self


class SynthesisTraining(_Training):
    """How the weights are found of a network that makes images from label images."""

    gradient_memory: ClassVar[float] = 0.5
    critic: tuple[Count, ...]
    """Width of each layer of the critic, each of half the resolution of the one before."""
    fidelity_weight: Positive
    """Of the mean absolute difference of smooth nuclei to the real image, beside the critic."""
    scale: Range
    """Zoom factor of the field, drawn from evenly in its logarithm."""
    camera_noise: Annotated[float, Field(ge=0)]
    """Standard deviation, in normalised grey levels, of noise on all that the critic sees."""


class ProofImage(_Section):
    """The image by which the package proves itself; `image` is relative to the recipe."""

    image: Path
    credit: str
    size_px: dict[Literal["z", "y", "x"], Count]
    """Of what is cut out of its middle."""


class RealImages(_Section):
    """What a model that was trained on simulated images alone does to real ones."""

    text: str
    """Markdown, for the card."""
    picture: Path | None = None
    """Relative to the recipe."""
    caption: str = ""
    """Whose image it is, and under which licence."""


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
    parent: Parent | None = None
    data: SplitData | PairedData
    network: Annotated[
        StarDistNetwork
        | StarDist3dNetwork
        | BorderNetwork
        | Pix2PixNetwork
        | SlicesNetwork
        | Planes2dNetwork
        | Planes3dNetwork,
        Field(discriminator="kind"),
    ]
    normalisation: Normalisation
    training: (
        StarDistTraining
        | StarDist3dTraining
        | BorderTraining
        | SynthesisTraining
        | RestorationTraining
        | ImageTraining
    )


class SegmentationRecipe(Recipe):
    """Of a model that finds objects in planes."""

    data: SplitData
    network: Annotated[StarDistNetwork | BorderNetwork, Field(discriminator="kind")]
    training: StarDistTraining | BorderTraining

    @model_validator(mode="after")
    def _patch_fits_the_network(self) -> SegmentationRecipe:
        _check_patch(self.training.patch_px, 2 ** len(self.network.channels))
        return self


class StarDistRecipe(SegmentationRecipe):
    """Of a StarDist model."""

    network: StarDistNetwork
    training: StarDistTraining


class BorderRecipe(SegmentationRecipe):
    """Of a model that tells the inside of objects from their borders."""

    network: BorderNetwork
    training: BorderTraining


class StarDist3dRecipe(Recipe):
    """Of a model that finds objects in stacks."""

    data: SplitData
    network: StarDist3dNetwork
    training: StarDist3dTraining
    anisotropy: tuple[Positive, Positive, Positive]
    """Of the objects, z y x: how many times narrower than wide they are, in voxels."""
    test_image: ProofImage
    pixel_size_um: dict[Literal["z", "y", "x"], Positive]
    """Of the images that it learns from, and is for."""
    real_images: RealImages | None = None

    @model_validator(mode="after")
    def _patch_fits_the_network(self) -> StarDist3dRecipe:
        _check_patch(self.training.patch_px, 4 * 2 ** (len(self.network.channels) - 1))
        _check_patch(self.training.patch_planes, 2, "patch_planes")
        return self


class SynthesisRecipe(Recipe):
    """Of a model that makes images from label images of nuclei."""

    data: SplitData
    network: Pix2PixNetwork
    training: SynthesisTraining
    test_image: ProofImage

    @model_validator(mode="after")
    def _patch_fits_the_network(self) -> SynthesisRecipe:
        _check_patch(self.training.patch_px, 2 ** len(self.network.channels))
        return self


class RestorationRecipe(Recipe):
    """Of a model that makes an image into one like another microscope's."""

    data: PairedData
    network: SlicesNetwork
    training: RestorationTraining
    test_image: ProofImage
    pixel_size_um: dict[Literal["z", "y", "x"], Positive]
    """Of the images that it learns from, and is for."""
    real_images: RealImages | None = None

    @model_validator(mode="after")
    def _patch_fits_the_network(self) -> RestorationRecipe:
        _check_patch(self.training.patch_px, 2 ** len(self.network.channels))
        return self


class ImageRecipe(Recipe):
    """Of a model that makes an image into one on the same pixels: without noise, or stained."""

    data: PairedData
    network: Annotated[Planes2dNetwork | Planes3dNetwork, Field(discriminator="kind")]
    training: ImageTraining
    test_image: ProofImage
    pixel_size_um: dict[Literal["z", "y", "x"], Positive]
    """Of the images that it learns from, and is for."""
    real_images: RealImages | None = None

    @property
    def neighbours(self) -> int:
        return self.network.neighbours if isinstance(self.network, Planes3dNetwork) else 0

    @property
    def is_3d(self) -> bool:
        return isinstance(self.network, Planes3dNetwork)

    @model_validator(mode="after")
    def _patch_fits_the_network(self) -> ImageRecipe:
        _check_patch(self.training.patch_px, 2 ** (len(self.network.channels) - 1))
        return self


def _check_patch(size: int, stride: int, name: str = "patch_px") -> None:
    if size % stride:
        raise ValueError(f"training.{name} is {size}: expected a multiple of {stride}")


KINDS: dict[str, type[Recipe]] = {
    "stardist_2d": StarDistRecipe,
    "stardist_3d": StarDist3dRecipe,
    "border_unet_2d": BorderRecipe,
    "pix2pix_2d": SynthesisRecipe,
    "slices_unet_3d": RestorationRecipe,
    "planes_unet_2d": ImageRecipe,
    "planes_unet_3d": ImageRecipe,
}
"""By `network.kind`."""


def parse_recipe(content: Any) -> Recipe:
    """A recipe of the kind that its network is; raises pydantic's ValidationError."""
    network = content.get("network") if isinstance(content, dict) else None
    kind = network.get("kind") if isinstance(network, dict) else None
    return KINDS.get(str(kind), Recipe).model_validate(content)


def read_recipe(path: Path) -> Recipe:
    """Read `recipe.yaml`; raises FileError that names the first key that is wrong."""
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return parse_recipe(content)
    except FileNotFoundError as error:
        raise FileError(f"{path} is missing: expected a recipe (YAML)") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FileError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(key) for key in first["loc"]) or "the whole"
        raise FileError(f"{path} is not a recipe: {where}: {first['msg']}") from error


def read_recipe_split(
    recipe: SegmentationRecipe | StarDist3dRecipe | SynthesisRecipe, recipe_path: Path
) -> Split:
    """The split that a recipe names, relative to its own folder."""
    return read_split(recipe_path.parent / recipe.data.split)
