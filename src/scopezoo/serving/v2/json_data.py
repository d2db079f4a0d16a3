"""Tensors as lists in JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.serving.v2.datatypes import ProtocolError

_ELEMENTS: dict[str, set[type]] = {
    "b": {bool},
    "u": {int},
    "i": {int},
    "f": {int, float},
}
"""What elements of each kind of numpy's types may be in JSON."""


def parse_list(data: Any, shape: Sequence[int], dtype: np.dtype[Any], where: str) -> NDArray[Any]:
    """A tensor from a flat list in row-major order, or lists nested as `shape` says.

    Raises ProtocolError for another number of elements or one that `dtype` cannot hold.
    """
    flat = _flat(data, shape, where)
    if len(flat) != math.prod(shape):
        raise ProtocolError(
            f"{where}: {len(flat)} elements in data; shape {list(shape)} has {math.prod(shape)}"
        )
    wrong = set(map(type, flat)) - _ELEMENTS[dtype.kind]
    if wrong:
        kinds = ", ".join(sorted(kind.__name__ for kind in wrong))
        raise ProtocolError(f"{where}: data has {kinds} elements, which are not {dtype}")
    return _array(flat, dtype, where).reshape(shape)


def _flat(data: Any, shape: Sequence[int], where: str) -> list[Any]:
    if type(data) is not list:
        raise ProtocolError(f"{where}: data must be a list")
    sizes = list(shape[1:])
    while set(map(type, data)) == {list}:
        if not sizes or set(map(len, data)) != {sizes[0]}:
            raise ProtocolError(f"{where}: lists in data are not nested as shape {list(shape)}")
        del sizes[0]
        data = list(chain.from_iterable(data))
    return list(data)


def _array(flat: list[Any], dtype: np.dtype[Any], where: str) -> NDArray[Any]:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if min(flat) < limits.min or max(flat) > limits.max:
            raise ProtocolError(f"{where}: data has elements that {dtype} cannot hold")
    try:
        with np.errstate(over="raise"):
            return (
                np.array(flat, np.float64).astype(dtype)
                if dtype.kind == "f"
                else np.array(flat, dtype)
            )
    except (OverflowError, FloatingPointError) as error:
        raise ProtocolError(f"{where}: data has elements that {dtype} cannot hold") from error
