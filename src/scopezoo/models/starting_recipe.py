"""A recipe to start from, for somebody's own pairs: what the dataset tells is filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from pathlib import Path
from string import Template
from textwrap import fill
from typing import Any

import numpy as np
import yaml

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired.manifest import Instrument, Manifest, Pair
from scopezoo.datasets.paired.sampling import GriddedImage, index_matrix, is_inside
from scopezoo.errors import FileError, UsageError
from scopezoo.formats import create_image
from scopezoo.formats.limits import writing
from scopezoo.models.recipe import parse_recipe

RECIPE = "recipe.yaml"
TEST_IMAGE = "test_stack.tif"
TEST_PX = (16, 104, 104)
"""Of the test image at most, z y x."""
MIN_SLICES = 3
PLACES = 9
"""Along each axis, at which a patch is tried."""
MAX_DESCRIPTION = 512
LONG_TEXT = 80


@dataclass(frozen=True)
class Plan:
    """A network and how long it learns; sizes are at most these."""

    channels: tuple[int, ...]
    slices: int
    patch_px: int
    batch: int
    steps: int
    validate_every: int
    warmup_steps: int
    average_decay: float

    @property
    def stride(self) -> int:
        return int(2 ** len(self.channels))

    def sizes(self) -> Iterator[tuple[int, int]]:
        """Slices and patches that could do, the largest first."""
        for slices in range(self.slices, MIN_SLICES - 1, -2):
            for px in range(self.patch_px, self.stride, -self.stride):
                yield slices, px


FULL = Plan((32, 48, 64), 9, 80, 6, 3000, 150, 50, 0.99)
SMALL = Plan((16, 24, 32), 5, 48, 4, 150, 50, 10, 0.95)
"""A try in a minute."""


def write_starting_recipe(dataset: Dataset, folder: Path, *, small: bool = False) -> Path:
    """Write `recipe.yaml` and the stack by which its package will prove itself into a folder.

    The folder's name becomes the model's id. Patches are as large as every registered pair of the
    training and validation parts has room for.

    Raises UsageError for a dataset that is not registered or split, for planes, for fields too
    small to learn from and a folder's name that is no id; FileError where the folder has a recipe.
    """
    path = folder / RECIPE
    if path.exists():
        raise FileError(f"{path} exists: edit it, or give another folder")
    model_id = _id(folder)
    plan = SMALL if small else FULL
    learned_from = [*dataset.pairs_of("training"), *dataset.pairs_of("validation")]
    slices, patch_px = _sizes_for(dataset, learned_from, plan)
    shown = dataset.pairs_of("test")[0]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    size_px = _write_test_image(dataset, shown, folder / TEST_IMAGE, plan.stride)
    voxel = shown.source.voxel_um
    text = _filled(
        {
            **_words(dataset.manifest, model_id, learned_from),
            "channels": list(plan.channels),
            "slices": slices,
            "pixel_size_um": {"z": voxel.z, "y": voxel.y, "x": voxel.x},
            "test_image": TEST_IMAGE,
            "credit": f"the middle of {shown.id} of the dataset's test part"
            f" ({dataset.manifest.license or 'no licence given'})",
            "size_px": size_px,
            "steps": plan.steps,
            "validate_every": plan.validate_every,
            "batch": plan.batch,
            "patch_px": patch_px,
            "stride": plan.stride,
            "warmup_steps": plan.warmup_steps,
            "average_decay": plan.average_decay,
        }
    )
    parse_recipe(yaml.safe_load(text))
    with writing(path):
        path.write_text(text, encoding="utf-8")
    return path


def _id(folder: Path) -> str:
    name = folder.resolve().name
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise UsageError(
            f"{name!r} cannot be a model's id, which the folder's name becomes: use small letters, "
            "digits and hyphens"
        )
    return name


def _sizes_for(dataset: Dataset, pairs: Sequence[Pair], plan: Plan) -> tuple[int, int]:
    grids = [_grids(dataset, pair) for pair in pairs]
    if any(source.is_plane for source, _, _ in grids):
        raise UsageError(
            f"{dataset.location} has planes: the network that recipes know for pairs takes stacks"
        )
    for slices, px in plan.sizes():
        if all(_has_room(grid, (slices, px, px)) for grid in grids):
            return slices, px
    raise UsageError(
        f"{dataset.location}: a pair's images have less than {MIN_SLICES} planes of "
        f"{2 * plan.stride}×{2 * plan.stride} pixels in common: too small to learn from"
    )


def _grids(dataset: Dataset, pair: Pair) -> tuple[GriddedImage, GriddedImage, Any]:
    """Source and target, and the matrix between their indices."""
    source, target = (
        GriddedImage.of(dataset.image(entry), entry) for entry in (pair.source, pair.target)
    )
    assert pair.source_to_target is not None  # of a registered pair
    return source, target, index_matrix(pair.source_to_target.array, source, target)


def _has_room(grid: tuple[GriddedImage, GriddedImage, Any], size: Sequence[int]) -> bool:
    """Whether a patch on the source's grid lies in both images at one of many places."""
    source, target, matrix = grid
    room = np.subtract(source.shape, size)
    if room.min() < 0:
        return False
    starts = (np.unique(np.linspace(0, most, PLACES).astype(int)) for most in room)
    return any(
        is_inside(
            (slice(z, z + size[0]), slice(y, y + size[1]), slice(x, x + size[2])),
            matrix,
            target.shape,
        )
        for z, y, x in product(*starts)
    )


def _write_test_image(dataset: Dataset, pair: Pair, path: Path, stride: int) -> dict[str, int]:
    """The middle of a source; its size."""
    source = GriddedImage.of(dataset.image(pair.source), pair.source)
    wished = [min(*both) for both in zip(source.shape, TEST_PX, strict=True)]
    sizes = [wished[0], *(max(px // stride * stride, stride) for px in wished[1:])]
    starts = [(n - size) // 2 for n, size in zip(source.shape, sizes, strict=True)]
    z, y, x = (slice(start, start + size) for start, size in zip(starts, sizes, strict=True))
    pixels = source.read((z, y, x)).astype(source.image.dtype)
    path.unlink(missing_ok=True)
    writer = create_image(
        path,
        shape=pixels.shape,
        dtype=pixels.dtype,
        axes="ZYX",
        pixel_size_um=dict(zip("ZYX", source.voxel_um, strict=True)),
    )
    writer[tuple(slice(0, n) for n in pixels.shape)] = pixels
    writer.close()
    return dict(zip("zyx", pixels.shape, strict=True))


def _words(manifest: Manifest, model_id: str, pairs: Sequence[Pair]) -> dict[str, Any]:
    """What the dataset tells of the model."""
    source, target = (
        manifest.instrument(entry.instrument) for entry in (pairs[0].source, pairs[0].target)
    )
    specimens = {pair.specimen for pair in pairs}
    known = [one for one in manifest.specimens if one.id in specimens]
    stains = sorted({one.stain for one in known if one.stain})
    limits = (
        f"It has seen {len(pairs)} fields of {len(specimens)} specimens. Images of another "
        "microscope, objective, stain or kind of specimen may come out wrong. Grey values of the "
        "result are no measure of fluorophores: never quantify intensities in it, and check every "
        "structure that matters in the raw image."
    )
    if any(one.simulated for one in known):
        limits = f"Trained on simulated images: it has seen no real microscope. {limits}"
    taken = f"Stacks taken as those of the dataset {manifest.name} were: {_setup(source)}"
    return {
        "id": model_id,
        "dataset": manifest.id.lower(),
        "name": f"{_kind(source, 'source')} to {_kind(target, 'target')} ({manifest.name})",
        "description": (
            f"Makes stacks of {_microscope(source)} look as {_microscope(target)} would have shown "
            f"them, on the same voxels. Trained on the pairs of {manifest.name}."
        )[:MAX_DESCRIPTION],
        "authors": [
            author.model_dump(include={"name", "affiliation"}, exclude_none=True)
            for author in manifest.authors
        ],
        "license": manifest.license or "CC-BY-4.0",
        "tags": sorted({"restoration", "3d", "fluorescence", *_modalities(source, target)}),
        "intended_use": f"{taken}{', of ' if stains else ''}{' and '.join(stains)}.",
        "limitations": limits,
    }


def _microscope(one: Instrument | None) -> str:
    return (one.microscope if one else None) or "the microscope"


def _kind(one: Instrument | None, otherwise: str) -> str:
    return ((one.modality if one else None) or otherwise).capitalize()


def _setup(one: Instrument | None) -> str:
    parts = [_microscope(one)]
    if one and one.objective:
        parts.append(one.objective)
    if one and one.wavelength_um:
        parts.append(f"emission near {one.wavelength_um * 1000:.0f} nm")
    return ", ".join(parts)


def _modalities(*instruments: Instrument | None) -> list[str]:
    return [one.modality for one in instruments if one and one.modality]


def _filled(values: dict[str, Any]) -> str:
    """The template with its values."""
    text = (files("scopezoo.models") / "starting_recipe.yaml").read_text(encoding="utf-8")
    return Template(text).substitute({key: _as_yaml(value) for key, value in values.items()})


def _as_yaml(value: Any) -> str:
    """A long text as a block of lines, all else as JSON, which is YAML too."""
    if isinstance(value, str) and len(value) > LONG_TEXT:
        return ">-\n" + fill(value, 98, initial_indent="  ", subsequent_indent="  ")
    return json.dumps(value, ensure_ascii=False)
