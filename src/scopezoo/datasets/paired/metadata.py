"""What the files do not say: `metadata.yaml` of an import, kept as short as it can be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError

from scopezoo.datasets.paired.manifest import (
    SIDES,
    Author,
    Citation,
    Id,
    Instrument,
    Positive,
    Section,
    Side,
    Specimen,
    Text,
    VoxelSize,
    all_problems,
)
from scopezoo.errors import FileError

METADATA = "metadata.yaml"
MAX_BYTES = 1 << 20


class Wavelengths(Section):
    """Of the light that excites and of the light that is seen."""

    excitation: Positive | None = None
    emission: Positive | None = None


class SideMetadata(Section):
    """The microscope of one side; `voxel_size_um` completes what files say and must not contradict
    it.

    With `voxel_size_overrides` it is right where files say otherwise. `channel` (a name, or a
    number from 0) is the one that is meant in files with several, `axes` those of files that do
    not tell.
    """

    id: Id | None = None
    microscope: str | None = None
    modality: str | None = None
    objective: str | None = None
    numerical_aperture: Positive | None = None
    immersion_index: Positive | None = None
    wavelength_um: Wavelengths = Wavelengths()
    pinhole_airy_units: Positive | None = None
    voxel_size_um: VoxelSize | None = None
    voxel_size_overrides: bool = False
    channel: int | str | None = None
    axes: Annotated[str, Field(pattern=r"^[TCZYX]+$")] | None = None

    def instrument(self, side: Side, voxel_um: VoxelSize | None) -> Instrument:
        """The microscope as the manifest lists it."""
        return Instrument(
            id=self.id or side,
            microscope=self.microscope,
            modality=self.modality,
            objective=self.objective,
            na=self.numerical_aperture,
            immersion_index=self.immersion_index,
            excitation_um=self.wavelength_um.excitation,
            wavelength_um=self.wavelength_um.emission,
            pinhole_au=self.pinhole_airy_units,
            voxel_um=voxel_um,
        )

    def missing(self) -> list[str]:
        """What a published dataset needs and this lacks."""
        of_all = {
            "microscope": self.microscope,
            "objective": self.objective,
            "numerical_aperture": self.numerical_aperture,
            "wavelength_um.emission": self.wavelength_um.emission,
        }
        return [key for key, value in of_all.items() if value is None]


class SpecimenMetadata(Section):
    """A specimen, by its id in the names of the files."""

    description: str | None = None
    organism: str | None = None
    stain: str | None = None
    simulated: bool = False


class ImportMetadata(Section):
    """`metadata.yaml`.

    With `aligned`, the images of a pair are of one grid, taken without moving anything: their
    transform is the identity. With `specimen`, all files are of this one; `pattern` is that of
    `--pattern`.
    """

    name: Text | None = None
    description: str = ""
    licence: str | None = None
    authors: list[Author] = Field(default_factory=list)
    cite: list[Citation] = Field(default_factory=list)
    aligned: bool = False
    pattern: str | None = None
    stain: str | None = None
    specimen: Id | None = None
    specimens: dict[Id, SpecimenMetadata] = Field(default_factory=dict)
    source: SideMetadata = SideMetadata()
    target: SideMetadata = SideMetadata()

    def side(self, side: Side) -> SideMetadata:
        return self.source if side == "source" else self.target

    def described(self, specimen: str) -> Specimen:
        """A specimen as the manifest lists it."""
        known = self.specimens.get(specimen, SpecimenMetadata())
        return Specimen(**{"id": specimen, **dict(known), "stain": known.stain or self.stain})

    def missing(self) -> list[str]:
        """What a published dataset needs and this lacks."""
        of_all = {"name": self.name, "licence": self.licence, "authors": self.authors}
        lacking = [key for key, value in of_all.items() if not value]
        lacking += [f"{side}.{key}" for side in SIDES for key in self.side(side).missing()]
        if self.stain is None and not any(one.stain for one in self.specimens.values()):
            lacking.append("stain")
        return lacking


def read_metadata(path: Path) -> ImportMetadata:
    """Read `metadata.yaml`; raises FileError with everything that is wrong in it."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileError(f"{path} is larger than {MAX_BYTES} bytes; expected a short YAML file")
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return ImportMetadata.model_validate(content or {})
    except ValidationError as error:
        raise FileError(f"{path}: {all_problems(error)}") from error
    except yaml.YAMLError as error:
        raise FileError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path} cannot be read: {error}") from error
