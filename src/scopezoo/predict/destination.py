"""Writes a model's output tensor into an image that has the input image's axes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from scopezoo.image import AXES, Image, LazyArray, arranged
from scopezoo.predict.geometry import Follows
from scopezoo.predict.sources import Region, axis_letter
from scopezoo.store.tensors import Tensor

Kind = Literal["labels", "image"]


@dataclass(frozen=True)
class Layout:
    """What an output image looks like: everything about it but its pixels."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    axes: str
    pixel_size_um: Mapping[str, float]
    frame_interval_s: float | None
    channel_names: tuple[str, ...]
    kind: Kind
    planes: bool = False
    """Whether it is written plane by plane."""

    def to_json(self) -> str:
        """As text, for `from_json`."""
        return json.dumps({**asdict(self), "dtype": self.dtype.str})

    @classmethod
    def from_json(cls, text: str) -> Layout:
        fields = json.loads(text)
        fields["shape"] = tuple(fields["shape"])
        fields["channel_names"] = tuple(fields["channel_names"])
        return cls(**{**fields, "dtype": np.dtype(fields["dtype"])})

    def image(self, data: LazyArray, source: str = "array") -> Image:
        """The image with these pixels."""
        return Image(
            data,
            self.axes,
            self.pixel_size_um,
            self.frame_interval_s,
            self.channel_names,
            source,
        )


class Pixels(Protocol):
    """Where an output's pixels go: an image writer, or an array."""

    def __setitem__(self, region: tuple[slice, ...], block: NDArray[Any], /) -> None: ...


class Destination:
    """One output of a run, over all its samples; made when its first block comes.

    `make` gets the layout and gives the pixels; `started` is the layout that an earlier run chose.
    `follows` says what each axis of the tensor follows, `channels` are the names of the input's
    channels that the model saw.
    """

    def __init__(
        self,
        tensor: Tensor,
        follows: Sequence[Follows | None],
        image: Image,
        channels: Sequence[str],
        kind: Kind,
        make: Callable[[Layout], Pixels],
        started: Layout | None,
    ) -> None:
        self.tensor = tensor
        self.image = image
        self.kind = kind
        self.layout = started
        self.pixels = None if started is None else make(started)
        self._follows = follows
        self._channels = tuple(channels)
        self._make = make
        self._letters = [axis_letter(tensor, axis) for axis in tensor.axes]

    def at(self, position: Mapping[str, int]) -> SampleSink:
        """Where a sample's part of the output goes."""
        return SampleSink(self, position)

    def write(
        self,
        position: Mapping[str, int],
        region: Region,
        block: NDArray[Any],
        whole_shape: Sequence[int],
    ) -> None:
        """Write a block of the tensor of the sample at `position`."""
        if self.pixels is None or self.layout is None:
            self.layout = self._layout(block.dtype, whole_shape)
            self.pixels = self._make(self.layout)
        axes = self.layout.axes
        parts = {x: part for x, part in zip(self._letters, region, strict=True) if x in set(axes)}
        parts |= {x: slice(index, index + 1) for x, index in position.items()}
        target = tuple(parts.get(axis, slice(0, 1)) for axis in axes)
        self.pixels[target] = arranged(block, self._letters, axes)

    def _layout(self, dtype: np.dtype[Any], whole_shape: Sequence[int]) -> Layout:
        sizes = dict(zip(self._letters, whole_shape, strict=True))
        channels = sizes.get("C", 1)
        axes = self.image.axes
        if channels > 1 and "C" not in axes:
            axes = with_channel(axes)
        shape = tuple(
            channels if axis == "C" else sizes.get(axis, self.image.size(axis)) for axis in axes
        )
        return Layout(
            shape=shape,
            dtype=np.dtype(np.uint8) if dtype == np.bool_ else dtype,
            axes=axes,
            pixel_size_um=self._pixel_size(),
            frame_interval_s=self.image.frame_interval_s,
            channel_names=self._channel_names(channels) if "C" in axes else (),
            kind=self.kind,
            planes="Z" not in sizes,
        )

    def _pixel_size(self) -> dict[str, float]:
        scales = {
            letter: f.scale if f is not None else Fraction(1)
            for letter, f in zip(self._letters, self._follows, strict=True)
        }
        return {
            axis: size / float(scales.get(axis, 1))
            for axis, size in self.image.pixel_size_um.items()
        }

    def _channel_names(self, channels: int) -> tuple[str, ...]:
        if len(self._channels) == channels:
            return self._channels
        names = next((a.channel_names for a in self.tensor.axes if a.type == "channel"), ())
        return names if len(names) == channels else ()


@dataclass(frozen=True)
class SampleSink:
    """One sample's part of a destination."""

    destination: Destination
    position: Mapping[str, int]

    def write(self, region: Region, block: NDArray[Any], whole_shape: Sequence[int]) -> None:
        self.destination.write(self.position, region, block, whole_shape)


def with_channel(axes: str) -> str:
    """`axes` with C where TZCYX has it: before Y and X, after all else."""
    place = min(axes.index("Y"), axes.index("X"))
    assert set(axes) < set(AXES)
    return f"{axes[:place]}C{axes[place:]}"
