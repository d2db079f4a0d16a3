"""One node of a graph with its inputs at the reference size, and typed access to its attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.predict.graph.tensors import Tensor, UnknownError

if TYPE_CHECKING:
    import onnx

MAX_VALUES = 1024
"""Constants with more elements are weights: their shape is kept, not their value."""


@dataclass
class Node:
    """What a rule needs to know; `macs` is filled by rules that multiply and accumulate."""

    op: str
    attributes: dict[str, onnx.AttributeProto]
    opset: int
    n_outputs: int
    inputs: Sequence[Tensor | None]
    extent: tuple[int, ...]
    macs: int = field(default=0)

    @property
    def n_spatial(self) -> int:
        return len(self.extent)

    def has_input(self, number: int) -> bool:
        return number < len(self.inputs) and self.inputs[number] is not None

    def tensor(self, number: int = 0) -> Tensor:
        found = self.inputs[number] if number < len(self.inputs) else None
        if found is None:
            raise UnknownError(f"{self.op} without input {number}")
        return found

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute's value: int, float, str, or a list of these."""
        from onnx import AttributeProto

        found = self.attributes.get(name)
        if found is None:
            return default
        match found.type:
            case AttributeProto.INT:
                return int(found.i)
            case AttributeProto.FLOAT:
                return float(found.f)
            case AttributeProto.STRING:
                return found.s.decode(errors="replace")
            case AttributeProto.INTS:
                return [int(i) for i in found.ints]
            case AttributeProto.FLOATS:
                return [float(f) for f in found.floats]
        raise UnknownError(f"{self.op} with an attribute {name} of an unusual kind")

    def integer(self, name: str, default: int) -> int:
        value = self.attribute(name, default)
        if not isinstance(value, int):
            raise UnknownError(f"{self.op} with {name} = {value!r}")
        return value

    def integers(self, name: str, default: Sequence[int]) -> list[int]:
        """A list of as many integers as `default` has."""
        value = self.attribute(name, default)
        if not isinstance(value, (list, tuple)) or len(value) != len(default):
            raise UnknownError(f"{self.op} with {name} = {value!r}")
        return [int(i) for i in value]

    def value(self, number: int) -> NDArray[Any] | None:
        """The value of a small constant input; None if the input is left out."""
        if not self.has_input(number):
            return None
        found = self.tensor(number).value
        if found is None:
            raise UnknownError(f"{self.op} with computed {self.op} parameters")
        return found

    def numbers(self, number: int, name: str) -> list[Any] | None:
        """A list given as input `number` (newer opsets) or as attribute `name` (older ones)."""
        value = self.value(number)
        if value is not None:
            return list(np.atleast_1d(value).tolist())
        found = self.attribute(name)
        return [found] if isinstance(found, (int, float)) else found

    def axis(self, value: int, rank: int) -> int:
        """A non-negative axis number."""
        if not -rank <= value < rank:
            raise UnknownError(f"{self.op} over axis {value} of {rank}")
        return value % rank


Rule = Callable[[Node], list[Tensor]]
"""From a node to its outputs; raises UnknownError for what it cannot follow."""
