"""Walk a graph in its order and find, for every tensor, shape and reach at a reference size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from scopezoo.errors import PackageError
from scopezoo.predict.graph.fold import fold
from scopezoo.predict.graph.moves import MOVE_RULES
from scopezoo.predict.graph.node import MAX_VALUES, Node
from scopezoo.predict.graph.read import ITEM_BYTES
from scopezoo.predict.graph.rules import RULES, TRUTHS
from scopezoo.predict.graph.shapes import SHAPE_RULES
from scopezoo.predict.graph.tensors import (
    Tensor,
    UnknownError,
    constant,
    constant_value,
    unknown,
)
from scopezoo.predict.graph.windows import WINDOW_RULES

if TYPE_CHECKING:
    import onnx

ALL_RULES = {**RULES, **MOVE_RULES, **SHAPE_RULES, **WINDOW_RULES}
BROKEN_ATTRIBUTES = (ArithmeticError, LookupError, TypeError, ValueError)
"""What a rule may stumble over when attributes contradict the shapes: the node is then unknown."""


@dataclass(frozen=True)
class Step:
    """One node after it was looked at."""

    op: str
    inputs: tuple[str, ...]
    outputs: Mapping[str, Tensor]
    macs: int


@dataclass
class Walk:
    """The tensors of a graph by name, for an input of `extent` px along its spatial axes."""

    opset: int
    extent: tuple[int, ...]
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def steps(self, graph: onnx.GraphProto) -> Iterator[Step]:
        """Look at the nodes one by one, in the order of the file.

        Raises PackageError where a node uses what no earlier node made.
        """
        n = len(self.extent)
        for initializer in graph.initializer:
            self.tensors[initializer.name] = weight_tensor(initializer, n)
        for sparse in graph.sparse_initializer:
            self.tensors[sparse.values.name] = Tensor(None, (None,) * n)
        for proto in graph.node:
            yield self.step(proto)

    def step(self, proto: onnx.NodeProto) -> Step:
        op = op_name(proto)
        node = self.node(proto)
        results = self.results(node, list(node.inputs))
        outputs = {}
        for number, name in enumerate(proto.output):
            if name in self.tensors:
                raise PackageError(
                    f"the ONNX graph makes {name[:100]!r} twice; export the model again"
                )
            if name:
                outputs[name] = results[min(number, len(results) - 1)]
        self.tensors.update(outputs)
        return Step(op, tuple(input_names(proto)), outputs, node.macs)

    def node(self, proto: onnx.NodeProto) -> Node:
        """A node with what is known of its inputs."""
        op = op_name(proto)
        inputs = [self.find(name, op) if name else None for name in proto.input]
        attributes = {attribute.name: attribute for attribute in proto.attribute}
        return Node(op, attributes, self.opset, len(proto.output), inputs, self.extent)

    def find(self, name: str, op: str) -> Tensor:
        if name not in self.tensors:
            raise PackageError(
                f"the ONNX graph's {op} uses {name[:100]!r}, which nothing before it makes; "
                "export the model again"
            )
        return self.tensors[name]

    def results(self, node: Node, inputs: list[Tensor | None]) -> list[Tensor]:
        n = len(self.extent)
        try:
            if node.op == "Constant":
                return [constant_tensor(node)]
            if node.op == "If":
                return self.branch(node)
            value = fold(node)
            if value is not None:
                return [constant_value(value, n)]
            rule = ALL_RULES.get(node.op)
            if rule is None:
                raise UnknownError(node.op)
            found = [replace(t, item_bytes=item_bytes(node, t)) for t in rule(node)]
            return found or [unknown(inputs, node.op, n)]
        except UnknownError as error:
            return [unknown(inputs, reason(node, error), n)]
        except BROKEN_ATTRIBUTES:
            return [unknown(inputs, node.op, n)]

    def branch(self, node: Node) -> list[Tensor]:
        """The branch that is taken, where shapes alone decide it."""
        condition = node.value(0)
        if condition is None:
            raise UnknownError("If")
        name = "then_branch" if bool(np.asarray(condition).all()) else "else_branch"
        graph = node.attributes[name].g
        node.macs = sum(step.macs for step in self.steps(graph))
        return [self.find(output.name, "If") for output in graph.output]


def op_name(proto: onnx.NodeProto) -> str:
    """The operator, with its domain if it is none of ONNX's own; safe to print."""
    domain = "" if proto.domain in ("", "ai.onnx") else f"{proto.domain}."
    return "".join(c if c.isprintable() else "?" for c in f"{domain}{proto.op_type}"[:100])


def input_names(proto: onnx.NodeProto) -> list[str]:
    """What a node uses, the graphs inside it included."""
    inner = [node for attribute in proto.attribute for node in attribute.g.node]
    return [name for node in (proto, *inner) for name in node.input if name]


def reason(node: Node, error: UnknownError) -> str:
    text = str(error)[:200]
    return text if text.startswith(node.op) else f"{node.op} ({text})"


def item_bytes(node: Node, tensor: Tensor) -> int:
    """Bytes per element of a result, which most operators take from their input."""
    if node.op in ("ArgMax", "ArgMin"):
        return 8
    if node.op in TRUTHS:
        return 1
    return ITEM_BYTES.get(node.integer("to", 1), 4) if node.op == "Cast" else tensor.item_bytes


def weight_tensor(proto: onnx.TensorProto, n_spatial: int) -> Tensor:
    """A constant of the file, with its value if it is small."""
    from onnx import numpy_helper

    shape = [int(size) for size in proto.dims]
    try:
        if prod(shape) <= MAX_VALUES:
            value = numpy_helper.to_array(proto)
            if value.dtype.kind in "biuf":
                return constant_value(value, n_spatial)
        return constant(shape, n_spatial, ITEM_BYTES.get(proto.data_type, 4))
    except (UnknownError, *BROKEN_ATTRIBUTES):
        return Tensor(None, (None,) * n_spatial)


def constant_tensor(node: Node) -> Tensor:
    n = node.n_spatial
    if "value" in node.attributes:
        return weight_tensor(node.attributes["value"].t, n)
    for name, dtype in (("value_int", np.int64), ("value_float", np.float32)):
        for key in (name, f"{name}s"):
            found = node.attribute(key)
            if found is not None:
                array = np.array(found, dtype=dtype)
                return (
                    constant_value(array, n)
                    if array.size <= MAX_VALUES
                    else constant(array.shape, n)
                )
    return Tensor(None, (None,) * n)
