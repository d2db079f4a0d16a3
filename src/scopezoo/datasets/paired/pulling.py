"""Brings a dataset, or the fields of it that are wanted, to this machine: verified, resumable.

A pair comes under a hidden name, file by file, each complete or not at all; when both images have
the SHA-256 of the manifest it is renamed, and then listed in `dataset.json`. So the folder is a
valid dataset at any time, and the same call goes on where another was stopped.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from scopezoo.datasets.paired.card import card
from scopezoo.datasets.paired.checking import differences
from scopezoo.datasets.paired.crate import CRATE
from scopezoo.datasets.paired.files import MANIFEST, FolderFiles
from scopezoo.datasets.paired.hashing import image_sha256
from scopezoo.datasets.paired.manifest import SIDES, ImageEntry, Manifest, Pair, Side
from scopezoo.datasets.paired.pulling_choice import Choice, part_of, placed, sound
from scopezoo.datasets.paired.pulling_opening import open_source
from scopezoo.datasets.paired.pulling_source import ListedFile, Progress, PullSource
from scopezoo.datasets.paired.rdf import COVER, RDF, README
from scopezoo.datasets.paired.store import FIELDS, SCHEMA, Dataset
from scopezoo.errors import FileError, PackageError, ScopezooError

SCRATCH = ".pulling"
"""What is fetched and is no part of the dataset."""
LOCK = ".pulling.lock"
HASH_BLOCK_BYTES = 1 << 20
SPARE_BYTES = 64 << 20
"""Disk that stays free."""
EVERYTHING = Choice()


def ignore_progress(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Pulled:
    """`dataset` is what is there now; `came` of its `pairs` were fetched, at least in part, and
    `all_pairs` are at the source."""

    dataset: Dataset
    pairs: int
    came: int
    fetched_bytes: int
    all_pairs: int


def pull_dataset(
    source: str,
    folder: Path,
    choice: Choice = EVERYTHING,
    *,
    token: str | None = None,
    progress: Progress = ignore_progress,
) -> Pulled:
    """Bring the pairs of `choice` to `folder`, which is made, or has some of the dataset already.

    `source` is the URL of a server's dataset or of a zip, a DOI of Zenodo, a folder or a zip. Pairs
    that are there already are verified, and mended where they are damaged. `progress` is told of
    bytes.

    Raises UsageError for a choice that nothing fits, DownloadError where a server is away, refuses
    or breaks off, PackageError for what is not as its manifest says, and FileError where there is
    no dataset, where `folder` holds something else, or cannot be written.
    """
    with open_source(source, token, folder / SCRATCH, progress) as remote:
        manifest = sound(remote.manifest, remote.name)
        wanted = choice.of(manifest)
        with _writing(folder):
            dataset = _open_or_create(folder, manifest)
            with _alone(folder):
                return _pull(remote, dataset, wanted, progress)


def _pull(
    remote: PullSource, dataset: Dataset, wanted: Sequence[Pair], progress: Progress
) -> Pulled:
    manifest = remote.manifest
    _check_is_part(dataset, manifest)
    sizes = {pair.id: sum(remote.image_bytes(pair, side) for side in SIDES) for pair in wanted}
    missing = [size - _here_bytes(dataset.location, name) for name, size in sizes.items()]
    _check_room(dataset.location, sum(size for size in missing if size > 0))
    tally = _Tally(sum(sizes.values()), progress)
    came = 0
    for pair in wanted:
        before = tally.fetched
        _pull_pair(remote, dataset, pair, tally)
        _list(dataset, manifest, pair)
        came += tally.fetched > before
    _describe(remote, dataset)
    shutil.rmtree(dataset.location / SCRATCH, ignore_errors=True)
    return Pulled(dataset, len(dataset.pairs), came, tally.fetched, len(manifest.pairs))


class _Tally:
    """Bytes that came and that are still to come; what is here already counts for neither."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.fetched = 0
        self._left = total
        self._progress = progress

    def skip(self, size: int) -> None:
        self._left -= size

    def coming(self, done: int) -> None:
        self._progress(self.fetched + done, max(self.fetched + self._left, 1))

    def came(self, size: int) -> None:
        self.fetched += size
        self._left -= size


def _places(folder: Path, pair_id: str) -> tuple[Path, Path]:
    """Where a pair is in the end, and where until then."""
    return folder / FIELDS / pair_id, folder / FIELDS / f".{pair_id}.part"


def _here_bytes(folder: Path, pair_id: str) -> int:
    paths = (path for place in _places(folder, pair_id) for path in place.rglob("*"))
    return sum(path.stat().st_size for path in paths if path.is_file())


def _pull_pair(remote: PullSource, dataset: Dataset, pair: Pair, tally: _Tally) -> None:
    final, unfinished = _places(dataset.location, pair.id)
    place = final if final.is_dir() else unfinished
    for side in SIDES:
        folder = place / f"{side}.ome.zarr"
        files = remote.files(pair, side)
        _remove_others(folder, {file.name for file in files})
        for file in files:
            _pull_file(remote, pair, side, file, folder / file.name, tally)
        _verify(remote.name, pair, side, place)
    if place is unfinished:
        unfinished.replace(final)


def _pull_file(
    remote: PullSource, pair: Pair, side: Side, file: ListedFile, path: Path, tally: _Tally
) -> None:
    if _is_same(path, file):
        tally.skip(file.size_bytes)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    remote.fetch(pair, side, file, path, lambda done, _all: tally.coming(done))
    tally.came(file.size_bytes)


def _is_same(path: Path, file: ListedFile) -> bool:
    if not path.is_file() or path.stat().st_size != file.size_bytes:
        return False
    found = {algorithm: _digest(path, algorithm) for algorithm in file.digests}
    return found == dict(file.digests)


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as stream:
        if algorithm != "crc32":
            return hashlib.file_digest(stream, algorithm).hexdigest()
        crc = 0
        while block := stream.read(HASH_BLOCK_BYTES):
            crc = zlib.crc32(block, crc)
        return f"{crc:08x}"


def _remove_others(folder: Path, names: set[str]) -> None:
    """What another version of the image left; half of a file that is to come stays."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() and name not in names and name.removesuffix(".partial") not in names:
            path.unlink()


def _verify(source: str, pair: Pair, side: Side, place: Path) -> None:
    """Raise PackageError unless the image is what the manifest says."""
    name = f"{side}.ome.zarr"
    files = FolderFiles(place)
    entry = pair.image(side)
    found = image_sha256(files, name, files.names(name))
    if found != entry.sha256:
        problem = f"has sha256 {found[:12]}…, the manifest says {entry.sha256[:12]}…"
    else:
        problem = _metadata_problem(files, name, entry)
    if problem:
        shutil.rmtree(place / name)  # nothing tells which of its files is wrong
        raise PackageError(f"{source}: {side} of {pair.id} {problem}")


def _metadata_problem(files: FolderFiles, name: str, entry: ImageEntry) -> str:
    """What the image as a whole says that it should not: this file has no SHA-256."""
    try:
        return "; ".join(differences(files.image(name), entry))
    except ScopezooError as error:
        return f"cannot be opened ({error})"


def _list(dataset: Dataset, manifest: Manifest, pair: Pair) -> None:
    """Add a pair to `dataset.json`; what others say there of pairs that have not changed is as new
    as the source."""

    def listed(old: Manifest) -> Manifest:
        here = {one.id: one for one in old.pairs}
        new = {one.id: placed(one) for one in manifest.pairs}
        here[pair.id] = new[pair.id]
        kept = [_newer(here[name], new[name]) for name in new if name in here]
        return part_of(manifest, kept)

    if listed(dataset.manifest) != dataset.manifest:
        dataset.update(listed)


def _newer(here: Pair, there: Pair) -> Pair:
    same = all(here.image(side).sha256 == there.image(side).sha256 for side in SIDES)
    return there if same else here


def _describe(remote: PullSource, dataset: Dataset) -> None:
    """Card and descriptions: the source's where all of it is here, else a card of what is."""
    every, here = len(remote.manifest.pairs), len(dataset.pairs)
    names = [README, RDF, COVER, CRATE]
    found = {name: content for name in names if (content := remote.extra(name)) is not None}
    if here < every:
        for name in (RDF, CRATE):
            (dataset.location / name).unlink(missing_ok=True)
        note = f"**A part: {here} of the {every} pairs of the whole dataset.**\n\n"
        head, _, rest = card(dataset.manifest).partition("\n\n")
        text = f"{head}\n\n{note}{rest}".encode()
        found = {README: text, **{name: found[name] for name in (COVER,) if name in found}}
    dataset.put_files(found)


def _open_or_create(folder: Path, manifest: Manifest) -> Dataset:
    """The dataset in `folder`; an empty one, made at once with its manifest, if there is none."""
    if (folder / MANIFEST).exists():
        return Dataset.open(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if any(path.name not in (SCRATCH, SCHEMA) for path in folder.iterdir()):
        raise FileError(f"{folder} exists and is no dataset; give another output")
    made = folder / SCRATCH / f"new-{os.getpid()}"
    Dataset.create(made, part_of(manifest, []))
    for name in (SCHEMA, MANIFEST):
        (made / name).replace(folder / name)
    return Dataset.open(folder)


def _check_is_part(dataset: Dataset, manifest: Manifest) -> None:
    here = dataset.manifest
    if here.id != manifest.id:
        raise FileError(
            f"{dataset.location} is the dataset {here.id!r}, not {manifest.id!r}; give another "
            "output"
        )
    unknown = [pair.id for pair in here.pairs if manifest.pair(pair.id) is None]
    if unknown:
        raise FileError(
            f"{dataset.location} has pairs that the source does not have ({', '.join(unknown[:5])})"
            "; give another output"
        )


def _check_room(folder: Path, needed_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed_bytes + SPARE_BYTES > free:
        raise FileError(
            f"{folder} has room for {free / 1e9:.1f} GB, {needed_bytes / 1e9:.1f} GB are to come; "
            "pull fewer pairs, or give an output on another disk"
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time pulls into a folder; a killed one holds nobody up."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise FileError(f"another pull into {folder} is at work; wait for it") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        raise FileError(f"{where} cannot be written: {error.strerror or error}") from error
