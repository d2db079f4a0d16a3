"""The models of a server: opened at once, loaded at first use, dropped when memory is short."""

from __future__ import annotations

import copy
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scopezoo.errors import ModelNotFoundError, PackageError, ScopezooError
from scopezoo.predict.engine import Engine
from scopezoo.predict.machine import give_memory_back, resident_bytes
from scopezoo.serving.settings import Settings
from scopezoo.store import model_ids, open_package, resolve
from scopezoo.store.package import Package

LOGGER = logging.getLogger("scopezoo.serving")
Key = tuple[str, str]
"""Id of a model, and the precision that it runs at."""
_MAKING = threading.Lock()
"""Who asks for a zip that is being made waits for it."""
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class EnginePool:
    """Packages by id, and engines of them that wait for work.

    An engine is one thread's at a time: as many are loaded as run at once. Safe to share.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._packages: dict[str, Package] = {}
        self._idle: OrderedDict[Key, list[Engine]] = OrderedDict()
        self._loaded: dict[str, int] = {}
        self._failed: dict[str, str] = {}
        self._at_rest_bytes = resident_bytes() or 0
        for name in model_ids() if settings.models is None else settings.models:
            self.add(resolve(name))
        added = (settings.folder / "packages").glob("*.zip")
        for path in sorted(added, key=lambda path: path.stat().st_mtime_ns):  # the last one counts
            self._add_again(path)

    def _add_again(self, path: Path) -> None:
        """Serve what an admin added before; what cannot be opened any more goes to quarantine."""
        try:
            self.add(open_package(path))
        except ScopezooError as error:
            aside = self.settings.folder / "quarantine" / path.name
            aside.parent.mkdir(exist_ok=True)
            path.replace(aside)
            LOGGER.error("an added package is not served; it is now %s: %s", aside, error)

    def add(self, package: Package) -> str:
        """Serve a package, in place of one of the same id; gives the id.

        Raises PackageError where the id cannot be part of a URL.
        """
        name = served_id(package)
        with self._lock:
            self._packages[name] = package
            self._failed.pop(name, None)
            for key in [key for key in self._idle if key[0] == name]:
                self._loaded[name] -= len(self._idle.pop(key))
        return name

    def ids(self) -> list[str]:
        """Ids of the models that are served, sorted."""
        with self._lock:
            return sorted(self._packages)

    def package(self, model: str) -> Package:
        """Raises ModelNotFoundError for an id that is not served."""
        with self._lock:
            found = self._packages.get(model)
        if found is None:
            raise ModelNotFoundError(
                f"no model {model[:100]!r} on this server; GET /api/v1/models lists what it has"
            )
        return found

    def state(self, model: str) -> str:
        """ "ready" before its first use, "loaded" after, "failed" if it could not be loaded."""
        if model in self._failed:
            return "failed"
        return "loaded" if self._loaded.get(model) else "ready"

    def loaded(self, model: str) -> int:
        """How many engines of a model are loaded."""
        return self._loaded.get(model, 0)

    @contextmanager
    def borrow(self, model: str, precision: str = "float32") -> Iterator[Engine]:
        """An engine for one thread until the block ends. Raises what Engine raises."""
        package = self.package(model)
        engine = self._take((model, precision))
        if engine is None:
            self.make_room()
            engine = self._load(model, package, precision)
        try:
            yield engine
        finally:
            self._give_back((model, precision), package, engine)

    def _load(self, model: str, package: Package, precision: str) -> Engine:
        try:
            engine = Engine(package, precision=precision, memory_bytes=self.settings.run_bytes)
        except PackageError as error:
            self._failed[model] = str(error)
            raise
        with self._lock:
            self._loaded[model] = self._loaded.get(model, 0) + 1
            self._failed.pop(model, None)
        return engine

    def _take(self, key: Key) -> Engine | None:
        with self._lock:
            waiting = self._idle.get(key)
            return waiting.pop() if waiting else None

    def _give_back(self, key: Key, package: Package, engine: Engine) -> None:
        with self._lock:
            if self._packages.get(key[0]) is package:
                self._idle.setdefault(key, []).append(engine)
                self._idle.move_to_end(key)
            else:
                self._loaded[key[0]] -= 1

    def make_room(self) -> None:
        """Drop engines that wait, the least recently used first, until one more run fits."""
        while self._taken_bytes() + self.settings.run_bytes > self.settings.memory_bytes:
            if not self._drop_one():
                return
            give_memory_back()

    def _taken_bytes(self) -> int:
        return max(0, (resident_bytes() or 0) - self._at_rest_bytes)

    def _drop_one(self) -> bool:
        with self._lock:
            key = next((key for key, waiting in self._idle.items() if waiting), None)
            if key is None:
                return False
            self._idle[key].pop()
            self._loaded[key[0]] -= 1
            return True


def served_id(package: Package) -> str:
    """What a package is called in URLs. Raises PackageError for an id that cannot be in one."""
    name = package.id.rstrip("/").rpartition("/")[2]
    if not _SAFE_ID.fullmatch(name):
        raise PackageError(f"{package.location}: the id {name[:100]!r} cannot be served")
    return name


def tiled(engine: Engine, tile: Mapping[str, int]) -> Engine:
    """The same loaded engine with other bounds on its tiles."""
    if not tile:
        return engine
    other = copy.copy(engine)
    other.tile = dict(tile)
    return other


def package_zip(package: Package, folder: Path) -> Path:
    """The package as a zip that can be downloaded; that of a folder is made once in `folder`."""
    from scopezoo.packaging.archive import write_zip

    if package.location.is_file():
        return package.location
    path = folder / f"{package.rdf_sha256}.zip"
    with _MAKING:
        if not path.exists():
            write_zip({name: package.files.read(name) for name in package.files.names()}, path)
    return path
