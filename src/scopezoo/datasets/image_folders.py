"""Folders of somebody's own images: pairs by name in two folders, or images alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from scopezoo.datasets.paired.manifest import (
    SIDES,
    Instrument,
    Manifest,
    Specimen,
    SpecimenSplit,
)
from scopezoo.datasets.paired.matching import as_id
from scopezoo.datasets.paired.splitting import same_fields
from scopezoo.datasets.paired.store import Dataset, NewImage, new_manifest
from scopezoo.datasets.split import Part, two_parts
from scopezoo.errors import FileError, IncompatibleImageError, ScopezooError
from scopezoo.formats import open_image
from scopezoo.image import Image
from scopezoo.result import split_ending

LAYOUTS = (("source", "target"), ("low", "GT"), ("low", "gt"), ("raw", "gt"))
"""Names of the two folders; `low` and `GT` are CARE's."""
ALONE = "images"
ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".npy", ".zarr")


def two_folders(folder: Path) -> tuple[Path, Path] | None:
    """The folders of sources and of targets below `folder`, where it has them."""
    for names in LAYOUTS:
        source, target = (folder / name for name in names)
        if source.is_dir() and target.is_dir():
            return source, target
    return None


def images_in(folder: Path) -> dict[str, Path]:
    """Files and OME-Zarr folders by name without ending."""
    return {
        split_ending(path)[0].name: path
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".") and (path.is_file() or "zarr" in path.suffix)
    }


def open_stack(path: Path) -> Image:
    """An image whose three axes, where the file does not name them, are ZYX."""
    try:
        return open_image(path)
    except ScopezooError as error:
        try:
            return open_image(path, axes="ZYX")
        except ScopezooError:
            raise error from None


def aligned_dataset(
    data: Path,
    folder: Path,
    voxel_um: dict[str, float],
    seed: int,
) -> Dataset:
    """A paired dataset in `folder` from images of one grid, four fifths of them for training.

    `data` has two folders with images of the same names and shapes, or images alone (in images/ or
    itself), which become their own targets. `voxel_um` by axis letter is for files without a pixel
    size. What shows one field stays in one part.

    Raises FileError for names without a partner and fewer than two fields, IncompatibleImageError
    for other shapes, several channels or times, and what `Dataset.add` raises.
    """
    manifest = new_manifest(
        as_id(data.resolve().name),
        data.resolve().name,
        instruments=[Instrument(id=side) for side in SIDES],
    )
    dataset = Dataset.create(folder, manifest)
    for name, paths in _pairs(data).items():
        images = [_usable(open_stack(path), voxel_um) for path in paths]
        shapes = [tuple(image.size(axis) for axis in "ZYX") for image in images]
        if shapes[0] != shapes[1]:
            raise IncompatibleImageError(
                f"{paths[0]} is {shapes[0]} (ZYX), {paths[1]} {shapes[1]}: expected images of one "
                "grid; put others on one by `scopezoo dataset import` and `register-all`"
            )
        pair_id = as_id(name)
        new = [NewImage(image, side) for image, side in zip(images, SIDES, strict=True)]
        dataset.add(pair_id, Specimen(id=pair_id), *new, aligned=True)
    parts = two_parts(same_fields(dataset), seed, str(data))
    by_part: dict[Part, list[str]] = {
        part: sorted(name for name, own in parts.items() if own == part)
        for part in ("training", "validation")
    }

    def split(old: Manifest) -> Manifest:
        return old.model_copy(update={"split": SpecimenSplit(seed=seed, parts=by_part)})

    dataset.update(split)
    return dataset


def _pairs(data: Path) -> dict[str, tuple[Path, Path]]:
    found = two_folders(data)
    if found is None:
        alone = data / ALONE if (data / ALONE).is_dir() else data
        images = {k: p for k, p in images_in(alone).items() if p.name.lower().endswith(ENDINGS)}
        if not images:
            raise FileError(
                f"{data} has no images: expected source/ and target/ with images of the same "
                "names, or images alone where no target is needed"
            )
        return {name: (path, path) for name, path in images.items()}
    sources, targets = (images_in(folder) for folder in found)
    lonely = sorted(sources.keys() ^ targets.keys())
    if lonely or not sources:
        missing = f": {lonely[0]} is in one of them alone" if lonely else " and are empty"
        raise FileError(f"{found[0]} and {found[1]} do not have images of the same names{missing}")
    return {name: (sources[name], targets[name]) for name in sources}


def _usable(image: Image, voxel_um: dict[str, float]) -> Image:
    if image.size("T") > 1 or image.size("C") > 1:
        raise IncompatibleImageError(
            f"{image.source} has axes {image.axes} {image.shape}: expected one channel and no time"
        )
    known = {axis: um for axis, um in voxel_um.items() if axis in image.axes}
    return replace(image, pixel_size_um={**known, **image.pixel_size_um})
