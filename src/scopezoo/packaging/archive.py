"""Writes a package: a zip whose bytes follow from its files alone, or a folder."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from scopezoo.errors import FileError, UsageError

RDF = "rdf.yaml"
EPOCH = (1980, 1, 1, 0, 0, 0)
FILE_MODE = 0o100644
UNIX = 3


def write_zip(files: Mapping[str, bytes], path: Path) -> None:
    """Write a zip, complete or not at all; an older one is replaced.

    Members are sorted, not compressed (compressors differ between machines; weights hardly shrink)
    and have one date. Raises FileError where it cannot be written.
    """
    unfinished = _unfinished(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(files):
                info = zipfile.ZipInfo(name, EPOCH)
                info.create_system = UNIX
                info.external_attr = FILE_MODE << 16
                archive.writestr(info, files[name])
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise FileError(f"{path} cannot be written: {error.strerror or error}") from error


def write_folder(files: Mapping[str, bytes], path: Path) -> None:
    """Write a folder, complete or not at all; only an older package is replaced.

    Raises UsageError where `path` is something else, FileError where it cannot be written.
    """
    if path.exists() and not (path / RDF).is_file() and any(_entries(path)):
        raise UsageError(f"{path} exists and is not a package; give another output")
    unfinished, older = _unfinished(path), path.with_name(f".{path.name}.old")
    try:
        for leftover in (unfinished, older):
            shutil.rmtree(leftover, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for name, content in files.items():
            (unfinished / name).write_bytes(content)
        if path.exists():
            path.replace(older)
        unfinished.replace(path)
        shutil.rmtree(older, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise FileError(f"{path} cannot be written: {error.strerror or error}") from error


def refresh_folder(files: Mapping[str, bytes], folder: Path) -> None:
    """Replace files in a folder one by one, each complete, the description last.

    What else is in the folder stays. A reader that comes midway finds files that do not have the
    hashes of the description, and no file that is half written.
    """
    for name in sorted(files, key=lambda name: (name == RDF, name)):
        write_file(files[name], folder / name)


def write_file(content: bytes, path: Path) -> None:
    """Write a file, complete or not at all. Raises FileError where that fails."""
    unfinished = _unfinished(path)
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise FileError(f"{path} cannot be written: {error.strerror or error}") from error


def _entries(path: Path) -> list[Path]:
    return list(path.iterdir()) if path.is_dir() else [path]


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")
