"""Where the images of a run are made: in memory, or as files of a work folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from scopezoo.errors import FileError
from scopezoo.formats import ImageWriter, create_image
from scopezoo.image import Image
from scopezoo.predict.destination import Layout, Pixels


class Store(Protocol):
    """Makes an image per output; `image` reads back what was written."""

    def started(self, name: str) -> Layout | None:
        """The layout of an output that an earlier run began; None if there is none."""
        ...

    def create(self, name: str, layout: Layout) -> Pixels: ...

    def image(self, name: str) -> Image: ...

    def close(self) -> None: ...


class MemoryStore:
    """Images as arrays."""

    def __init__(self) -> None:
        self._images: dict[str, Image] = {}

    def started(self, name: str) -> Layout | None:  # noqa: ARG002 # nothing is kept in memory
        return None

    def create(self, name: str, layout: Layout) -> Pixels:
        pixels = np.zeros(layout.shape, layout.dtype)
        self._images[name] = layout.image(pixels)
        return pixels

    def image(self, name: str) -> Image:
        return self._images[name]

    def close(self) -> None:
        """Nothing is left to do."""


class FileStore:
    """Images as files of a work folder, whose `place` gives paths by name, by output id.

    What an earlier run of the same work folder made is gone on with: its layout lies beside it.
    """

    def __init__(self, place: Callable[[str], Path], file_names: Mapping[str, str]) -> None:
        self._place = place
        self._file_names = file_names
        self._writers: dict[str, ImageWriter] = {}
        self._layouts: dict[str, Layout] = {}

    def started(self, name: str) -> Layout | None:
        note = self._note(name)
        return Layout.from_json(note.read_text()) if note.exists() else None

    def create(self, name: str, layout: Layout) -> Pixels:
        path = self._place(self._file_names[name])
        resumed = self._note(name).exists()
        if not resumed:
            _remove(path)
        elif not path.exists():
            raise FileError(f"{path} is gone from an unfinished run; start anew without --resume")
        self._layouts[name] = layout
        self._writers[name] = create_image(
            path,
            shape=layout.shape,
            dtype=layout.dtype,
            axes=layout.axes,
            pixel_size_um=layout.pixel_size_um,
            frame_interval_s=layout.frame_interval_s,
            channel_names=layout.channel_names,
            labels=name if layout.kind == "labels" and path.suffix == ".zarr" else None,
            chunks={"Z": 1} if layout.planes else None,
            resume=resumed,
        )
        if not resumed:
            self._note(name).write_text(layout.to_json())
        return self._writers[name]

    def image(self, name: str) -> Image:
        return self._layouts[name].image(self._writers[name].array, self._file_names[name])

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()

    def _note(self, name: str) -> Path:
        return self._place(f"{self._file_names[name]}.layout.json")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
