"""What is wrong with an image's pixels, counted block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CAMERA_MAXIMA = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16))
"""Where cameras and converters stop counting."""


class PixelSummary:
    """Extremes, pixels that are no numbers, and pixels at the detector's limit."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.pixels = 0
        self.not_finite = 0
        self.minimum = np.inf
        self.maximum = -np.inf
        self.at_maximum = 0

    def add(self, block: NDArray[Any]) -> None:
        """Count another part of the image."""
        self.pixels += block.size
        if self.dtype.kind == "f":
            finite = np.isfinite(block)
            self.not_finite += block.size - int(np.count_nonzero(finite))
            block = block[finite]
        if not block.size:
            return
        self.minimum = min(self.minimum, float(block.min()))
        highest = float(block.max())
        if highest > self.maximum:
            self.maximum, self.at_maximum = highest, 0
        if highest == self.maximum:
            self.at_maximum += int(np.count_nonzero(block == block.max()))

    def problem(self) -> str | None:
        """Why the image cannot be used at all, None if it can."""
        if self.not_finite:
            return (
                f"has {self.not_finite} of {self.pixels} pixels that are NaN or infinite; "
                "export it again, or fill them"
            )
        if self.minimum == self.maximum:
            return f"is blank: every pixel is {self.minimum:g}; take the field again"
        return None

    @property
    def saturated(self) -> float:
        """Fraction of pixels at the detector's limit; 0 where the brightest is not at one."""
        at_limit = self.dtype.kind in "iu" and self.maximum in CAMERA_MAXIMA
        return self.at_maximum / self.pixels if at_limit else 0.0
