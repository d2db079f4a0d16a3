"""What a dataset that is pulled must be able to tell and to give, wherever it lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from scopezoo.datasets.paired.manifest import Manifest, Pair, Side
from scopezoo.errors import UnsafePackageError
from scopezoo.store.files import MAX_FILE_BYTES, name_problem

Progress = Callable[[int, int], None]
"""Told the bytes that are there and the bytes known of so far."""
MAX_IMAGE_FILES = 500_000
MAX_EXTRA_BYTES = 20_000_000


@dataclass(frozen=True)
class ListedFile:
    """A file of an image by its path in the OME-Zarr; `digests` are hexadecimal, by algorithm.

    A zip states "crc32" alone: it shows damage, and the manifest's SHA-256 of the whole image the
    rest.
    """

    name: str
    size_bytes: int
    digests: Mapping[str, str] = field(default_factory=dict)


class PullSource(Protocol):
    """A dataset elsewhere. All of it raises DownloadError, FileError and PackageError."""

    name: str

    @property
    def manifest(self) -> Manifest: ...

    def image_bytes(self, pair: Pair, side: Side) -> int:
        """Bytes of all files of an image."""
        ...

    def files(self, pair: Pair, side: Side) -> list[ListedFile]:
        """The files of an image, checked by `checked_files`."""
        ...

    def fetch(
        self, pair: Pair, side: Side, file: ListedFile, path: Path, progress: Progress
    ) -> None:
        """Bring a file to `path`, which appears when it is whole and has its digests."""
        ...

    def extra(self, name: str) -> bytes | None:
        """A file beside the manifest; None where there is none."""
        ...

    def close(self) -> None: ...


def checked_files(source: str, pair: Pair, side: Side, files: Sequence[ListedFile]) -> None:
    """Raise UnsafePackageError for files that no image of a dataset has: hidden ones, paths out of
    it, one twice, too many, too large."""
    entry = f"{source}: {side} of {pair.id}"
    if len(files) > MAX_IMAGE_FILES:
        raise UnsafePackageError(f"{entry} has {len(files)} files; at most {MAX_IMAGE_FILES}")
    seen: set[str] = set()
    for file in files:
        problem = name_problem(file.name)
        if problem or any(part.startswith(".") or not part for part in file.name.split("/")):
            raise UnsafePackageError(f"{entry}: {problem or f'{file.name!r} is a hidden file'}")
        if file.name in seen:
            raise UnsafePackageError(f"{entry}: {file.name!r} is listed twice")
        seen.add(file.name)
        if not 0 <= file.size_bytes <= MAX_FILE_BYTES:
            raise UnsafePackageError(
                f"{entry}: {file.name!r} has {file.size_bytes} bytes; at most {MAX_FILE_BYTES}"
            )
