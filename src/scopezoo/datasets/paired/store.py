"""A dataset on disk: opened, made, added to, registered.

Pixels lie in `fields/<pair>/{source,target}.ome.zarr`. A pair is written under a hidden name,
renamed, and then listed in `dataset.json`, which is replaced as a whole: what it lists is complete.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from numpy.typing import NDArray

import scopezoo
from scopezoo.datasets.paired.copying import Progress, copy_image, stored_axes
from scopezoo.datasets.paired.files import MANIFEST, DatasetFiles, FolderFiles, open_files
from scopezoo.datasets.paired.hashing import image_sha256
from scopezoo.datasets.paired.manifest import (
    SIDES,
    ImageEntry,
    Manifest,
    Pair,
    Quality,
    Side,
    Specimen,
    Status,
    Transform,
    VoxelSize,
    manifest_schema,
    parse_manifest,
)
from scopezoo.datasets.smooth import Smooth
from scopezoo.datasets.split import Part
from scopezoo.errors import FileError, UsageError
from scopezoo.image import Image

if TYPE_CHECKING:
    from scopezoo.datasets.paired.patches import Grid, Patch

SCHEMA = "dataset.schema.json"
FIELDS = "fields"
MAX_MANIFEST_BYTES = 256 << 20
TRANSFORM_KEY = "scopezoo"
"""Attribute of the source's OME-Zarr that holds the registered transform. OME-Zarr 0.5 itself has
room for scale and translation only."""


@dataclass(frozen=True)
class NewImage:
    """An image to be added, the instrument it was taken with, and the channel that is meant."""

    image: Image
    instrument: str
    channel: int | str | None = None
    original: str | None = None


class Dataset:
    """Pairs of images; `manifest` is what `dataset.json` said when it was last read."""

    def __init__(self, files: DatasetFiles, manifest: Manifest) -> None:
        self.files = files
        self.manifest = manifest

    @classmethod
    def open(cls, location: str | Path) -> Dataset:
        """The dataset in a folder or a zip; raises FileError where there is no sound one."""
        files = open_files(Path(location))
        return cls(files, _read_manifest(files))

    @classmethod
    def create(cls, folder: str | Path, manifest: Manifest) -> Dataset:
        """A new dataset without pairs; raises FileError where something is there already."""
        path = Path(folder)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise FileError(f"{path} exists and is no dataset; give another output")
        path.mkdir(parents=True, exist_ok=True)
        _write(path / SCHEMA, json.dumps(manifest_schema(), indent=2).encode() + b"\n")
        _write(path / MANIFEST, manifest.to_json().encode())
        return cls.open(path)

    @property
    def location(self) -> Path:
        return self.files.location

    @property
    def pairs(self) -> list[Pair]:
        return self.manifest.pairs

    def pairs_of(self, part: Part | None) -> list[Pair]:
        """The registered pairs of a part, of all parts for None.

        Raises UsageError where there is no split, or no such pair.
        """
        split = self.manifest.split
        if part is not None and split is None:
            raise UsageError(f"{self.location} has no split: run `scopezoo dataset split` first")
        of_part = [
            pair
            for pair in self.pairs
            if part is None or (split and split.part_of(pair.specimen) == part)
        ]
        chosen = [pair for pair in of_part if pair.status == "registered"]
        if not chosen:
            failed = sum(pair.status == "failed" for pair in of_part)
            raise UsageError(
                f"{self.location} has no registered pair in {part or 'it'}: of {len(of_part)} "
                f"pairs {failed} could not be registered (`scopezoo dataset check` says why), and "
                f"{len(of_part) - failed} were not tried (run `scopezoo dataset register-all`)"
            )
        return chosen

    def image(self, entry: ImageEntry, level: int = 0) -> Image:
        """An image of a pair, lazily; all its channels."""
        return self.files.image(entry.path, level)

    def add(
        self,
        pair_id: str,
        specimen: Specimen,
        source: NewImage,
        target: NewImage,
        *,
        aligned: bool = False,
        progress: Progress = lambda _done, _all: None,
    ) -> Pair:
        """Copy a pair into the dataset and list it.

        With `aligned`, both images are of one grid and the transform is the identity. Raises
        UsageError for an id that is taken, IncompatibleImageError for pixels that cannot be used,
        FileError where the dataset cannot be written; nothing is left behind then.
        """
        if self.manifest.pair(pair_id):
            raise UsageError(f"{self.location} has a pair {pair_id!r} already")
        _check_sizes(source.image, target.image)
        root = self._folder()
        unfinished, final = root / FIELDS / f".{pair_id}.part", root / FIELDS / pair_id
        for leftover in (unfinished, final):
            shutil.rmtree(leftover, ignore_errors=True)
        total = source.image.nbytes + target.image.nbytes
        try:
            unfinished.mkdir(parents=True)
            entries = []
            done = 0
            for side, new in zip(SIDES, (source, target), strict=True):

                def copied(part: int, _all: int, before: int = done) -> None:
                    progress(before + part, total)

                copy_image(new.image, unfinished / f"{side}.ome.zarr", copied)
                entries.append(_entry(unfinished, pair_id, side, new))
                done += new.image.nbytes
            unfinished.replace(final)
        except OSError as error:
            raise FileError(f"{final} cannot be written: {error.strerror or error}") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        identity = [[float(i == j) for j in range(4)] for i in range(4)]
        pair = Pair(
            id=pair_id,
            specimen=specimen.id,
            source=entries[0],
            target=entries[1],
            source_to_target=Transform(matrix=identity) if aligned else None,
            status="registered" if aligned else "unregistered",
        )

        def listed(old: Manifest) -> Manifest:
            known = any(one.id == specimen.id for one in old.specimens)
            specimens = old.specimens if known else [*old.specimens, specimen]
            return old.model_copy(update={"pairs": [*old.pairs, pair], "specimens": specimens})

        self.update(listed)
        return pair

    def set_registration(
        self,
        pair_id: str,
        matrix: NDArray[Any] | Sequence[Sequence[float]] | None,
        quality: Mapping[str, Any] | None,
        *,
        status: Status,
        reasons: Sequence[str] = (),
        smooth: Smooth | None = None,
    ) -> None:
        """Store what a registration found, in the manifest and beside the source's OME metadata."""
        rows = None if matrix is None else [[float(value) for value in row] for row in matrix]
        transform = None if rows is None else Transform(matrix=rows, smooth=smooth)

        def registered(old: Manifest) -> Manifest:
            pairs = [
                Pair(
                    **{
                        **dict(pair),
                        "source_to_target": transform,
                        "quality": None if quality is None else Quality.model_validate(quality),
                        "status": status,
                        "reasons": list(reasons),
                    }
                )
                if pair.id == pair_id
                else pair
                for pair in old.pairs
            ]
            return old.model_copy(update={"pairs": pairs})

        pair = self.manifest.pair(pair_id)
        if pair is None:
            raise UsageError(f"{self.location} has no pair {pair_id!r}")
        self.update(registered)
        _note_transform(self._folder() / pair.source.path, transform)

    def put_files(self, files: Mapping[str, bytes]) -> None:
        """Write files beside the manifest, each complete or not at all."""
        for name, content in files.items():
            _write(self._folder() / name, content)

    def update(self, change: Callable[[Manifest], Manifest]) -> None:
        """Replace the manifest by `change` of what it is on disk now; one process at a time."""
        root = self._folder()
        with FileLock(root / ".dataset.lock"):
            changed = change(_read_manifest(self.files))
            _write(root / MANIFEST, changed.to_json().encode())
        self.manifest = changed

    def patches(
        self,
        part: Part | None,
        size: Sequence[int],
        seed: int,
        *,
        grid: Grid = "source",
        foreground: float = 0.8,
        order: int = 1,
    ) -> Iterator[Patch]:
        """An endless stream of aligned patches, see `scopezoo.datasets.paired.patches`."""
        from scopezoo.datasets.paired.patches import Patches

        return iter(Patches(self, part, size, seed, grid=grid, foreground=foreground, order=order))

    def _folder(self) -> Path:
        if not isinstance(self.files, FolderFiles):
            raise UsageError(f"{self.location} is an archive, which is only read; unpack it first")
        return self.location


def _read_manifest(files: DatasetFiles) -> Manifest:
    name = f"{files.location}/{MANIFEST}"
    try:
        with files.open(MANIFEST) as stream:
            text = stream.read(MAX_MANIFEST_BYTES + 1)
    except FileError as error:
        raise FileError(f"{files.location} is no dataset: it has no {MANIFEST}") from error
    if len(text) > MAX_MANIFEST_BYTES:
        raise FileError(f"{name} is larger than {MAX_MANIFEST_BYTES} bytes")
    return parse_manifest(text, name)


def _check_sizes(*images: Image) -> None:
    for image in images:
        missing = [a for a in stored_axes(image) if a != "C" and a not in image.pixel_size_um]
        if missing:
            raise UsageError(f"{image.source} has no pixel size along {' and '.join(missing)}")


def _entry(folder: Path, pair_id: str, side: Side, new: NewImage) -> ImageEntry:
    files = FolderFiles(folder)
    name = f"{side}.ome.zarr"
    axes = stored_axes(new.image)
    sizes = {axis.lower(): new.image.pixel_size_um[axis] for axis in axes if axis != "C"}
    return ImageEntry(
        path=f"{FIELDS}/{pair_id}/{name}",
        instrument=new.instrument,
        channel=new.channel,
        sha256=image_sha256(files, name, files.names(name)),
        axes=axes,
        shape=tuple(new.image.size(axis) for axis in axes),
        dtype=str(new.image.dtype),
        voxel_um=VoxelSize(**sizes),
        original=new.original,
    )


def _note_transform(path: Path, transform: Transform | None) -> None:
    import zarr

    try:
        group = zarr.open_group(str(path), mode="r+")
    except FileNotFoundError as error:
        if transform is None:
            return  # the image that could not be read is why there is none
        raise FileError(f"{path} is no OME-Zarr") from error
    attributes = dict(group.attrs)
    attributes.pop(TRANSFORM_KEY, None)
    if transform is not None:
        attributes[TRANSFORM_KEY] = {
            "source_to_target": {
                **transform.model_dump(mode="json"),
                "from": "source",
                "to": "target",
            }
        }
    group.attrs.put(attributes)


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise FileError(f"{path} cannot be written: {error.strerror or error}") from error


def new_manifest(dataset_id: str, name: str, **fields: Any) -> Manifest:
    """A manifest without pairs, made by this version."""
    made = f"scopezoo {scopezoo.__version__}"
    return Manifest(id=dataset_id, name=name, created_with=made, **fields)
