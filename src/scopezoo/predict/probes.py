"""Images to try a network with: noise, smooth blobs, a bright offset, and its own test input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

PROBES = ("noise", "test input", "blobs", "offset")
"""Kinds, the most telling first; "offset" is noise around three standard deviations."""
BLOB_SIGMA_PX = 3.0


@dataclass(frozen=True)
class TensorLayout:
    """How a tensor of the network lies in memory.

    `axes` are the ids of its axes in order, e.g. ("batch", "channel", "y", "x"). `sizes` has those
    of axes that are not space, 1 where one is missing. `scale` is px of this tensor per px of the
    reference input, by axis of space, 1 where one is missing.
    """

    axes: tuple[str, ...]
    sizes: Mapping[str, int] = field(default_factory=dict)
    scale: Mapping[str, Fraction] = field(default_factory=dict)
    dtype: str = "float32"

    def scale_of(self, axis_id: str) -> Fraction:
        return Fraction(self.scale.get(axis_id, 1))

    def shape(self, extent_px: Mapping[str, int]) -> tuple[int, ...]:
        """The tensor's shape for a reference input of `extent_px` along the axes of space."""
        return tuple(
            int(extent_px[a] * self.scale_of(a)) if a in extent_px else self.sizes.get(a, 1)
            for a in self.axes
        )

    def index(self, region_px: Mapping[str, tuple[int, int]]) -> tuple[slice, ...]:
        """Slices for a window, given as (start, size) in px of the reference input."""
        slices = []
        for axis_id in self.axes:
            if axis_id not in region_px:
                slices.append(slice(None))
                continue
            start, size = (int(px * self.scale_of(axis_id)) for px in region_px[axis_id])
            slices.append(slice(start, start + size))
        return tuple(slices)


def make_probe(
    kind: str,
    layouts: Sequence[TensorLayout],
    extent_px: Mapping[str, int],
    rng: np.random.Generator,
    test_inputs: Sequence[NDArray[Any]] | None,
) -> list[NDArray[Any]]:
    """One array per input, of the same field of `extent_px`."""
    samples = test_inputs if test_inputs is not None else [None] * len(layouts)
    return [
        make_input(kind, layout, extent_px, rng, sample)
        for layout, sample in zip(layouts, samples, strict=True)
    ]


def make_input(
    kind: str,
    layout: TensorLayout,
    extent_px: Mapping[str, int],
    rng: np.random.Generator,
    sample: NDArray[Any] | None,
) -> NDArray[Any]:
    shape = layout.shape(extent_px)
    space = [i for i, axis_id in enumerate(layout.axes) if axis_id in extent_px]
    if not space:  # a parameter: only its own value makes sense
        return np.ones(shape, layout.dtype) if sample is None else np.asarray(sample)
    if kind == "test input" and sample is not None:
        return fit(sample, shape).astype(layout.dtype)
    mean, deviation = (0.0, 1.0) if sample is None else (float(sample.mean()), float(sample.std()))
    pixels = rng.standard_normal(shape)
    if kind == "blobs":
        pixels = smooth(pixels, space)
    offset = 3.0 if kind == "offset" else 0.0
    return to_dtype(mean + (deviation or 1.0) * (pixels + offset), np.dtype(layout.dtype))


def smooth(pixels: NDArray[np.float64], space: Sequence[int]) -> NDArray[np.float64]:
    """Noise blurred along the axes of space, with unit standard deviation again."""
    from scipy.ndimage import gaussian_filter

    blurred = np.asarray(gaussian_filter(pixels, BLOB_SIGMA_PX, axes=tuple(space)))
    return np.asarray(blurred / max(float(blurred.std()), 1e-12))


def fit(sample: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The sample continued by reflection, or its middle, so that it has `shape`."""
    missing = [(0, max(0, want - have)) for have, want in zip(sample.shape, shape, strict=True)]
    grown = np.pad(sample, missing, mode="symmetric")
    starts = [(have - want) // 2 for have, want in zip(grown.shape, shape, strict=True)]
    return grown[tuple(slice(s, s + want) for s, want in zip(starts, shape, strict=True))]


def to_dtype(pixels: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Integers are rounded and kept within what their type holds."""
    if dtype.kind not in "iu":
        return pixels.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.round(pixels), limits.min, limits.max).astype(dtype)
