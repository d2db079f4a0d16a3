"""Checked access to the kwargs of a processing step that a stranger wrote."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import PackageError
from scopezoo.predict.groups import axis_id

_LARGEST = sys.float_info.max


@dataclass(frozen=True)
class AlongAxis:
    """One fixed value for each place along one axis (an index of the tensor's axes)."""

    values: NDArray[np.float64]
    axis: int


@dataclass(frozen=True)
class Kwargs:
    """The kwargs of one step of a tensor.

    `where` names step and tensor in messages; `references` are the axes of the tensors that the
    step may refer to. A kwarg that is null counts as not given. All methods raise PackageError.
    """

    where: str
    values: Mapping[str, Any]
    tensor: str
    axes: tuple[str, ...]
    references: Mapping[str, Sequence[str]]

    def error(self, problem: str) -> PackageError:
        return PackageError(f"{self.where}: {problem}; correct the package's description")

    def refuse_unknown(self, *known: str) -> None:
        unknown = [str(name) for name in self.values if name not in known]
        if unknown:
            expected = ", ".join(known) or "none"
            raise self.error(f"unknown kwargs {', '.join(unknown)} (expected: {expected})")

    def given(self, name: str) -> bool:
        return self.values.get(name) is not None

    def number(
        self, name: str, default: float | None = None, least: float = -inf, most: float = inf
    ) -> float:
        """A finite number from `least` to `most`; required without `default`."""
        value = self.values[name] if self.given(name) else default
        return self._checked(name, value, least, most)

    def _checked(self, name: str, value: Any, least: float, most: float) -> float:
        if value is None:
            raise self.error(f"{name} is missing")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not abs(value) <= _LARGEST:
            raise self.error(f"{name} is {value!r}, expected a finite number")
        if not least <= value <= most:
            raise self.error(f"{name} is {value}, expected {least:g} to {most:g}")
        return float(value)

    def eps(self) -> float:
        eps = self.number("eps", 1e-6, 0.0, 0.1)
        if eps == 0:
            raise self.error("eps is 0, expected more")
        return eps

    def percentile(self, name: str, default: float | None = None) -> float:
        """A percentile as a quantile, 0 to 1; an upper one is above 1 %, lest 0.99 be meant."""
        value = self.number(name, default, 0.0, 100.0)
        if (name == "max_percentile" and value <= 1) or (name == "min_percentile" and value == 100):
            raise self.error(f"{name} is {value}, expected percent")
        return value / 100

    def along_axis(
        self, *names: str, least: float = -inf, default: Mapping[str, float] | None = None
    ) -> list[float | AlongAxis]:
        """The numbers `names`, or where an `axis` is given, lists of them along that axis.

        Beside a list another may be one number. `default` is for those not given.
        """
        default = default or {}
        if not self.given("axis"):
            return [self.number(name, default.get(name), least) for name in names]
        axis = self.axis()
        lists = {name: self._list(name, least) for name in names if self._is_list(name)}
        lengths = {len(values) for values in lists.values()}
        if len(lengths) != 1 or 0 in lengths:
            raise self.error(f"{' and '.join(names)}: expected lists of one length for `axis`")
        for name in names:
            if name not in lists:
                lists[name] = [self.number(name, default.get(name), least)] * next(iter(lengths))
        return [AlongAxis(np.array(lists[name]), axis) for name in names]

    def _is_list(self, name: str) -> bool:
        return isinstance(self.values.get(name), list | tuple)

    def _list(self, name: str, least: float) -> list[float]:
        return [self._checked(name, value, least, inf) for value in self.values[name]]

    def axis(self, default: str | None = None) -> int:
        """Index of the tensor's axis that is named by `axis`; never that of the batch."""
        value = self.values["axis"] if self.given("axis") else default
        found = axis_id(value) if isinstance(value, str) else value
        if found not in self.axes or found == "batch":
            raise self.error(f"axis is {value!r}, expected one of {', '.join(self.axes)}")
        return self.axes.index(str(found))

    def reduced_axes(self, axes: Sequence[str]) -> tuple[tuple[str, ...] | None, bool]:
        """The kwarg `axes` in the order of a tensor's `axes`, without "batch", None for all of
        them; and whether it spans the data set: all axes by default, or "batch" among them.
        """
        if not self.given("axes"):
            return None, True
        value = self.values["axes"]
        if not isinstance(value, list | tuple) or not all(isinstance(a, str) for a in value):
            raise self.error(f"axes is {value!r}, expected a list of axis ids")
        reduced = {axis_id(axis) for axis in value}
        if not reduced or not reduced <= set(axes):
            raise self.error(f"axes is {list(value)}, expected some of {', '.join(axes)}")
        kept = [axis for axis in axes if axis not in reduced | {"batch"}]
        ordered = tuple(axis for axis in axes if axis in reduced - {"batch"})
        return ordered if kept else None, "batch" in reduced

    def reference(self, required: bool = False) -> tuple[str, Sequence[str]]:
        """Id and axes of the tensor named by `reference_tensor`; by default the step's own."""
        if not self.given("reference_tensor") and not required:
            return self.tensor, self.axes
        value = self.values.get("reference_tensor")
        if value not in self.references:
            known = ", ".join(self.references) or "none"
            raise self.error(f"reference_tensor is {value!r}, expected one of: {known}")
        return str(value), self.references[str(value)]
