"""Input tensors of one sample, read window by window in the network's own layout."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import IncompatibleImageError, UsageError
from scopezoo.image import AXES, Image, arranged
from scopezoo.predict.tiles import reflected
from scopezoo.store.tensors import Axis, FixedSize, Tensor

Region = tuple[slice, ...]


@dataclass(frozen=True)
class Source:
    """A whole tensor of one sample: its shape, and its pixels by region.

    `chunks` are the sizes of the pieces that it is stored in; None where it has none.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[Region], NDArray[Any]]
    chunks: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Sample:
    """What the model sees as one: a frame of a 3D model, a plane of a frame of a 2D one.

    `position` says which, as indices by axis letter.
    """

    position: Mapping[str, int]
    sources: Mapping[str, Source]


def array_source(array: NDArray[Any]) -> Source:
    """A tensor that is in memory."""
    return Source(array.shape, array.dtype, lambda region: array[region])


def axis_letter(tensor: Tensor, axis: Axis) -> str | None:
    """Letter of the image axis that a tensor axis takes; None for batch.

    Axes of space are named by their id, or by their place where the id is not x, y or z.
    """
    if axis.type == "space":
        by_place = "ZYX"[-len(tensor.space) :][tensor.space.index(axis)]
        return axis.id.upper() if axis.id in ("x", "y", "z") else by_place
    return {"batch": None, "channel": "C", "time": "T"}.get(axis.type, axis.id)


def samples_of(
    images: Mapping[str, Image], tensors: Sequence[Tensor], channel: str | None
) -> list[Sample]:
    """All samples of one image per input tensor, time outermost, then Z for a 2D model.

    `channel` names the channels to use, separated by commas. Raises IncompatibleImageError where
    an image lacks an axis of the model, has another number of channels, or where the images of
    several inputs differ in size.
    """
    letters = {axis_letter(tensor, axis) for tensor in tensors for axis in tensor.axes}
    for tensor in tensors:
        if tensor.id in images:
            _check_axes(images[tensor.id], tensor)
    first = next(iter(images.values()))
    _check_same_size(first, images)
    looped = [letter for letter in "TZ" if letter not in letters]
    picks = {
        tensor.id: pick_channels(images[tensor.id], tensor, channel)
        for tensor in tensors
        if tensor.id in images
    }
    return [
        Sample(
            position := dict(zip(looped, indices, strict=True)),
            {
                tensor.id: _image_source(images[tensor.id], tensor, picks[tensor.id], position)
                for tensor in tensors
                if tensor.id in images
            },
        )
        for indices in product(*(range(first.size(letter)) for letter in looped))
    ]


def pick_channels(image: Image, tensor: Tensor, channel: str | None) -> list[int]:
    """Indices of the image's channels that the tensor takes, in its order."""
    wanted = next(
        (a.size.size for a in tensor.axes if a.type == "channel" and isinstance(a.size, FixedSize)),
        1,
    )
    if channel is not None:
        picked = [image.channel_index(name.strip()) for name in channel.split(",")]
    else:
        picked = list(range(image.size("C")))
    if len(picked) != wanted:
        names = ", ".join(image.channel_names) or f"0 to {image.size('C') - 1}"
        raise IncompatibleImageError(
            f"{image.source}: the model takes {wanted} channel(s), given were {len(picked)}; "
            f"say which with --channel (there are: {names})"
        )
    return picked


def picked_names(image: Image, tensor: Tensor, channel: str | None) -> list[str]:
    """Names of the channels that the tensor takes; none where the image names none."""
    picked = pick_channels(image, tensor, channel)
    return [image.channel_names[i] for i in picked] if image.channel_names else []


def _check_axes(image: Image, tensor: Tensor) -> None:
    letters = [axis_letter(tensor, axis) for axis in tensor.axes]
    unknown = [letter for letter in letters if letter is not None and letter not in AXES]
    if unknown:
        raise IncompatibleImageError(
            f"the model's axis {unknown[0]!r} is none of an image's axes {AXES}"
        )
    if "Z" in letters and image.size("Z") < 2:
        raise IncompatibleImageError(
            f"{image.source} is a plane (axes {image.axes}); the model is 3D and takes a stack. "
            "If the image is a stack, name its axes with --axes, e.g. ZYX"
        )
    if "T" in letters and image.size("T") < 2:
        raise IncompatibleImageError(f"{image.source} has no time axis; the model needs one")
    if min(image.shape) == 0:
        raise IncompatibleImageError(f"{image.source} has no pixels: its shape is {image.shape}")


def _check_same_size(first: Image, images: Mapping[str, Image]) -> None:
    for image in images.values():
        for letter in "TZYX":
            if image.size(letter) != first.size(letter):
                raise IncompatibleImageError(
                    f"{image.source} has {image.size(letter)} px along {letter}, {first.source} "
                    f"has {first.size(letter)}: the inputs of one model must be of one size"
                )


def _along(axis: int, part: slice) -> tuple[slice, ...]:
    """`part` of an axis, and all of those before it."""
    return (*(slice(None),) * axis, part)


def _image_source(
    image: Image, tensor: Tensor, channels: list[int], position: Mapping[str, int]
) -> Source:
    letters = [axis_letter(tensor, axis) for axis in tensor.axes]
    shape = tuple(
        1 if letter is None else len(channels) if letter == "C" else image.size(letter)
        for letter in letters
    )
    span = slice(min(channels), max(channels) + 1)
    picks = [channel - span.start for channel in channels]

    def read(region: Region) -> NDArray[Any]:
        slices = {letter: slice(index, index + 1) for letter, index in position.items()}
        slices |= {x: part for x, part in zip(letters, region, strict=True) if x}
        pixels = image.read(**{**slices, "C": span})
        pixels = arranged(pixels, image.axes, letters)
        if "C" not in letters:
            return pixels
        axis = letters.index("C")
        if picks != list(range(len(picks))):
            pixels = pixels.take(picks, axis=axis)
        return pixels[_along(axis, slices["C"])]

    return Source(shape, image.dtype, read, _chunks(image, letters))


def _chunks(image: Image, letters: Sequence[str | None]) -> tuple[int, ...] | None:
    """Sizes of the image's chunks along axes of a tensor, None where it has none or uneven ones."""
    chunks = getattr(image.data, "chunks", None)
    if chunks is None or not all(isinstance(size, int) for size in chunks):
        return None
    sizes: dict[str | None, int] = dict(zip(image.axes, chunks, strict=True))
    return tuple(sizes.get(letter, 1) for letter in letters)


@dataclass(frozen=True)
class ReflectedWindow:
    """[start, stop) per axis of a tensor: the part that exists, and how it is reflected beyond."""

    region: Region
    indices: tuple[NDArray[np.int64] | None, ...]

    @classmethod
    def of(cls, bounds: Sequence[tuple[int, int]], shape: Sequence[int]) -> ReflectedWindow:
        """The window `bounds` of a tensor of `shape`."""
        region: list[slice] = []
        indices: list[NDArray[np.int64] | None] = []
        for (start, stop), size in zip(bounds, shape, strict=True):
            if start >= 0 and stop <= size:
                region.append(slice(start, stop))
                indices.append(None)
                continue
            index = reflected(start, stop, size)
            first = int(index.min())
            region.append(slice(first, int(index.max()) + 1))
            indices.append(index - first)
        return cls(tuple(region), tuple(indices))

    def pad(self, block: NDArray[Any]) -> NDArray[Any]:
        """The window, from the pixels of `region`."""
        for axis, index in enumerate(self.indices):
            if index is not None:
                block = block.take(index, axis=axis)
        return block


def blocks_of(
    source: Source, max_bytes: int = 64 * 1024**2, whole_axes: Collection[int] = ()
) -> Iterator[tuple[Region, NDArray[Any]]]:
    """The tensor in blocks of at most about `max_bytes`, each pixel once, in order.

    Blocks are whole chunks, cut along the first axes before the last ones, so that each chunk is
    read once, and planes are read in the order that files have them. Along `whole_axes` (indices)
    they are not cut.
    """
    sizes = _block_sizes(source, max_bytes // source.dtype.itemsize, whole_axes)
    starts = [range(0, size, step) for size, step in zip(source.shape, sizes, strict=True)]
    for corner in product(*starts):
        region = tuple(
            slice(at, min(at + step, size))
            for at, step, size in zip(corner, sizes, source.shape, strict=True)
        )
        yield region, source.read(region)


def _block_sizes(source: Source, max_px: int, whole_axes: Collection[int]) -> list[int]:
    sizes = [max(1, size) for size in source.shape]
    chunks = source.chunks or (1,) * len(sizes)
    for axis, chunk in enumerate(chunks):
        across = math.prod(sizes) // sizes[axis]
        if axis not in whole_axes and across * sizes[axis] > max_px:
            step = max(1, max_px // (across * chunk)) * chunk
            sizes[axis] = min(step, sizes[axis])
    return sizes


def given_images(
    images: Image | Mapping[str, Image], tensors: Sequence[Tensor]
) -> dict[str, Image]:
    """One image per required input tensor; the first, which all sizes follow, is always required.

    Raises UsageError where a required input has none or a name is unknown.
    """
    if isinstance(images, Image):
        images = {tensors[0].id: images}
    ids = [tensor.id for tensor in tensors]
    unknown = [name for name in images if name not in ids]
    required = [tensors[0].id, *(t.id for t in tensors[1:] if not t.optional)]
    missing = [name for name in required if name not in images]
    if unknown or missing:
        raise UsageError(
            f"the model takes the inputs {', '.join(ids)}; give them as ID=FILE,ID=FILE "
            f"(unknown: {', '.join(unknown) or 'none'}; missing: {', '.join(missing) or 'none'})"
        )
    return dict(images)
