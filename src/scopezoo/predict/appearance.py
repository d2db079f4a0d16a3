"""What an image looks like, in a few figures that neither gain nor offset changes.

They are of pixels: how grey values are spread, how much noise there is, and how much detail of each
size. So an image at another magnification differs from one of the same specimen.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from scopezoo.image import Image, arranged

FIGURES = {
    "level_25": ("a brighter background", "a darker background"),
    "level_50": ("a brighter or fuller background", "a darker or emptier background"),
    "level_75": ("more of the field filled", "less of the field filled"),
    "level_90": ("more of the field bright", "less of the field bright"),
    "level_99": ("less outstanding bright places", "more outstanding bright places"),
    "noise": ("more noise", "less noise"),
    "detail_32_to_64_px": ("more structure of 32 to 64 px", "less structure of 32 to 64 px"),
    "detail_16_to_32_px": ("more structure of 16 to 32 px", "less structure of 16 to 32 px"),
    "detail_8_to_16_px": ("more structure of 8 to 16 px", "less structure of 8 to 16 px"),
    "detail_4_to_8_px": ("more structure of 4 to 8 px", "less structure of 4 to 8 px"),
    "detail_2_to_4_px": ("more detail or noise of 2 to 4 px", "less detail of 2 to 4 px"),
}
"""What an image with a higher, or a lower value has.

Levels are percentiles between the 1st (0) and the 99.8th (1); noise is the logarithm of its
standard deviation on that scale; detail is the logarithm of the share of the variance that is of
these periods."""

BLOCK_PX = 128
BLOCKS_ALONG = 4
PLANES = 8
WHOLE_PLANE_PX = 2048**2
"""Planes up to this are read at once, for many small reads of a compressed file take long."""
LEVELS = (25, 50, 75, 90, 99)
DARK, BRIGHT = 1.0, 99.8
PERIODS_PX = (64, 32, 16, 8, 4, 2)
FAINT = 1e-4
LAPLACIAN_NORM = 6.0
"""Root of the sum of squares of the noise filter's weights."""


def appearance(image: Image, channels: list[int]) -> NDArray[np.float64] | None:
    """The figures of `FIGURES`, in their order, means over channels; None for no finite pixel.

    Looked at are blocks of 128 pixels, up to 4 along y and x, of up to 8 planes or frames: memory
    and time do not grow with the image.
    """
    found = [_figures(np.stack([*_blocks(image, channel)])) for channel in channels]
    known = [figures for figures in found if figures is not None]
    return np.mean(known, axis=0) if known else None


def _blocks(image: Image, channel: int) -> Iterator[NDArray[np.float64]]:
    side = min(BLOCK_PX, image.size("Y"), image.size("X"))
    count = image.size("T") * image.size("Z")
    places = np.unique(np.linspace(0, count - 1, min(count, PLANES)).round().astype(int))
    for t, z in (divmod(int(place), image.size("Z")) for place in places):
        plane = _Plane(image, channel, t, z)
        for y in _starts(image.size("Y"), side):
            for x in _starts(image.size("X"), side):
                yield plane.read(slice(y, y + side), slice(x, x + side)).astype(np.float64)


class _Plane:
    def __init__(self, image: Image, channel: int, t: int, z: int) -> None:
        self.image = image
        index = {"C": channel, "T": t, "Z": z}
        self.place = {axis: slice(at, at + 1) for axis, at in index.items()}
        is_small = image.size("Y") * image.size("X") <= WHOLE_PLANE_PX
        self.whole = self._pixels(slice(None), slice(None)) if is_small else None

    def read(self, y: slice, x: slice) -> NDArray[np.generic]:
        return self._pixels(y, x) if self.whole is None else self.whole[y, x]

    def _pixels(self, y: slice, x: slice) -> NDArray[np.generic]:
        pixels = self.image.read(**self.place, Y=y, X=x)
        return arranged(pixels, tuple(self.image.axes), ("Y", "X"))


def _starts(size: int, side: int) -> list[int]:
    count = min(BLOCKS_ALONG, -(-size // side))
    if count == 1:
        return [(size - side) // 2]
    return [round(i * (size - side) / (count - 1)) for i in range(count)]


def _figures(blocks: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Of blocks (n, y, x)."""
    finite = np.isfinite(blocks)
    if not finite.any():
        return None
    values = blocks[finite]
    dark, *levels, bright = np.percentile(values, [DARK, *LEVELS, BRIGHT])
    span = bright - dark
    if not span > 0:
        return np.concatenate([np.zeros(len(LEVELS)), [np.log10(FAINT)], _shares(None)])
    scaled = (np.where(finite, blocks, dark) - dark) / span
    return np.concatenate(
        [(np.array(levels) - dark) / span, [np.log10(_noise(scaled) + FAINT)], _shares(scaled)]
    )


def _noise(blocks: NDArray[np.float64]) -> float:
    """Standard deviation of the noise, whatever smooth structures there are.

    Of the second difference along both axes, as by Immerkær (Comput. Vis. Image Underst. 64, 300,
    1996), but by the median, which edges hardly change; the median block's.
    """
    if min(blocks.shape[1:]) < 3:
        return 0.0
    along_x = blocks[:, :, :-2] - 2 * blocks[:, :, 1:-1] + blocks[:, :, 2:]
    both = along_x[:, :-2] - 2 * along_x[:, 1:-1] + along_x[:, 2:]
    usual = np.median(np.abs(both), axis=(1, 2)) / 0.6745 / LAPLACIAN_NORM
    return float(np.median(usual))


def _shares(blocks: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Logarithm of the share of each band of periods."""
    bands = np.zeros(len(PERIODS_PX) - 1)
    if blocks is not None:
        height, width = blocks.shape[1:]
        window = np.outer(np.hanning(height), np.hanning(width))
        centred = (blocks - blocks.mean(axis=(1, 2), keepdims=True)) * window
        power = (np.abs(np.fft.rfft2(centred)) ** 2).sum(axis=0)
        frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
        for i, (longest, shortest) in enumerate(pairwise(PERIODS_PX)):
            inside = (frequency >= 1 / longest) & (frequency < 1 / shortest)
            bands[i] = power[inside].sum()
    total = bands.sum()
    return np.asarray(np.log10((bands / total if total > 0 else bands) + FAINT))
