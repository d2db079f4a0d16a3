"""The files of a package, a folder or a zip, read without ever leaving it.

A package comes from a stranger: a name that leads out of it, a symbolic link, a device, a zip
bomb and a name that occurs twice are refused before anything is read, and nothing is unpacked.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Protocol

from scopezoo.errors import FileError, PackageError, UnsafePackageError

MAX_FILES = 1000
MAX_FILE_BYTES = 4 * 1024**3
MAX_TOTAL_BYTES = 8 * 1024**3
MAX_RATIO = 200
"""A zip member beyond RATIO_FROM_BYTES that shrank by more than this is taken for a bomb."""
RATIO_FROM_BYTES = 10 * 1024**2


class PackageFiles(Protocol):
    """Files by their POSIX path inside the package."""

    location: Path

    def names(self) -> list[str]:
        """All files, sorted."""
        ...

    def size(self, name: str) -> int:
        """Bytes of a file. Raises PackageError where it is missing."""
        ...

    def read(self, name: str) -> bytes:
        """A file's content. Raises PackageError where it is missing or damaged."""
        ...


def name_problem(name: str) -> str | None:
    """What is wrong with `name` as the path of a file in a package; None if nothing."""
    if "://" in name:
        return f"{name!r} is a URL; a package holds its files itself"
    parts = PurePosixPath(name).parts
    is_absolute = name.startswith("/") or (len(name) > 1 and name[1] == ":")
    if not parts or is_absolute or ".." in parts or "\\" in name or "\0" in name:
        return f"{name!r} leads out of the package; expected a relative path inside it"
    return None


class FolderFiles:
    """The files below a folder; links that lead out of it are as good as missing."""

    def __init__(self, folder: Path) -> None:
        self.location = folder
        self._root = folder.resolve()

    def names(self) -> list[str]:
        found: list[str] = []
        for parent, _, files in os.walk(self._root):
            found += [(Path(parent) / file).relative_to(self._root).as_posix() for file in files]
            if len(found) > MAX_FILES:
                raise UnsafePackageError(f"{self.location} has more than {MAX_FILES} files")
        return sorted(found)

    def size(self, name: str) -> int:
        return self._inside(name).stat().st_size

    def read(self, name: str) -> bytes:
        path = self._inside(name)
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UnsafePackageError(f"{path} is larger than {MAX_FILE_BYTES} bytes")
        try:
            return path.read_bytes()
        except OSError as error:
            raise FileError(f"{path} cannot be read: {error.strerror}") from error

    def _inside(self, name: str) -> Path:
        problem = name_problem(name)
        if problem:
            raise UnsafePackageError(f"{self.location}: {problem}")
        try:
            path = (self._root / name).resolve()
            mode = path.stat().st_mode
        except (OSError, RuntimeError) as error:
            raise PackageError(f"{self.location} has no file {name!r}") from error
        if not path.is_relative_to(self._root):
            raise UnsafePackageError(f"{self.location}: {name!r} is a link out of the package")
        if not stat.S_ISREG(mode):
            raise PackageError(f"{self.location}: {name!r} is not a file")
        return path


class ZipFiles:
    """The members of a zip, checked as a whole when it is opened."""

    def __init__(self, path: Path) -> None:
        self.location = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise PackageError(
                f"{path} is not a package: expected a folder or a zip with an rdf.yaml ({error})"
            ) from error
        except OSError as error:
            raise FileError(f"{path} cannot be read: {error.strerror or error}") from error
        problems = zip_problems(self._zip.infolist())
        if problems:
            raise UnsafePackageError(f"{path}: {'; '.join(problems[:5])}")
        self._members = {info.filename: info for info in self._zip.infolist() if not info.is_dir()}

    def names(self) -> list[str]:
        return sorted(self._members)

    def size(self, name: str) -> int:
        return self._member(name).file_size

    def read(self, name: str) -> bytes:
        member = self._member(name)
        try:
            return self._zip.read(member)
        except Exception as error:  # zlib.error, lzma.LZMAError and their kin share no base
            raise PackageError(f"{self.location}: {name!r} is damaged ({error})") from error

    def _member(self, name: str) -> zipfile.ZipInfo:
        problem = name_problem(name)
        if problem:
            raise UnsafePackageError(f"{self.location}: {problem}")
        member = self._members.get(PurePosixPath(name).as_posix())
        if member is None:
            raise PackageError(f"{self.location} has no file {name!r}")
        return member


def zip_problems(
    members: list[zipfile.ZipInfo],
    max_files: int = MAX_FILES,
    max_total_bytes: int = MAX_TOTAL_BYTES,
) -> list[str]:
    """Everything in a zip's directory that a package may not have."""
    problems = [found for info in members if (found := name_problem(info.filename))]
    if len(members) > max_files:
        problems.append(f"{len(members)} files; at most {max_files} are allowed")
    names = Counter(info.filename.casefold() for info in members)
    problems += [f"{name!r} occurs {count} times" for name, count in names.items() if count > 1]
    problems += [
        f"{info.filename!r} is a symbolic link"
        for info in members
        if stat.S_ISLNK(info.external_attr >> 16)
    ]
    problems += [f"{info.filename!r} is encrypted" for info in members if info.flag_bits & 1]
    problems += [
        f"{info.filename!r} is packed by method {info.compress_type}; expected stored or deflated"
        for info in members
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    ]
    problems += [
        f"{info.filename!r} unpacks to {info.file_size} bytes; at most {MAX_FILE_BYTES} are allowed"
        for info in members
        if info.file_size > MAX_FILE_BYTES
    ]
    total = sum(info.file_size for info in members)
    if total > max_total_bytes:
        problems.append(f"unpacks to {total} bytes; at most {max_total_bytes} are allowed")
    problems += [
        f"{info.filename!r} unpacks {info.compress_size} to {info.file_size} bytes, a zip bomb"
        for info in members
        if info.file_size > max(RATIO_FROM_BYTES, MAX_RATIO * info.compress_size)
    ]
    return problems


def open_files(path: Path) -> PackageFiles:
    """The files of the package at `path`.

    Raises FileError where there is nothing, PackageError where it is no package, and
    UnsafePackageError where a zip has what no package may have.
    """
    if path.is_dir():
        return FolderFiles(path)
    if not path.exists():
        raise FileError(f"{path} does not exist; expected a package: a folder or a zip")
    return ZipFiles(path)


def sha256(content: bytes) -> str:
    """Hexadecimal SHA-256, as the format stores it."""
    return hashlib.sha256(content).hexdigest()
