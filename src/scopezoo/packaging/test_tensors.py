"""Test tensors and sample images: how they are made, and what files they are."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.image import Image
from scopezoo.packaging.cover import sample_tiff, tensor_image
from scopezoo.packaging.interface import Interface, legal
from scopezoo.packaging.metadata import AXIS_IDS, Metadata
from scopezoo.packaging.tensors import Entry
from scopezoo.packaging.test_images import make_test_pixels
from scopezoo.store.files import sha256

TEST_PX = {"z": 32, "y": 256, "x": 256}
LETTERS = {axis: letter for letter, axis in AXIS_IDS.items()}

Arrays = Mapping[str, NDArray[Any]]


def make_test_inputs(
    metadata: Metadata, interface: Interface, entries: Sequence[Entry], folder: Path
) -> dict[str, NDArray[Any]]:
    """The test input of each entry of `inputs`; all have the sizes of the first.

    `folder` is where the image files' paths start. Raises what `make_test_pixels` raises.
    """
    wanted: dict[str, int] = dict(TEST_PX)
    wanted |= {str(axis): size for axis, size in metadata.inputs[0].test.size_px.items()}
    sizes = {a: legal(size, wanted.get(a, 1)) for a, size in interface.sizes.items()}
    found = {}
    for entry, said, port in zip(entries, metadata.inputs, interface.inputs, strict=True):
        channels = [len(axis.get("channel_names", "c")) for axis in entry["axes"]]
        fixed = {a: n for a, n in zip(said.axes, port.shape, strict=False) if n is not None}
        own = {"b": 1, "c": max(channels), **sizes, **fixed}
        found[entry["id"]] = make_test_pixels(said.test, said.axes, own, folder).astype(port.dtype)
    return found


def tensor_files(entries: Iterable[Entry], arrays: Arrays) -> dict[str, bytes]:
    """Test tensor and sample image of each entry that has an array."""
    files = {}
    for entry in entries:
        name = entry["id"]
        if name in arrays:
            files[f"test_{name}.npy"] = npy(arrays[name])
            files[f"sample_{name}.tif"] = sample_tiff(entry_image(entry, arrays[name]))
    return files


def with_tensor_files(entries: Iterable[Entry], files: Mapping[str, bytes]) -> list[Entry]:
    """The entries with the files that are theirs named in them."""
    found = []
    for entry in entries:
        names = {
            "test_tensor": f"test_{entry['id']}.npy",
            "sample_tensor": f"sample_{entry['id']}.tif",
        }
        named = {
            key: {"source": name, "sha256": sha256(files[name])}
            for key, name in names.items()
            if name in files
        }
        found.append({**entry, **named})
    return found


def entry_image(entry: Entry, array: NDArray[Any]) -> Image:
    """The array of a tensor as an image."""
    return tensor_image(array, "".join(LETTERS[a.get("id", a["type"])] for a in entry["axes"]))


def npy(array: NDArray[Any]) -> bytes:
    """The array in numpy's file format."""
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()
