"""A dataset in a zip, here or behind a URL, as a source to pull from: only what is wanted is read.

Of a zip behind a URL the directory at its end is read first, then the members of the wanted
fields, which `publish` puts beside each other.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from scopezoo.datasets.paired.files import MANIFEST, base_of, below
from scopezoo.datasets.paired.manifest import Manifest, Pair, Side, parse_manifest
from scopezoo.datasets.paired.pulling_source import (
    MAX_EXTRA_BYTES,
    ListedFile,
    Progress,
    checked_files,
)
from scopezoo.datasets.paired.store import MAX_MANIFEST_BYTES
from scopezoo.errors import FileError, PackageError, ScopezooError, UnsafePackageError
from scopezoo.store.files import zip_problems

MAX_FILES = 500_000
MAX_TOTAL_BYTES = 1 << 50
"""A petabyte: what there is room for is asked before anything is fetched."""
BLOCK_BYTES = 1 << 20


class ArchiveSource:
    """`stream` is the zip, and closed with this."""

    def __init__(self, name: str, stream: io.BufferedReader) -> None:
        self.name = name
        self._stream = stream
        try:
            self._zip = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            raise FileError(f"{name} is no zip of a dataset ({error})") from error
        members = self._zip.infolist()
        problems = zip_problems(members, MAX_FILES, MAX_TOTAL_BYTES)
        if problems:
            raise UnsafePackageError(f"{name}: {'; '.join(problems[:5])}")
        files = {one.filename: one for one in members if not one.is_dir()}
        base = base_of(list(files))
        self._members: Mapping[str, zipfile.ZipInfo] = {
            path.removeprefix(base): one for path, one in files.items() if path.startswith(base)
        }
        self._names = sorted(self._members)
        self._manifest = self._read_manifest()

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def image_bytes(self, pair: Pair, side: Side) -> int:
        return sum(one.file_size for one in self._of(pair, side).values())

    def files(self, pair: Pair, side: Side) -> list[ListedFile]:
        members = self._of(pair, side).items()
        in_order = sorted(members, key=lambda item: item[1].header_offset)
        listed = [
            ListedFile(name, one.file_size, {"crc32": f"{one.CRC:08x}"}) for name, one in in_order
        ]
        checked_files(self.name, pair, side, listed)
        return listed

    def fetch(
        self, pair: Pair, side: Side, file: ListedFile, path: Path, progress: Progress
    ) -> None:
        name = f"{pair.image(side).path}/{file.name}"
        partial = path.with_name(f"{path.name}.partial")
        done = 0
        with partial.open("wb") as copy:
            try:
                with self._zip.open(self._members[name]) as stream:
                    while block := stream.read(BLOCK_BYTES):
                        copy.write(block)
                        done += len(block)
                        progress(done, file.size_bytes)
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
                self._damaged(name, error)
        if done != file.size_bytes:
            self._damaged(name, f"{done} bytes, {file.size_bytes} are stated")
        partial.replace(path)

    def extra(self, name: str) -> bytes | None:
        member = self._members.get(name)
        if member is None or member.file_size > MAX_EXTRA_BYTES:
            return None
        return self._read(name, MAX_EXTRA_BYTES)

    def close(self) -> None:
        self._zip.close()
        self._stream.close()

    def _of(self, pair: Pair, side: Side) -> dict[str, zipfile.ZipInfo]:
        path = pair.image(side).path
        names = below(self._names, path)
        return {name.removeprefix(f"{path}/"): self._members[name] for name in names}

    def _read_manifest(self) -> Manifest:
        if MANIFEST not in self._members:
            raise FileError(f"{self.name} is no dataset: it has no {MANIFEST}")
        size = self._members[MANIFEST].file_size
        if size > MAX_MANIFEST_BYTES:
            raise FileError(f"{self.name}: {MANIFEST} has {size} bytes, over {MAX_MANIFEST_BYTES}")
        return parse_manifest(self._read(MANIFEST, size), f"{self.name}/{MANIFEST}")

    def _read(self, name: str, limit_bytes: int) -> bytes:
        try:
            with self._zip.open(self._members[name]) as stream:
                return stream.read(limit_bytes)
        except ScopezooError:
            raise
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
            self._damaged(name, error)

    def _damaged(self, name: str, why: object) -> NoReturn:
        raise PackageError(f"{self.name}: {name} is damaged ({why})")
