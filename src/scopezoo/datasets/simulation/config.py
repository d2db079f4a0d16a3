"""The small file that a simulated dataset is made from."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from scopezoo.datasets.simulation.instrument import Count, Instrument, NotNegative, Positive
from scopezoo.datasets.simulation.structures import StructureName
from scopezoo.errors import FileError, UsageError

SMALL_PX = 160
SMALL_PLANES = 25
"""Of the coarser instrument: in smaller fields, too few sub-blocks would judge a registration."""
SMALL_SHIFT = (0.05, 0.1, 0.1)
"""Of the field at most, z y x."""

Config = TypeVar("Config", bound=BaseModel)
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Specimen(_Section):
    """What is imaged, and how well: everything in which specimens differ."""

    name: Name
    structures: Annotated[dict[StructureName, Positive], Field(min_length=1)]
    """Relative brightness of each labelled structure."""
    density: Positive = 1.0
    """Cells per 1000 µm²."""
    abundance: Positive = 1.0
    """Of filaments, tubules, puncta, adhesions in a cell; of nuclei, the chromatin's contrast."""
    size: Positive = 1.0
    """Scale of the cells."""
    depth_um: NotNegative = 0.0
    """Cells lie at heights up to this: 0 on a coverslip, more in a tissue."""
    signal: Positive = 1.0
    """Factor on the photons of the instruments."""
    background: NotNegative = 1.0
    """Factor on their background."""


class Misregistration(_Section):
    """Largest values of what is drawn evenly for each field, in either direction."""

    shift_um: tuple[NotNegative, NotNegative, NotNegative] = (0.0, 0.0, 0.0)
    """Along z, y, x."""
    rotation_deg: Annotated[float, Field(ge=0, le=45)] = 0.0
    """About z."""
    scale: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    """0.01 is 1 %."""
    drift_um: NotNegative = 0.0
    """Sideways drift of the source's stage while it goes through the planes."""


class PairConfig(_Section):
    """One dataset: two instruments (or one alone), how they lie to each other, the specimens."""

    name: Name
    description: str
    licence: str = "CC0-1.0"
    authors: tuple[str, ...] = ("The scopezoo developers",)
    seed: Annotated[int, Field(ge=0)] = 1
    fields: Count = 2
    """For each specimen."""
    frames: Count = 1
    """Stacks that the source takes one after the other."""
    source: Instrument
    target: Instrument | None = None
    misregistration: Misregistration = Misregistration()
    specimens: Annotated[tuple[Specimen, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = [specimen.name for specimen in self.specimens]
        if len(set(names)) < len(names):
            raise ValueError(f"specimens: names must differ, found {', '.join(names)}")
        if self.target is not None and self.target.kind == "transmitted":
            raise ValueError("target.kind: transmitted light can only be a source")
        return self

    @property
    def aligned(self) -> bool:
        """Whether the voxels of source and target are the same places."""
        target = self.target or self.source
        same = (target.voxel_um, target.shape) == (self.source.voxel_um, self.source.shape)
        return same and self.misregistration == Misregistration()

    def specimen(self, name: str | None) -> Specimen:
        """The specimen of this name, or the first; raises UsageError where there is none."""
        for specimen in self.specimens:
            if name in (None, specimen.name):
                return specimen
        known = ", ".join(specimen.name for specimen in self.specimens)
        raise UsageError(f"{self.name} has no specimen {name!r}; it has {known}")

    def small(self) -> PairConfig:
        """The same on small fields, for a try; shifts shrink with the field, or more."""
        instruments = [self.source, self.target] if self.target else [self.source]
        # of one extent, whatever the voxels
        coarsest = np.max([instrument.voxel_um for instrument in instruments], axis=0)
        limit_um = coarsest * [SMALL_PLANES, SMALL_PX, SMALL_PX]

        def shrunk(instrument: Instrument) -> Instrument:
            size = np.minimum(instrument.shape, np.rint(limit_um / instrument.voxel_um))
            z, y, x = (int(n) for n in size)
            return replace(instrument, shape=(z, y, x))

        source = shrunk(self.source)
        shift = self.misregistration.shift_um * source.extent_um / self.source.extent_um
        shift = np.minimum(shift, np.array(SMALL_SHIFT) * source.extent_um)
        return self.model_copy(
            update={
                "source": source,
                "target": shrunk(self.target) if self.target else None,
                "fields": 1,
                "misregistration": self.misregistration.model_copy(
                    update={"shift_um": tuple(shift.tolist())}
                ),
            }
        )


def ready_made() -> list[str]:
    """Names of the configurations that come with scopezoo."""
    folder = files("scopezoo.datasets.simulation") / "configurations"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir())


def read_config(name_or_path: str | Path) -> PairConfig:
    """A configuration by its ready-made name, or from a YAML file.

    Raises UsageError for an unknown name, FileError that names the first key that is wrong.
    """
    text = str(name_or_path)
    if text in ready_made():
        source: Any = files("scopezoo.datasets.simulation") / "configurations" / f"{text}.yaml"
    else:
        source = Path(text)
        if not source.is_file():
            known = ", ".join(ready_made())
            raise UsageError(f"{text} is neither a file nor one of {known}")
    return parse_config(source, PairConfig)


def parse_config(source: Any, kind: type[Config]) -> Config:
    """A configuration of a kind from a YAML file (a path, or a resource of this package).

    Raises FileError that names the first key that is wrong.
    """
    try:
        return kind.model_validate(yaml.safe_load(source.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise FileError(f"{source} is missing: expected a configuration (YAML)") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FileError(f"{source} is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(key) for key in first["loc"]) or "the whole"
        raise FileError(f"{source} is not a configuration: {where}: {first['msg']}") from error
