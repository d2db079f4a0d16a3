"""Writes OME-Zarr 0.5 region by region: image or labels, chunks, pyramid, metadata.

Zarr's local store writes a chunk to a file of another name and renames it, so a chunk is never
half written; what a killed process leaves of such files is removed on resuming.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import zarr
from zarr.codecs import ZstdCodec

from scopezoo.errors import FileError, UsageError
from scopezoo.formats.image_writer import ImageWriter
from scopezoo.formats.new_image import NewImage
from scopezoo.formats.ome_zarr_metadata import image_metadata, label_metadata, multiscale
from scopezoo.formats.pyramid import fill_level, plan_levels
from scopezoo.image import AXES

PLANE_CHUNKS = {"Y": 512, "X": 512}
STACK_CHUNKS = {"Z": 64, "Y": 256, "X": 256}


def create_ome_zarr(path: Path, new: NewImage, resume: bool) -> ImageWriter:
    """An image at the root of a store, or a label image under `labels/` of it."""
    _check_target(path, new)
    axes = "".join(axis for axis in AXES if axis in new.axes)
    root = zarr.open_group(str(path), mode="a", zarr_format=3)
    group = root if new.labels is None else root.require_group(f"labels/{new.labels}")
    name = f"{path}/labels/{new.labels}" if new.labels else str(path)
    resumed = "0" in group
    if resumed and not resume:
        raise FileError(f"{name} already exists")
    if resumed:
        _remove_partial_files(path)
    pixels: Any = (
        group["0"] if resumed else _create_level(group, "0", new, axes, new.stored_shape(axes))
    )
    if (pixels.shape, pixels.dtype) != (new.stored_shape(axes), new.dtype):
        raise FileError(f"{name} is another image than the one to go on with; remove it")

    def finish() -> None:
        _finish(root, group, new, axes)

    return ImageWriter(path, pixels, new.order(axes), finish, resumed)


def _check_target(path: Path, new: NewImage) -> None:
    name = new.labels
    if name is not None and (not name or name.startswith(".") or set(name) & set("/\\:")):
        raise UsageError(f"labels cannot be called {name!r}: expected a plain name, e.g. nuclei")
    if path.is_dir() and any(path.iterdir()) and not (path / "zarr.json").exists():
        raise FileError(f"{path} is a folder that is no OME-Zarr 0.5; choose another name")


def _remove_partial_files(path: Path) -> None:
    for left in path.rglob("*.partial"):
        left.unlink()


def _create_level(
    group: zarr.Group, name: str, new: NewImage, axes: str, shape: tuple[int, ...]
) -> Any:
    return group.create_array(
        name,
        shape=shape,
        chunks=_chunks(new, axes, shape),
        dtype=new.dtype,
        compressors=ZstdCodec(level=1),
        fill_value=0,
        dimension_names=list(axes.lower()),
        overwrite=True,
    )


def _chunks(new: NewImage, axes: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    wished = {**(STACK_CHUNKS if new.size("Z") > 1 else PLANE_CHUNKS), **new.chunks}
    return tuple(min(wished.get(axis, 1), size) for axis, size in zip(axes, shape, strict=True))


def _finish(root: zarr.Group, group: zarr.Group, new: NewImage, axes: str) -> None:
    """Pyramid first, metadata last: a store with metadata is complete."""
    levels = plan_levels(dict(zip(axes, new.stored_shape(axes), strict=True)), new.pixel_size_um)
    finer: Any = group["0"]
    for i, level in enumerate(levels[1:], start=1):
        shape = tuple(level.sizes.values())
        coarser = _create_level(group, str(i), new, axes, shape)
        fill_level(finer, coarser, coarser.chunks, nearest=new.labels is not None)
        finer = coarser
    described = multiscale(new, axes, levels)
    if new.labels is None:
        group.attrs.put({"ome": image_metadata(new, axes, described, finer)})
        return
    group.attrs.put({"ome": label_metadata(described)})
    _list_labels(root, new.labels)
    if "ome" not in root.attrs:
        # labels without an image: readers that know only images find the first labels as one
        of_root = multiscale(new, axes, levels, folder=f"labels/{new.labels}/")
        root.attrs.put({"ome": {"version": "0.5", "multiscales": [of_root]}})


def _list_labels(root: zarr.Group, name: str) -> None:
    folder = root["labels"]
    listed: Any = folder.attrs.get("ome", {})
    names = [*listed.get("labels", [])]
    if name not in names:
        folder.attrs.put({"ome": {"version": "0.5", "labels": [*names, name]}})
