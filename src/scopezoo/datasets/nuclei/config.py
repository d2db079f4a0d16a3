"""The small file that simulated stacks of nuclei are made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scopezoo.datasets.simulation.config import Name, parse_config
from scopezoo.datasets.simulation.instrument import (
    Count,
    Fraction,
    Instrument,
    NotNegative,
    Positive,
)
from scopezoo.datasets.split import Part

SMALL_SHAPE = 24, 64, 64


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tissue(_Section):
    """A specimen: its nuclei, how they lie, and how well they are seen."""

    name: Name
    part: Part
    """Of the dataset, whole specimens at a time."""
    microscope: Name
    half_axes_um: tuple[Positive, Positive, Positive]
    """Of a nucleus of middle size: z, y, x where nuclei lie flat."""
    size_variation: Fraction = 0.1
    """Standard deviation of the logarithm of each half axis."""
    flat: bool = False
    """Whether nuclei lie on their broad side, as in cultured cells; else in any direction."""
    filling: Annotated[float, Field(gt=0, le=0.4)]
    """Part of the layer's volume that nuclei take, where there is room for them."""
    touching: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Of the nuclei, those that are put against another."""
    layer_um: Positive = 100.0
    """Thickness of the layer in which the middles of nuclei lie, in the middle of the stack."""
    brightness_variation: Fraction = 0.2
    """Standard deviation of the logarithm of the nuclei's light."""
    contrast: Positive = 1.0
    """Of chromatin."""
    haze: NotNegative = 0.0
    """Smooth light between the nuclei, in parts of that of bright places."""
    signal: Positive = 1.0
    """Factor on the photons of the microscope."""
    background: NotNegative = 1.0
    """Factor on its background."""


class NucleiConfig(_Section):
    """One dataset: microscopes, and the specimens that they image."""

    name: Name
    description: str
    licence: str = "CC0-1.0"
    seed: Annotated[int, Field(ge=0)] = 1
    stacks: Count = 2
    """Of each specimen."""
    microscopes: Annotated[dict[Name, Instrument], Field(min_length=1)]
    specimens: Annotated[tuple[Tissue, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = [specimen.name for specimen in self.specimens]
        if len(set(names)) < len(names):
            raise ValueError(f"specimens: names must differ, found {', '.join(names)}")
        missing = {specimen.microscope for specimen in self.specimens} - set(self.microscopes)
        if missing:
            raise ValueError(f"specimens: no microscope {', '.join(sorted(missing))}")
        if any(microscope.kind == "transmitted" for microscope in self.microscopes.values()):
            raise ValueError("microscopes: expected fluorescence, found transmitted light")
        return self

    def small(self) -> NucleiConfig:
        """The same with one small stack of each specimen, for a try."""
        microscopes = {
            name: replace(microscope, shape=SMALL_SHAPE)
            for name, microscope in self.microscopes.items()
        }
        return self.model_copy(update={"microscopes": microscopes, "stacks": 1})


def read_nuclei_config(path: Path) -> NucleiConfig:
    """A configuration from a YAML file; raises FileError that names the first key that is wrong."""
    return parse_config(path, NucleiConfig)
