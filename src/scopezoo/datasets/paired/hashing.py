"""The SHA-256 of an image: of the list of its chunks, as `sha256sum` prints it.

In the folder of the OME-Zarr, `find * -mindepth 1 -type f | LC_ALL=C sort | xargs sha256sum |
sha256sum` gives the same. The metadata of the image as a whole (`zarr.json` at its root) is not in
it: registering changes that, and what it says is checked against the manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import BinaryIO, Protocol

BLOCK_BYTES = 1 << 20


class Opens(Protocol):
    def open(self, name: str) -> BinaryIO: ...


def image_sha256(files: Opens, folder: str, names: Iterable[str]) -> str:
    """`names` are paths of files; those below `folder` count, in the order of their bytes."""
    whole = hashlib.sha256()
    prefix = f"{folder}/"
    inner = (name.removeprefix(prefix) for name in names if name.startswith(prefix))
    for name in sorted((name for name in inner if is_hashed(name)), key=str.encode):
        whole.update(f"{file_sha256(files, prefix + name)}  {name}\n".encode())
    return whole.hexdigest()


def is_hashed(name: str) -> bool:
    """Whether a file, by its path in the image, is a chunk or the description of a level."""
    return "/" in name and not any(part.startswith(".") for part in name.split("/"))


def file_sha256(files: Opens, name: str) -> str:
    """Hexadecimal SHA-256 of one file."""
    digest = hashlib.sha256()
    with files.open(name) as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
