"""The files of a dataset, a folder or a zip, read where they lie."""

from __future__ import annotations

import os
import stat
import zipfile
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol, cast

from scopezoo.errors import FileError
from scopezoo.formats.ome_zarr_read import open_ome_zarr_in
from scopezoo.image import Image

MANIFEST = "dataset.json"


@dataclass(frozen=True)
class FileFacts:
    """`version` is another one when the content is; `modified_s` is in seconds since 1970."""

    size_bytes: int
    version: str
    modified_s: float


class DatasetFiles(Protocol):
    """Files by their POSIX path inside the dataset."""

    location: Path

    def names(self, folder: str = "") -> list[str]:
        """All files below `folder`, without hidden ones."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Raises FileError where there is no such file."""
        ...

    def facts(self, name: str) -> FileFacts | None:
        """None for what is no plain file of the dataset: missing, hidden, a folder, a link."""
        ...

    def image(self, name: str, level: int = 0) -> Image:
        """A level of an OME-Zarr. Raises ImageError where it is none."""
        ...


class FolderFiles:
    """A folder; links that lead out of it are as good as missing."""

    def __init__(self, folder: Path) -> None:
        self.location = folder
        self._root = folder.resolve()

    def names(self, folder: str = "") -> list[str]:
        found: list[str] = []
        for parent, folders, files in os.walk(self._root / folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            base = Path(parent).relative_to(self._root)
            found += [(base / name).as_posix() for name in files if not name.startswith(".")]
        return sorted(found)

    def open(self, name: str) -> BinaryIO:
        path = self._inside(name)
        try:
            return path.open("rb")
        except OSError as error:
            raise FileError(f"{self.location / name} cannot be read: {error.strerror}") from error

    def facts(self, name: str) -> FileFacts | None:
        if is_hidden(name):
            return None
        path = self._root.joinpath(name)
        try:
            found = path.lstat()
            is_here = stat.S_ISREG(found.st_mode) and path.resolve() == path
        except (OSError, RuntimeError, ValueError):  # a loop of links, a name with a zero byte
            return None
        version = f"{found.st_mtime_ns:x}-{found.st_size:x}"
        return FileFacts(found.st_size, version, found.st_mtime) if is_here else None

    def image(self, name: str, level: int = 0) -> Image:
        source = str(self.location / name)
        return open_ome_zarr_in(str(self._inside(name)), "", source, level)

    def _inside(self, name: str) -> Path:
        path = (self._root / name).resolve()
        if not path.is_relative_to(self._root):
            raise FileError(f"{self.location}: {name!r} leads out of the dataset")
        return path


class ZipFiles:
    """A zip, with the manifest at its root or in its only folder; nothing is unpacked."""

    def __init__(self, path: Path) -> None:
        self.location = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise FileError(f"{path} is neither a folder nor a zip of a dataset") from error
        except OSError as error:
            raise FileError(f"{path} cannot be read: {error.strerror or error}") from error
        names = [info.filename for info in self._zip.infolist() if not info.is_dir()]
        self._base = base_of(names)
        inner = [name.removeprefix(self._base) for name in names if name.startswith(self._base)]
        self._names = sorted(name for name in inner if not is_hidden(name))
        self._store: Any = None

    def names(self, folder: str = "") -> list[str]:
        return below(self._names, folder)

    def open(self, name: str) -> BinaryIO:
        try:
            return cast(BinaryIO, self._zip.open(self._base + name))
        except KeyError as error:
            raise FileError(f"{self.location} has no file {name!r}") from error
        except Exception as error:  # zlib.error, lzma.LZMAError and their kin share no base
            raise FileError(f"{self.location}: {name!r} is damaged ({error})") from error

    def facts(self, name: str) -> FileFacts | None:
        if is_hidden(name):
            return None
        try:
            member = self._zip.getinfo(self._base + name)
            modified_s = self.location.stat().st_mtime
        except (KeyError, OSError):
            return None
        is_plain = not (member.is_dir() or stat.S_ISLNK(member.external_attr >> 16))
        version = f"{member.CRC:08x}-{member.file_size:x}"
        return FileFacts(member.file_size, version, modified_s) if is_plain else None

    def image(self, name: str, level: int = 0) -> Image:
        from zarr.storage import ZipStore

        if self._store is None:
            self._store = ZipStore(self.location, mode="r")
        source = f"{self.location}/{name}"
        return open_ome_zarr_in(self._store, self._base + name, source, level)


def open_files(location: Path) -> DatasetFiles:
    """The files of the dataset at `location`; raises FileError where there is none."""
    if location.is_dir():
        return FolderFiles(location)
    if not location.exists():
        raise FileError(f"{location} does not exist; expected a dataset: a folder or a zip")
    return ZipFiles(location)


def below(names: list[str], folder: str) -> list[str]:
    """Those of sorted paths that are below a folder; all for ""."""
    if not folder:
        return list(names)
    return names[bisect_left(names, f"{folder}/") : bisect_left(names, f"{folder}0")]  # "0" is next


def base_of(names: list[str]) -> str:
    """The folder in a zip that holds the manifest, with its slash; the root if there is none."""
    places = [PurePosixPath(name) for name in names if PurePosixPath(name).name == MANIFEST]
    shallow = sorted(places, key=lambda place: len(place.parts))
    parent = shallow[0].parent.as_posix() if shallow else "."
    return "" if parent == "." else f"{parent}/"


def is_hidden(name: str) -> bool:
    """Whether a path is none of a file that is meant to be seen: a part of it is hidden, empty, or
    leads elsewhere."""
    odd = any(not part or part.startswith(".") for part in name.split("/"))
    return odd or "\\" in name or "\0" in name
