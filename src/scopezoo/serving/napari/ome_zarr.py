"""What an OME-Zarr group holds: an image, labels, or both. https://ngff.openmicroscopy.org/0.5/"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class OmeZarrParts:
    """`has_image`: the group shows pixels that are not those of its labels; `is_labels`: they are
    labels; `labels`: names of the label images below it.
    """

    has_image: bool
    is_labels: bool
    labels: tuple[str, ...]


def ome_zarr_parts(path: Path) -> OmeZarrParts:
    """Look at a group's metadata; a group of another kind counts as an image, to be refused."""
    import zarr

    group: Any = zarr.open_group(path, mode="r")
    metadata = dict(group.attrs).get("ome", dict(group.attrs))
    labels = tuple(sorted(group["labels"].group_keys())) if "labels" in group else ()
    multiscales = metadata.get("multiscales") or [{}]
    paths = [str(level.get("path")) for level in multiscales[0].get("datasets") or []]
    shows_labels = bool(paths) and paths[0].startswith("labels/")
    return OmeZarrParts(not (labels and shows_labels), "image-label" in metadata, labels)
