"""Objects from probabilities: what lies inside them is told apart, and grows up to their borders.

Networks with classes for the inside and the border of objects (Caicedo et al. 2019,
doi:10.1002/cyto.a.23863) need this step, which the format of the BioImage Model Zoo does not have:
a package says how it is to be done under `config.scopezoo.instances`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import IncompatibleImageError, PackageError, UsageError
from scopezoo.formats.npy import make_npy
from scopezoo.image import Image, arranged
from scopezoo.predict.destination import Layout
from scopezoo.predict.machine import memory_bytes
from scopezoo.predict.stores import Store
from scopezoo.predict.work import WorkFolder
from scopezoo.store.description import Description

KEY = "instances"
MAX_SMALLEST_PX = 1_000_000
BYTES_PER_PX = 64
"""What finding objects takes: the probabilities, seeds, mask, labels and the watershed's queue."""


@dataclass(frozen=True)
class InstanceSettings:
    """Channels by name, and thresholds of their probabilities.

    Objects start as connected pixels with `inside` above `inside_threshold`, at least `smallest_px`
    of them, and grow over pixels where inside and border together are above `mask_threshold`.
    """

    inside: str
    border: str
    inside_threshold: float
    mask_threshold: float
    smallest_px: int


_NAMES = [field.name for field in dataclass_fields(InstanceSettings)]


def instance_settings(description: Description) -> InstanceSettings | None:
    """What a package says of its first output; None where it says nothing.

    Raises PackageError for settings that are incomplete, out of range, or of no channel.
    """
    config = description.rdf.get("config")
    own = config.get("scopezoo") if isinstance(config, Mapping) else None
    said = own.get(KEY) if isinstance(own, Mapping) else None
    if said is None:
        return None
    if not isinstance(said, Mapping):
        raise _wrong("the entry", said, "a mapping")
    fields: dict[str, Any] = {name: said.get(name) for name in _NAMES}
    channels = channel_names(description)
    for name in ("inside", "border"):
        if fields.get(name) not in channels:
            raise _wrong(name, fields.get(name), f"one of the channels {', '.join(channels)}")
    for name in ("inside_threshold", "mask_threshold"):
        if not _is_number(fields.get(name)) or not 0 <= fields[name] <= 1:
            raise _wrong(name, fields.get(name), "a number from 0 to 1")
    smallest = fields.get("smallest_px")
    if type(smallest) is not int or not 1 <= smallest <= MAX_SMALLEST_PX:
        raise _wrong("smallest_px", smallest, f"a whole number from 1 to {MAX_SMALLEST_PX}")
    return InstanceSettings(**fields)


def channel_names(description: Description) -> list[str]:
    """Of the first output."""
    axes = description.outputs[0].axes
    return [str(name) for axis in axes if axis.type == "channel" for name in axis.channel_names]


def find_instances(
    inside: NDArray[np.float32], border: NDArray[np.float32], settings: InstanceSettings
) -> NDArray[np.int32]:
    """Labels (z)yx from 1 of probabilities (z)yx, by seeded watershed (Meyer 1994,
    doi:10.1016/0165-1684(94)90060-4)."""
    from skimage.measure import label
    from skimage.segmentation import relabel_sequential, watershed

    seeds = label(inside > settings.inside_threshold, connectivity=1)  # type: ignore[no-untyped-call]
    seeds[np.bincount(seeds.ravel())[seeds] < settings.smallest_px] = 0
    mask = (inside + border > settings.mask_threshold) | (seeds > 0)
    numbered = relabel_sequential(seeds)[0]  # type: ignore[no-untyped-call]
    grown = watershed(-inside, numbered, mask=mask)  # type: ignore[no-untyped-call]
    return np.asarray(grown, dtype=np.int32)


class Instances:
    """The objects of a finished first output: an image "labels", plane by plane (volume by volume
    for a 3D model), with numbers that go on from one to the next.

    Raises UsageError for a model whose package does not say how its output becomes objects.
    """

    name = "labels"

    def __init__(self, description: Description) -> None:
        settings = instance_settings(description)
        if settings is None:
            raise UsageError(
                f"{description.name} gives labels as it is, or does not say how its output becomes "
                f"objects (config.scopezoo.{KEY}): run it without --instances"
            )
        self.settings = settings
        names = channel_names(description)
        self._channels = [names.index(name) for name in (settings.inside, settings.border)]
        self._axes = "ZYX"[-len(description.inputs[0].space) :]

    def run(self, probabilities: Image, work: WorkFolder, store: Store) -> None:
        """Write the labels into `store`, uint16 or, of more than 65,535 objects, uint32.

        Raises IncompatibleImageError where this machine has no memory for a plane (volume).
        """
        axes = probabilities.axes.replace("C", "")
        shape = tuple(probabilities.size(axis) for axis in axes)
        self._check_memory(probabilities)
        scratch = make_npy(work.path(f"{self.name}.raw.npy"), shape, np.dtype(np.uint32))
        count = 0
        for region in self._frames(axes, shape):
            found = self._find(probabilities, dict(zip(axes, region, strict=True)))
            numbers = np.where(found > 0, found + np.uint32(count), 0).astype(np.uint32)
            scratch[region] = arranged(numbers, self._axes, axes)
            count += int(found.max(initial=0))
        dtype = np.dtype(np.uint16 if count <= np.iinfo(np.uint16).max else np.uint32)
        layout = Layout(
            shape,
            dtype,
            axes,
            {a: um for a, um in probabilities.pixel_size_um.items() if a in axes},
            probabilities.frame_interval_s,
            (),
            "labels",
            planes="Z" not in self._axes,
        )
        pixels = store.create(self.name, layout)
        for region in self._frames(axes, shape):
            pixels[region] = scratch[region].astype(dtype)

    def _find(self, image: Image, region: dict[str, slice]) -> NDArray[np.int32]:
        """Labels of one plane or volume, in the order of `_axes`."""
        inside, border = (
            arranged(image.read(**region, C=slice(c, c + 1)), image.axes, self._axes)
            for c in self._channels
        )
        return find_instances(inside, border, self.settings)

    def _frames(self, axes: str, shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
        """Regions that hold whole objects, one after the other."""
        yield from product(
            *(
                [slice(0, size)] if axis in self._axes else [slice(i, i + 1) for i in range(size)]
                for axis, size in zip(axes, shape, strict=True)
            )
        )

    def _check_memory(self, image: Image) -> None:
        needed = math.prod(image.size(axis) for axis in self._axes) * BYTES_PER_PX
        available = memory_bytes()
        if available is not None and needed > available:
            raise IncompatibleImageError(
                f"finding the objects of {image.source} needs about {needed / 1e9:.0f} GB, since a "
                f"{'plane' if len(self._axes) == 2 else 'volume'} is looked at as a whole; this "
                f"machine has {available / 1e9:.0f} GB: cut the image into parts"
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong(name: str, found: object, expected: str) -> PackageError:
    return PackageError(
        f"config.scopezoo.{KEY}: {name} is {str(found)[:60]!r}, expected {expected}; "
        "correct it in the package's description"
    )
