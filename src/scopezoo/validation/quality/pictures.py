"""Small pictures of a case, with a caption each."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHOWN_PX = 320
JPEG_QUALITY = 88
BEHIND_OUTLINES = 0.55
"""Brightness of an image below outlines, which would not show on white."""
DARK, BRIGHT = 1.0, 99.8
TOO_BRIGHT, TOO_DARK = (255, 150, 30), (70, 150, 255)
"""Orange and blue, which colour-blind people can tell apart."""


@dataclass(frozen=True)
class Picture:
    """uint8, YX or YX with red, green and blue."""

    pixels: NDArray[np.uint8]
    caption: str

    def jpeg_base64(self) -> str:
        """For an address of the kind `data:`; colours are as fine as brightness."""
        import imagecodecs

        pixels = np.ascontiguousarray(self.pixels)
        encoded = imagecodecs.jpeg8_encode(pixels, JPEG_QUALITY, subsampling="444")
        return base64.b64encode(encoded).decode("ascii")


def grey(plane: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    """Grey values between two levels, uint8."""
    scaled = (plane.astype(np.float64) - low) / max(high - low, 1e-12)
    return np.asarray(np.rint(np.clip(scaled, 0, 1) * 255), np.uint8)


def contrast(plane: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey values between percentiles of the plane itself."""
    low, high = np.percentile(plane, [DARK, BRIGHT])
    return grey(plane, float(low), float(high))


def signed(plane: NDArray[np.generic], limit: float) -> NDArray[np.uint8]:
    """Orange where positive, blue where negative, black for 0, uint8 YXC."""
    strength = np.clip(plane.astype(np.float64) / max(limit, 1e-12), -1, 1)[..., None]
    colour = np.where(strength > 0, np.array(TOO_BRIGHT), np.array(TOO_DARK))
    return np.asarray(np.rint(np.abs(strength) * colour), np.uint8)


def window(shape: tuple[int, int], centre: tuple[int, int]) -> tuple[slice, slice]:
    """All of a small plane; of a large one SHOWN_PX around a place."""
    sizes = [min(size, SHOWN_PX) for size in shape]
    y, x = (
        slice(start, start + shown)
        for size, shown, at in zip(shape, sizes, centre, strict=True)
        for start in [int(np.clip(at - shown // 2, 0, size - shown))]
    )
    return y, x


def outlined(
    picture: NDArray[np.uint8],
    outlines: Mapping[tuple[int, int, int], NDArray[np.integer]],
    caption: str,
) -> Picture:
    """Grey picture YX with the outlines of objects (label images YX) in a colour each."""
    dimmed = np.asarray(picture * BEHIND_OUTLINES, np.uint8)
    pixels = np.repeat(dimmed[..., None], 3, axis=2)
    for colour, labels in outlines.items():
        pixels[edges(labels)] = colour
    return Picture(pixels, caption)


def edges(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """The outermost pixels of every object."""
    padded = np.pad(labels, 1, mode="edge")
    centre = padded[1:-1, 1:-1]
    apart = (
        (padded[:-2, 1:-1] != centre)
        | (padded[2:, 1:-1] != centre)
        | (padded[1:-1, :-2] != centre)
        | (padded[1:-1, 2:] != centre)
    )
    return np.asarray(apart & (centre > 0))
