"""A dataset in a folder of this machine, a mounted disk for example, as a source to pull from."""

from __future__ import annotations

import shutil
from pathlib import Path

from scopezoo.datasets.paired.files import FolderFiles
from scopezoo.datasets.paired.hashing import file_sha256
from scopezoo.datasets.paired.manifest import Manifest, Pair, Side
from scopezoo.datasets.paired.pulling_source import (
    MAX_EXTRA_BYTES,
    ListedFile,
    Progress,
    checked_files,
)
from scopezoo.datasets.paired.store import Dataset
from scopezoo.errors import FileError


class FolderSource:
    """Files are hashed when they are listed, and again in the copy."""

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._dataset = Dataset.open(folder)
        self._files = FolderFiles(folder)

    @property
    def manifest(self) -> Manifest:
        return self._dataset.manifest

    def image_bytes(self, pair: Pair, side: Side) -> int:
        return sum(size for _, size in self._listed(pair, side))

    def files(self, pair: Pair, side: Side) -> list[ListedFile]:
        base = pair.image(side).path
        listed = []
        for name, size in self._listed(pair, side):
            digests = {"sha256": file_sha256(self._files, name)}
            listed.append(ListedFile(name.removeprefix(f"{base}/"), size, digests))
        checked_files(self.name, pair, side, listed)
        return listed

    def fetch(
        self, pair: Pair, side: Side, file: ListedFile, path: Path, progress: Progress
    ) -> None:
        partial = path.with_name(f"{path.name}.partial")
        with (
            self._files.open(f"{pair.image(side).path}/{file.name}") as stream,
            partial.open("wb") as copy,
        ):
            shutil.copyfileobj(stream, copy, 1 << 20)
        partial.replace(path)
        progress(file.size_bytes, file.size_bytes)

    def extra(self, name: str) -> bytes | None:
        facts = self._files.facts(name)
        if facts is None or facts.size_bytes > MAX_EXTRA_BYTES:
            return None
        with self._files.open(name) as stream:
            return stream.read(MAX_EXTRA_BYTES)

    def close(self) -> None:
        """Nothing is open."""

    def _listed(self, pair: Pair, side: Side) -> list[tuple[str, int]]:
        path = pair.image(side).path
        found = [(name, self._files.facts(name)) for name in self._files.names(path)]
        for name, facts in found:
            if facts is None:
                raise FileError(f"{self.name}/{name} is no plain file; links are not followed")
        return [(name, facts.size_bytes) for name, facts in found if facts is not None]
