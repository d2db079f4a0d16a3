"""The files of a finished job, and no others."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scopezoo.result import Names
from scopezoo.serving.predict_formats import media_type

ZARR = "application/vnd.zarr"
_CHUNK_BYTES = 2**20


def written_files(names: Names) -> list[dict[str, Any]]:
    """Name, size (bytes) and kind of all files of a result, images first."""
    kinds = {
        names.record: "record",
        names.beside(".preview.png"): "preview",
        names.beside(".csv"): "table",
        names.beside(".rois.zip"): "rois",
    }
    return [
        {"name": path.name, "size": _size(path), "kind": kinds.get(path, "result")}
        for path in names.paths()
        if path.exists()
    ]


def shown(file: Mapping[str, Any], base: str) -> dict[str, Any]:
    """A file as a job's JSON shows it, under the URL `base`."""
    name: str = file["name"]
    kind = ZARR if name.endswith(".zarr") else media_type(Path(name))
    return {**file, "url": f"{base}/{quote(name)}", "media_type": kind}


def find_file(folder: Path, files: Iterable[Mapping[str, Any]], name: str) -> Path | None:
    """The file, or the folder of an OME-Zarr, at `name`, which may go on inside such a folder.

    None for anything that is not one of these, whatever `name` is: no `..`, no link.
    """
    parts = name.rstrip("/").split("/")
    if parts[0] not in [file["name"] for file in files]:
        return None
    if any(part in ("", ".", "..") or set(part) & set("\\\0") for part in parts):
        return None
    path = folder.joinpath(*parts)
    is_there = path.is_file() or (path.is_dir() and len(parts) == 1)
    return path if is_there and path.resolve() == folder.resolve().joinpath(*parts) else None


def zipped(folder: Path) -> Iterator[bytes]:
    """A folder as a zip that is made while it is sent: stored, as chunks are compressed already."""
    sent = _Sent()
    with zipfile.ZipFile(sent, "w", zipfile.ZIP_STORED) as archive:
        for path in _inside(folder):
            entry = zipfile.ZipInfo.from_file(path, f"{folder.name}/{path.relative_to(folder)}")
            with path.open("rb") as file, archive.open(entry, "w") as target:
                while chunk := file.read(_CHUNK_BYTES):
                    target.write(chunk)
                    yield sent.taken()
    yield sent.taken()


class _Sent:
    """A file that can only be written, and keeps what was written until it is taken."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, content: bytes) -> int:
        self._waiting += content
        return len(content)

    def close(self) -> None:
        """Nothing is open."""

    def flush(self) -> None:
        """Nothing waits but in memory."""

    def taken(self) -> bytes:
        content = bytes(self._waiting)
        self._waiting.clear()
        return content


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = _inside(path) if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def _inside(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
