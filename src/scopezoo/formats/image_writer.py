"""An image that is written region by region."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scopezoo.formats.limits import writing
from scopezoo.formats.view import View
from scopezoo.image import LazyArray


class Pixels(LazyArray, Protocol):
    """A lazy array that can be written too, one region after the other."""

    def __setitem__(self, region: tuple[slice, ...], block: NDArray[Any], /) -> None: ...


class ImageWriter:
    """An image being written: `writer[region] = block`, in any order of regions, then `close()`.

    Regions (tuples of slices) and blocks have the axes that the image was created with, whatever
    the order in the file is. What was written reads back from `array`. `resumed` tells whether the
    file was there already, so that blocks written before need not be written again.

    Writing and closing raise FileError where the system refuses, the disk is full, for example;
    what was written until then stays. An image that was not closed may lack metadata and pyramid.
    One thread writes at a time.
    """

    def __init__(
        self,
        path: Path,
        pixels: Pixels,
        order: tuple[int, ...],
        finish: Callable[[], None] | None = None,
        resumed: bool = False,
    ) -> None:
        self.path = path
        self.resumed = resumed
        self._pixels = pixels
        self._order = order
        self._finish = finish

    @property
    def array(self) -> LazyArray:
        """The pixels as written so far, zeros elsewhere."""
        return View(self._pixels, self._order, str(self.path))

    def __setitem__(self, region: tuple[slice, ...], block: NDArray[Any]) -> None:
        if len(region) != len(self._order):
            raise ValueError(f"region of {len(region)} axes, the image has {len(self._order)}")
        stored = [region[self._order.index(axis)] for axis in range(len(self._order))]
        values = np.asarray(block).astype(self._pixels.dtype, casting="same_kind", copy=False)
        with writing(self.path):
            self._pixels[tuple(stored)] = values.transpose(np.argsort(self._order))

    def close(self) -> None:
        """Finish the file: pyramid and metadata where the format has them."""
        if self._finish is not None:
            with writing(self.path):
                self._finish()
