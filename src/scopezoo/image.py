"""The one image type: a lazy array with named axes, pixel size and channel names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import IncompatibleImageError, UsageError

AXES = "TCZYX"
"""Time, channel, and the three axes of space; an image has Y and X and any of the others."""


@runtime_checkable
class LazyArray(Protocol):
    """What an image's pixels must offer: numpy, numpy.memmap and zarr arrays all do."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype: ...
    def __getitem__(self, region: tuple[slice, ...], /) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Image:
    """Pixels that are read when they are sliced, and what they mean.

    `axes` names the axes of `data` in its order, letters of "TCZYX". `pixel_size_um` holds, for Z,
    Y and X, the distance between neighbours in micrometres where it is known; an axis that is
    missing there has no known size. `channel_names` is empty or has one name per channel.
    `source` is a path, a URL or "array", for messages and records.
    """

    data: LazyArray
    axes: str
    pixel_size_um: Mapping[str, float] = field(default_factory=dict)
    frame_interval_s: float | None = None
    channel_names: tuple[str, ...] = ()
    source: str = "array"

    def __post_init__(self) -> None:
        check_axes(self.axes, len(self.data.shape))
        if self.channel_names and len(self.channel_names) != self.size("C"):
            found = len(self.channel_names)
            raise UsageError(f"{found} channel names for {self.size('C')} channels")

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.data.shape)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.data.dtype)

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels once read."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def size(self, axis: str) -> int:
        """Number of pixels along `axis`; 1 for an axis that the image does not have."""
        return self.shape[self.axes.index(axis)] if axis in self.axes else 1

    def read(self, **region: slice) -> NDArray[Any]:
        """The pixels of a region, in the order of `axes`.

        `region` gives slices by axis letter, e.g. `read(T=slice(0, 1), Y=slice(0, 64))`; axes
        without one are read whole, and slices of axes that the image lacks are ignored.
        """
        index = tuple(region.get(axis, slice(None)) for axis in self.axes)
        return np.asarray(self.data[index])

    def channel_index(self, channel: int | str) -> int:
        """Index of a channel given by name or number (from 0).

        Raises IncompatibleImageError for a channel that the image does not have.
        """
        if isinstance(channel, str) and channel in self.channel_names:
            return self.channel_names.index(channel)
        text = str(channel)
        if text.isdecimal() and int(text) < self.size("C"):
            return int(text)
        names = ", ".join(self.channel_names) or "no names"
        raise IncompatibleImageError(
            f"{self.source} has no channel {channel!r}: it has {self.size('C')} ({names}); "
            "give one by name or by number from 0"
        )

    def with_data(self, data: LazyArray, axes: str, channel_names: tuple[str, ...] = ()) -> Image:
        """The same image space with other pixels: pixel size and frame interval stay."""
        return replace(self, data=data, axes=axes, channel_names=channel_names)


def check_axes(axes: str, ndim: int) -> None:
    """Raise UsageError unless `axes` names `ndim` different axes of "TCZYX" with Y and X."""
    wrong = [letter for letter in axes if letter not in AXES]
    if wrong or len(set(axes)) != len(axes) or not {"Y", "X"} <= set(axes):
        raise UsageError(
            f"axes {axes!r}: expected different letters of {AXES}, among them Y and X, e.g. ZYX"
        )
    if len(axes) != ndim:
        raise UsageError(f"axes {axes!r} name {len(axes)} axes, the image has {ndim}")


def arranged(
    pixels: NDArray[Any], axes: Sequence[str | None], wanted: Sequence[str | None]
) -> NDArray[Any]:
    """Pixels with the axes `axes` as a view with the axes `wanted`.

    Axes that only one of the two has must have, or get, length 1; None is such an axis.
    """
    kept = [axis for axis in axes if axis is not None and axis in wanted]
    squeezed = pixels.squeeze(tuple(i for i, axis in enumerate(axes) if axis not in kept))
    order = [kept.index(axis) for axis in wanted if axis in kept]
    return np.expand_dims(
        squeezed.transpose(order), tuple(i for i, axis in enumerate(wanted) if axis not in kept)
    )
