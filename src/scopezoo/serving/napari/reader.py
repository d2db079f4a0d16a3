"""Opens image files with their axes and pixel size, and the images of model packages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from scopezoo.result import split_ending
from scopezoo.serving.napari.ome_zarr import ome_zarr_parts
from scopezoo.serving.napari.package_images import package_layers
from scopezoo.serving.napari.pixels import LayerData, image_layers, open_levels
from scopezoo.store import open_package
from scopezoo.store.rdf import RDF_NAMES

Reader = Callable[[str | Sequence[str]], list[LayerData]]


def reader_of(path: str | Sequence[str]) -> Reader | None:
    """What opens `path`, by napari's protocol; None for what is neither image nor package."""
    if not isinstance(path, str):
        return None
    kind = _kind(Path(path))
    return None if kind is None else lambda paths: kind(Path(_one(paths)))


def _kind(path: Path) -> Callable[[Path], list[LayerData]] | None:
    if path.name.lower().endswith((".tif", ".tiff")):
        return _read_image
    if path.suffix == ".zip" or path.name in RDF_NAMES:
        return _read_package
    if path.is_dir() and any((path / name).exists() for name in RDF_NAMES):
        return _read_package
    zarr_files = (".zattrs", ".zgroup", "zarr.json")
    if path.is_dir() and any((path / name).exists() for name in zarr_files):
        return _read_ome_zarr
    return None


def _one(paths: str | Sequence[str]) -> str:
    return paths if isinstance(paths, str) else paths[0]


def _read_image(path: Path) -> list[LayerData]:
    return image_layers(open_levels(path), split_ending(path)[0].name)


def _read_package(path: Path) -> list[LayerData]:
    return package_layers(open_package(path.parent if path.name in RDF_NAMES else path))


def _read_ome_zarr(path: Path) -> list[LayerData]:
    """The image of an OME-Zarr, and each of its labels."""
    name = split_ending(path)[0].name
    parts = ome_zarr_parts(path)
    layers = image_layers(open_levels(path), name, parts.is_labels) if parts.has_image else []
    for label in parts.labels:
        layers += image_layers(open_levels(path / "labels" / label), f"{name} {label}", True)
    return layers
