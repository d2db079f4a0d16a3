"""The paired datasets that the operator shares."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired.files import MANIFEST, FileFacts
from scopezoo.datasets.paired.hashing import file_sha256
from scopezoo.datasets.paired.manifest import SIDES, Pair, Side
from scopezoo.errors import FileError, UsageError
from scopezoo.serving.errors import HttpError

KEPT = 400
"""Lists of files and pictures of pairs that are kept in memory, of each dataset."""
T = TypeVar("T")


@dataclass
class Shared:
    """A dataset as it was when its manifest had this `version`."""

    dataset: Dataset
    version: str
    _lock: Any = field(default_factory=threading.RLock)
    _kept: OrderedDict[tuple[str, str], Any] = field(default_factory=OrderedDict)

    def pair(self, pair_id: str) -> Pair:
        """Raises HttpError 404."""
        found = self.dataset.manifest.pair(pair_id)
        if found is None:
            name = self.dataset.manifest.id
            raise HttpError(404, "NotFound", f"{name} has no pair {pair_id[:100]!r}")
        return found

    @cached_property
    def image_bytes(self) -> dict[tuple[str, Side], int]:
        """Size of each image."""
        return {
            (pair.id, side): sum(facts.size_bytes for _, facts in self.files(pair, side))
            for pair in self.dataset.pairs
            for side in SIDES
        }

    def files(self, pair: Pair, side: Side) -> Iterator[tuple[str, FileFacts]]:
        """The files of an image by their path in it; links and hidden ones are none."""
        files, base = self.dataset.files, pair.image(side).path
        for name in files.names(base):
            facts = files.facts(name)
            if facts is not None:
                yield name.removeprefix(f"{base}/"), facts

    def listed(self, pair: Pair, side: Side) -> Iterator[str]:
        """A line of JSON for each file: name, size (bytes), sha256. Told while it is hashed."""
        key = (pair.id, side)
        lines = self._kept.get(key)
        if lines is None:
            lines = []
            for name, facts in self.files(pair, side):
                digest = file_sha256(self.dataset.files, f"{pair.image(side).path}/{name}")
                line = {"name": name, "size": facts.size_bytes, "sha256": digest}
                lines.append(json.dumps(line) + "\n")
                yield lines[-1]
            self._keep(key, lines)
            return
        yield from lines

    def once(self, kind: str, pair_id: str, make: Callable[[], T]) -> T:
        """What `make` gives, made for one request at a time and kept."""
        key = (pair_id, kind)
        with self._lock:
            if key not in self._kept:
                self._keep(key, make())
            found: T = self._kept[key]
            return found

    def _keep(self, key: tuple[str, str], made: object) -> None:
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


class Datasets:
    """Datasets by their id. They are opened at once, and anew when they have changed on disk.

    Raises FileError for what is no dataset, UsageError for two of one id.
    """

    def __init__(self, locations: Sequence[str]) -> None:
        self._lock = threading.Lock()
        self._places: dict[str, Path] = {}
        self._open: dict[str, Shared] = {}
        for location in locations:
            path = Path(location).absolute()
            shared = _opened(path)
            name = shared.dataset.manifest.id
            if name in self._places:
                raise UsageError(
                    f"--datasets: {self._places[name]} and {path} are both called {name!r}; "
                    "an id must be of one dataset"
                )
            self._places[name] = path
            self._open[name] = shared

    def ids(self) -> list[str]:
        return list(self._places)

    def get(self, name: str) -> Shared:
        """The dataset as it is on disk now. Raises HttpError 404 for an id that none has, 503 for
        one that cannot be read."""
        path = self._places.get(name)
        if path is None:
            raise HttpError(404, "NotFound", f"there is no dataset {name[:100]!r} here")
        with self._lock:
            try:
                if self._open[name].version != _version(path):
                    self._open[name] = _opened(path)
            except (FileError, OSError) as error:
                raise HttpError(
                    503,
                    "FileError",
                    f"the dataset {name} cannot be read now; its operator should look at it",
                    {"Retry-After": "60"},
                ) from error
            return self._open[name]


def _opened(path: Path) -> Shared:
    try:
        version = _version(path)
    except OSError as error:
        raise FileError(f"--datasets: {path} is no dataset, a folder or a zip") from error
    dataset = Dataset.open(path)
    problems = dataset.manifest.problems()
    if problems:
        raise FileError(f"{path}: the manifest is not sound: {'; '.join(problems[:5])}")
    return Shared(dataset, version)


def _version(path: Path) -> str:
    """Another one when the manifest, or the zip, was replaced."""
    found = (path / MANIFEST if path.is_dir() else path).stat()
    return f"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"
