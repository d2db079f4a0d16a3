"""What `dataset.json` holds: pairs, instruments, specimens, split, transforms, quality."""

from __future__ import annotations

import json
import math
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from scopezoo.datasets.smooth import Smooth
from scopezoo.datasets.split import Part
from scopezoo.errors import FileError

SCHEMA_URL = "https://json-schema.org/draft/2020-12/schema"
PLAIN_VERSION: Literal[1] = 1
SMOOTH_VERSION: Literal[2] = 2
"""The second is written where a transform has a smooth residual, which readers of the first do not
know and must not leave out."""
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=120)]
Text = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Side = Literal["source", "target"]
SIDES: tuple[Side, Side] = ("source", "target")
Status = Literal["unregistered", "registered", "failed"]


class Section(BaseModel):
    """Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Author(Section):
    """Somebody who took or made the images."""

    name: Annotated[str, Field(pattern=r"^[^/\\]+$")]
    affiliation: str | None = None
    orcid: str | None = None


class Citation(Section):
    """A work to cite, by DOI or URL where it has one."""

    text: Text
    doi: str | None = None
    url: str | None = None


class VoxelSize(Section):
    """Distances between neighbours in µm; `z` is None for a plane."""

    z: Positive | None = None
    y: Positive
    x: Positive


class Instrument(Section):
    """A microscope as it was set; `wavelength_um` is that of the emission."""

    id: Id
    microscope: str | None = None
    modality: str | None = None
    objective: str | None = None
    na: Positive | None = None
    immersion_index: Positive | None = None
    excitation_um: Positive | None = None
    wavelength_um: Positive | None = None
    pinhole_au: Positive | None = None
    voxel_um: VoxelSize | None = None


class Specimen(Section):
    """What the split keeps together: an animal, a culture, a slide."""

    id: Id
    description: str | None = None
    organism: str | None = None
    stain: str | None = None
    simulated: bool = False


class ImageEntry(Section):
    """One image: an OME-Zarr below the dataset, and what must be true of it.

    `channel` is the one that belongs to the pair, None where there is but one. `sha256` is that of
    the list of its chunks, see `scopezoo.datasets.paired.hashing`. `original` is the file's name
    before the import.
    """

    path: Text
    instrument: Id
    channel: int | str | None = None
    sha256: Sha256
    axes: Annotated[str, Field(pattern=r"^C?Z?YX$")]
    shape: tuple[Annotated[int, Field(ge=1)], ...]
    dtype: Text
    voxel_um: VoxelSize
    original: str | None = None

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        parts = PurePosixPath(path).parts
        if path.startswith("/") or ".." in parts or "\\" in path or "\0" in path or ":" in path:
            raise ValueError("must be a relative path inside the dataset")
        return path


class Transform(Section):
    """4×4 on columns (z, y, x, 1): µm of the source to µm of the target, first voxel's centre 0.

    To the place that the matrix gives, the displacement of `smooth` there is added.
    """

    matrix: Annotated[list[list[float]], Field(min_length=4, max_length=4)]
    axes: Literal["zyx"] = "zyx"
    unit: Literal["micrometer"] = "micrometer"
    smooth: Smooth | None = None

    @model_serializer(mode="wrap")
    def _without_nothing(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = serialize(self)
        return {key: value for key, value in content.items() if value is not None}

    @field_validator("matrix")
    @classmethod
    def _is_affine(cls, matrix: list[list[float]]) -> list[list[float]]:
        if any(len(row) != 4 for row in matrix):
            raise ValueError("must have four rows of four numbers")
        if not all(math.isfinite(value) for row in matrix for value in row):
            raise ValueError("must have finite numbers only")
        if matrix[3] != [0, 0, 0, 1]:
            raise ValueError("must end with the row 0 0 0 1")
        return matrix

    @property
    def array(self) -> NDArray[np.float64]:
        return np.array(self.matrix, np.float64)


class Quality(BaseModel):
    """How a registration judged itself; its figures, whatever they are, are kept."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=True)
    passed: bool
    reasons: list[str] = Field(default_factory=list)


class Pair(Section):
    """Two images of one field; `source_to_target` is None until they are registered."""

    id: Id
    specimen: Id
    source: ImageEntry
    target: ImageEntry
    source_to_target: Transform | None = None
    quality: Quality | None = None
    status: Status = "unregistered"
    reasons: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _registered_has_a_transform(self) -> Pair:
        if self.status == "registered" and self.source_to_target is None:
            raise ValueError("is registered but has no source_to_target")
        return self

    def image(self, side: Side) -> ImageEntry:
        return self.source if side == "source" else self.target


class SpecimenSplit(Section):
    """Which specimens are in which part."""

    seed: int
    parts: dict[Part, list[Id]]

    def part_of(self, specimen: str) -> Part | None:
        return next((part for part, ids in self.parts.items() if specimen in ids), None)


class Manifest(Section):
    """The whole of `dataset.json`; the authority on transforms."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_version: Literal[1, 2] = Field(default=PLAIN_VERSION, alias="schema")
    id: Id
    name: Text
    description: str = ""
    license: str | None = None
    authors: list[Author] = Field(default_factory=list)
    cite: list[Citation] = Field(default_factory=list)
    instruments: list[Instrument] = Field(default_factory=list)
    specimens: list[Specimen] = Field(default_factory=list)
    split: SpecimenSplit | None = None
    pairs: list[Pair] = Field(default_factory=list)
    created_with: str = ""

    def pair(self, pair_id: str) -> Pair | None:
        return next((pair for pair in self.pairs if pair.id == pair_id), None)

    def instrument(self, instrument_id: str) -> Instrument | None:
        return next((one for one in self.instruments if one.id == instrument_id), None)

    def problems(self) -> list[str]:
        """What no single field shows: names that occur twice, or that nothing is called."""
        found: list[str] = []
        for kind, ids in (
            ("pair", [pair.id for pair in self.pairs]),
            ("instrument", [one.id for one in self.instruments]),
            ("specimen", [one.id for one in self.specimens]),
            ("path", [pair.image(side).path for pair in self.pairs for side in SIDES]),
        ):
            found += [
                f"{kind} {one!r} occurs twice" for one in sorted(set(ids)) if ids.count(one) > 1
            ]
        specimens = {one.id for one in self.specimens}
        instruments = {one.id for one in self.instruments}
        for pair in self.pairs:
            if pair.specimen not in specimens:
                found.append(f"pair {pair.id}: specimen {pair.specimen!r} is not listed")
            found += [
                f"pair {pair.id}: instrument {pair.image(side).instrument!r} is not listed"
                for side in SIDES
                if pair.image(side).instrument not in instruments
            ]
        return found

    def to_json(self) -> str:
        """The file's text, of the lowest version that says it all."""
        transforms = [pair.source_to_target for pair in self.pairs]
        smooth = any(one is not None and one.smooth is not None for one in transforms)
        content = self.model_dump(by_alias=True, mode="json")
        content["schema"] = SMOOTH_VERSION if smooth else PLAIN_VERSION
        return json.dumps(content, indent=2) + "\n"


def parse_manifest(text: str | bytes, source: str) -> Manifest:
    """A manifest from JSON; raises FileError with every problem."""
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise FileError(f"{source} is not a dataset's manifest: {all_problems(error)}") from error


def all_problems(error: ValidationError) -> str:
    """Every problem that pydantic found, with its place, in one line."""
    lines = [
        f"{'.'.join(str(key) for key in one['loc']) or 'file'}: {one['msg']}"
        for one in error.errors()[:20]
    ]
    return "; ".join(lines)


def manifest_schema() -> dict[str, Any]:
    """JSON Schema of `dataset.json`."""
    return {"$schema": SCHEMA_URL, **Manifest.model_json_schema(by_alias=True)}
