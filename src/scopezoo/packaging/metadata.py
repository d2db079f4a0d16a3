"""What an author says about a model: `package.yaml`, kept as short as it can be.

What the weights themselves tell (names, types, channels, sizes) may be left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from scopezoo.errors import FileError

AXIS_IDS = {"b": "batch", "c": "channel", "t": "time", "i": "index", "z": "z", "y": "y", "x": "x"}
"""Axis ids of format 0.5 by the letters that authors write."""
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Axes = Annotated[str, Field(pattern=r"^[bctizyx]+$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Author(_Section):
    """Somebody who made the model; `orcid` and `github_user` where there is one."""

    name: Annotated[str, Field(pattern=r"^[^/\\]+$")]
    affiliation: str | None = None
    email: str | None = None
    orcid: str | None = None
    github_user: str | None = None


class Maintainer(_Section):
    """Somebody who answers questions about the package."""

    github_user: Text
    name: str | None = None


class Citation(_Section):
    """A work to cite, by DOI or URL."""

    text: Text
    doi: str | None = None
    url: str | None = None

    @model_validator(mode="after")
    def _has_a_link(self) -> Citation:
        if not (self.doi or self.url):
            raise ValueError("give a doi or a url")
        return self


class Step(_Section):
    """One step of pre- or post-processing, as format 0.5 writes it."""

    id: Literal[
        "binarize",
        "clip",
        "ensure_dtype",
        "fixed_zero_mean_unit_variance",
        "scale_linear",
        "scale_mean_variance",
        "scale_range",
        "sigmoid",
        "softmax",
        "stardist_postprocessing",
        "zero_mean_unit_variance",
    ]
    kwargs: dict[str, Any] = Field(default_factory=dict)


class SizeRange(_Section):
    """Sizes that the network accepts: min, min + step, min + 2 step, …"""

    min: Count
    step: Count


class InputImage(_Section):
    """Where a test input is from: a file beside the metadata, or a simulation.

    `size_px` is cut out of the middle of a file, or simulated, per axis; it is rounded to a legal
    size. `credit` says whose the image is and under which licence.
    """

    image: Path | None = None
    simulate: Literal["nuclei", "spots"] | None = None
    shipped: Literal["stardist_nuclei_2d"] | None = None
    size_px: dict[Literal["z", "y", "x"], Count] = Field(default_factory=dict)
    credit: str | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> InputImage:
        if sum(source is not None for source in (self.image, self.simulate, self.shipped)) != 1:
            raise ValueError("give one of image, simulate and shipped")
        if self.image is not None and not self.credit:
            raise ValueError("say in credit whose the image is and under which licence")
        return self


class _TensorMetadata(_Section):
    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")] | None = None
    axes: Axes
    description: Annotated[str, Field(max_length=128)] = ""
    channel_names: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _axes_differ(self) -> _TensorMetadata:
        if len(set(self.axes)) != len(self.axes):
            raise ValueError(f"axes {self.axes!r} name an axis twice")
        return self


class InputMetadata(_TensorMetadata):
    """One input of the network, in the order of the weights; `axes` like "bcyx"."""

    test: InputImage
    size: dict[Literal["z", "y", "x", "t", "i"], Count | SizeRange] = Field(default_factory=dict)
    pixel_size_um: dict[Literal["z", "y", "x"], Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict
    )
    preprocessing: tuple[Step, ...] = ()


class OutputMetadata(_TensorMetadata):
    """One output of the network; its axes are as after post-processing.

    `type` is the type after post-processing, where that is not the network's own.
    """

    postprocessing: tuple[Step, ...] = ()
    type: Literal["uint8", "uint16", "int32", "uint32", "float32"] | None = None


class Instances(_Section):
    """How the first output, probabilities of insides and borders, becomes objects; see
    `scopezoo.predict.instances.InstanceSettings`. `inside` and `border` are channel names."""

    inside: Text
    border: Text
    inside_threshold: Annotated[float, Field(ge=0, le=1)]
    mask_threshold: Annotated[float, Field(ge=0, le=1)]
    smallest_px: Count


class Parent(_Section):
    """The model that this one was made from by training on; `id` as bioimage.io knows it."""

    id: Text
    version: str | None = None


class TrainingData(_Section):
    """The dataset that the model was trained on; `id` as bioimage.io knows it."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9_\-/.]+$")]
    url: str | None = None


class Metadata(_Section):
    """What a package says about its model, beside what is measured and what the weights tell."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")] | None = None
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_+\- ()]{5,128}$")]
    version: Annotated[str, Field(pattern=r"^\d+(\.\d+){0,2}$")] = "0.1.0"
    description: Annotated[str, Field(min_length=1, max_length=512)]
    authors: Annotated[tuple[Author, ...], Field(min_length=1)]
    maintainers: tuple[Maintainer, ...] = ()
    packaged_by: tuple[Author, ...] = ()
    cite: Annotated[tuple[Citation, ...], Field(min_length=1)]
    license: Text
    tags: tuple[Text, ...] = ()
    git_repo: str | None = None
    task: str | None = None
    modality: str | None = None
    target_structure: tuple[Text, ...] = ()
    architecture: Annotated[str, Field(max_length=32)] | None = None
    intended_use: Text
    out_of_scope_use: str | None = None
    limitations: Text
    known_biases: str | None = None
    recommendations: str | None = None
    how_trained: str | None = None
    on_real_images: str | None = None
    """Markdown; of a model that was trained on simulated images."""
    training_data: TrainingData | None = None
    parent: Parent | None = None
    weights: Path | None = None
    """The ONNX file, relative to the metadata; may be left out where the folder holds one."""
    inputs: Annotated[tuple[InputMetadata, ...], Field(min_length=1)]
    outputs: Annotated[tuple[OutputMetadata, ...], Field(min_length=1)]
    instances: Instances | None = None

    @property
    def model_id(self) -> str:
        """`id`, or the name in lower case with hyphens."""
        return self.id or re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


def read_metadata(path: Path) -> Metadata:
    """Read a `package.yaml`. Raises FileError with all problems and where each of them is."""
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}; expected metadata") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FileError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    try:
        return Metadata.model_validate(content)
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in found['loc']) or 'the whole'}: {found['msg']}"
            for found in error.errors(include_url=False)
        ]
        raise FileError(f"{path}: {len(lines)} problems: {'; '.join(lines)}") from error
