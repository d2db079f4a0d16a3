"""Runs the package's network on arrays through the engine, and makes images for it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import PackageError
from scopezoo.predict.engine import Engine
from scopezoo.predict.geometry import legal_sizes
from scopezoo.store.package import Package
from scopezoo.store.tensors import Axis, Tensor
from scopezoo.validation.subject import RUNS, Subject

Arrays = dict[str, NDArray[Any]]
WHOLE_BYTES = 2**50
"""A memory budget that makes the engine take any image as one tile."""


def engine(subject: Subject, weights_format: str | None = None, **options: Any) -> Engine:
    """An engine for the given weights format, or the first that may run."""
    chosen = weights_format or subject.formats[0]
    settings = {"runtime": RUNS[chosen], "trust": subject.trust, **options}
    return Engine(subject.package, **settings)


def test_inputs(package: Package) -> Arrays:
    """Test inputs by tensor id, batch axis included."""
    return _stored(package, package.description.inputs)


def test_outputs(package: Package) -> Arrays:
    """Expected outputs by tensor id."""
    return _stored(package, package.description.outputs)


def _stored(package: Package, tensors: tuple[Tensor, ...]) -> Arrays:
    found: Arrays = {}
    for tensor in tensors:
        if tensor.test_tensor is None:
            continue
        content = package.read(tensor.test_tensor)
        try:
            array: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise PackageError(f"test tensor of {tensor.id} cannot be read: {error}") from error
        if array.ndim != len(tensor.axes):
            axes = ", ".join(tensor.axis_ids)
            raise PackageError(
                f"test tensor of {tensor.id} has shape {array.shape}; expected axes {axes}"
            )
        found[tensor.id] = array
    return found


def image_of_sizes(package: Package, sizes: Mapping[str, int]) -> Arrays:
    """The test inputs mirrored or cropped to `sizes`, given by axis id."""
    return {
        tensor.id: _resized(array, tensor, sizes)
        for tensor, array in ((t, a) for t, a in _by_tensor(package))
    }


def _by_tensor(package: Package) -> list[tuple[Tensor, NDArray[Any]]]:
    arrays = test_inputs(package)
    return [(t, arrays[t.id]) for t in package.description.inputs if t.id in arrays]


def _resized(array: NDArray[Any], tensor: Tensor, sizes: Mapping[str, int]) -> NDArray[Any]:
    for number, axis in enumerate(tensor.axes):
        size = sizes.get(axis.id)
        if size is None or axis.type in ("batch", "channel"):
            continue
        index = np.arange(size) % (2 * array.shape[number])
        mirrored = np.minimum(index, 2 * array.shape[number] - 1 - index)
        array = np.take(array, mirrored, axis=number)
    return array


def is_fixed(axis: Axis) -> bool:
    """Whether the network takes but one size along this axis."""
    return legal_sizes(axis)[1] == 0
