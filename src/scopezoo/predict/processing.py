"""Pre- and post-processing of one tensor, applied tile by tile.

Statistics are those of a tensor's whole sample as it comes: of an input before its first step, of
an output as the network gave it, whatever steps stand before the one that needs them. For inputs
that is what bioimageio.core 0.11 does; for outputs it has no rule (it raises KeyError). Statistics
"of the data set" are of this sample as well. NaN are left out of statistics (core does so for
means and percentiles; its standard deviation becomes NaN).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import PackageError
from scopezoo.predict.groups import Region, axis_id
from scopezoo.predict.kwargs import AlongAxis, Kwargs
from scopezoo.predict.operations import OPERATIONS, Operand, Operation
from scopezoo.predict.statistics import Measure

Step = Mapping[str, Any]
"""One processing step in the form of format 0.5: `{"id": …, "kwargs": {…}}`."""


def complete_steps(
    steps: Sequence[Step], dtype: str, role: Literal["input", "output"]
) -> list[Step]:
    """The steps with the casts to the tensor's `dtype` that format 0.5 says are always there.

    An input's begin with "ensure_dtype"; an input's and an output's end with it or "binarize".
    """
    cast: Step = {"id": "ensure_dtype", "kwargs": {"dtype": dtype}}
    complete = list(steps)
    if role == "input" and (not complete or complete[0].get("id") != "ensure_dtype"):
        complete.insert(0, cast)
    if not complete or complete[-1].get("id") not in ("ensure_dtype", "binarize"):
        complete.append(cast)
    return complete


class Chain:
    """The processing steps of one tensor.

    `axes` are the ids of its axes in order, `steps` as the description has them: pass them through
    `complete_steps` first, and leave out "stardist_postprocessing" and "custom", which are not
    pixelwise and run elsewhere. `references` are the axes of the tensors that steps may refer to.
    `sizes` are the sizes of axes that are known beforehand, such as the channels.

    Raises PackageError for an unknown step and for kwargs that the format does not have, and names
    step and tensor.
    """

    def __init__(
        self,
        tensor: str,
        axes: Sequence[str],
        steps: Sequence[Step],
        references: Mapping[str, Sequence[str]] | None = None,
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        self._axes = tuple(map(axis_id, axes))
        self._tensor_axes = {
            name: tuple(map(axis_id, ids)) for name, ids in (references or {}).items()
        }
        self._tensor_axes[tensor] = self._axes
        self._steps = [self._operation(tensor, i, step) for i, step in enumerate(steps)]
        for where, operation in self._steps:
            self._check_sizes(where, operation, sizes or {})

    @property
    def measures(self) -> frozenset[Measure]:
        """The statistics that `apply` needs, of this tensor and those that it refers to."""
        return frozenset(
            operand
            for _, operation in self._steps
            for operand in operation.operands
            if isinstance(operand, Measure)
        )

    @property
    def whole_axes(self) -> frozenset[str]:
        """Axes along which a block must be whole, since a step mixes their pixels (softmax)."""
        return frozenset(step.whole_axis for _, step in self._steps if step.whole_axis)

    def apply(
        self,
        block: NDArray[Any],
        statistics: Mapping[Measure, NDArray[Any]],
        region: Region | None = None,
    ) -> NDArray[Any]:
        """Process a block of the tensor; `block` stays as it is, but may be what is returned.

        `statistics` has the value of each of `measures`, as `compute_statistics` gives them.
        `region` is where the block lies in the tensor, needed where values are kept along an axis
        that the block does not hold whole; it must not reach beyond the tensor, so pad afterwards.

        Raises PackageError where lists or statistics do not fit the tensor's size.
        """
        pixels = block
        for where, operation in self._steps:
            values = [
                self._value(where, operand, statistics, block.shape, region)
                for operand in operation.operands
            ]
            pixels = operation.run(pixels, pixels is not block, *values)
        return pixels

    def _operation(self, tensor: str, index: int, step: Step) -> tuple[str, Operation]:
        name = step.get("id")
        where = f"step {index + 1} ({name}) of tensor {tensor!r}"
        if name not in OPERATIONS:
            raise PackageError(
                f"{where}: this processing cannot be run here; known are {', '.join(OPERATIONS)}"
            )
        values = step.get("kwargs") or {}
        if not isinstance(values, Mapping):
            raise PackageError(f"{where}: kwargs is {values!r}, expected a mapping")
        kwargs = Kwargs(where, values, tensor, self._axes, self._tensor_axes)
        return where, OPERATIONS[str(name)](kwargs)

    def _check_sizes(self, where: str, operation: Operation, sizes: Mapping[str, int]) -> None:
        for operand in operation.operands:
            if isinstance(operand, AlongAxis):
                found, axis = len(operand.values), self._axes[operand.axis]
                if sizes.get(axis, found) != found:
                    raise _wrong_size(where, found, axis, sizes[axis])

    def _value(
        self,
        where: str,
        operand: Operand,
        statistics: Mapping[Measure, NDArray[Any]],
        shape: tuple[int, ...],
        region: Region | None,
    ) -> float | NDArray[Any]:
        if isinstance(operand, float):
            return operand
        region = region or (slice(None),) * len(shape)
        if isinstance(operand, AlongAxis):
            value = operand.values[region[operand.axis]]
            if len(value) != shape[operand.axis]:
                axis = self._axes[operand.axis]
                raise _wrong_size(where, len(operand.values), axis, shape[operand.axis])
            return value.reshape([-1 if i == operand.axis else 1 for i in range(len(shape))])
        value = self._aligned(where, operand, statistics[operand])
        cuts = (cut if n > 1 else slice(None) for cut, n in zip(region, value.shape, strict=True))
        value = value[tuple(cuts)]
        for axis, found, size in zip(self._axes, value.shape, shape, strict=True):
            if found not in (1, size):
                raise _wrong_size(where, found, axis, size)
        return value

    def _aligned(self, where: str, measure: Measure, value: NDArray[Any]) -> NDArray[Any]:
        """The value of a measure with its axes in the order of this tensor's."""
        axes = self._tensor_axes[measure.tensor]
        for axis, size in zip(axes, value.shape, strict=True):
            if axis not in self._axes and size > 1:
                raise _wrong_size(where, size, axis, 1)
        shared = [axis for axis in axes if axis in self._axes]
        value = value.reshape([value.shape[axes.index(axis)] for axis in shared])
        value = value.transpose([shared.index(axis) for axis in self._axes if axis in shared])
        return value[tuple(slice(None) if axis in shared else np.newaxis for axis in self._axes)]


def _wrong_size(where: str, found: int, axis: str, size: int) -> PackageError:
    return PackageError(
        f"{where}: {found} values along axis {axis!r}, but the tensor has size {size} there; "
        "correct the package's description"
    )
