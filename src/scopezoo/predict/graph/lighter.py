"""The same network with less to compute and to hold.

Three identities of convolutions, exact but for rounding, at image borders too; runtimes do not use
them of themselves. They look at a convolution and what alone feeds it:

- a 1×1 convolution after an upsampling is the same before it, at fewer pixels;
- a convolution of two joined tensors is the sum of one for each, and the joined one is never made;
- a convolution after a nearest-neighbour upsampling is one transposed convolution of fewer taps.

What is not understood stays as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.predict.graph import (
    count_uses,
    declared_inputs,
    opset_of,
    reference_extents,
    start_tensors,
)
from scopezoo.predict.graph.kernels import transposed_kernel
from scopezoo.predict.graph.read import graphs_of, read_model
from scopezoo.predict.graph.tensors import Tensor, UnknownError
from scopezoo.predict.graph.upsampling import Upsampling, upsampling
from scopezoo.predict.graph.walk import Walk

if TYPE_CHECKING:
    import onnx

MIN_CHANNELS = 8
"""A convolution of fewer channels costs nearly as much as one of these."""


def lighter_model(model_bytes: bytes, merge_upsampling: Collection[int]) -> bytes | None:
    """An ONNX file of the same network that computes less; None where there is nothing to gain.

    `merge_upsampling` has the numbers of axes of space for which the runtime is fast at transposed
    convolutions. Raises what `analyse_graph` raises.
    """
    model = read_model(model_bytes)
    if len(list(graphs_of(model.graph, 0))) > 1:
        return None
    found = [_rewrite(model, rule) for rule in (conv_first, conv_of_parts)]
    found += [_rewrite(model, merged(merge_upsampling))]
    if not any(found):
        return None
    _drop_unused_weights(model.graph)
    return bytes(model.SerializeToString())


@dataclass
class Draft:
    """A graph while it is rewritten: shapes at a reference size, weights, and who reads what.

    `fixed` has the names of tensors that come from weights alone, whatever the image.
    """

    graph: onnx.GraphProto
    walk: Walk
    weights: dict[str, onnx.TensorProto]
    fixed: set[str]
    uses: Counter[str]

    @classmethod
    def of(cls, model: onnx.ModelProto) -> Draft:
        graph = model.graph
        inputs = declared_inputs(graph, None)
        n = max((len(entry.space) for entry in inputs), default=0)
        extent = reference_extents(inputs, n, None)[0]
        walk = Walk(opset_of(model), extent, start_tensors(inputs, extent))
        replaceable = {entry.name for entry in graph.input}
        weights = {w.name: w for w in graph.initializer if w.name not in replaceable}
        fixed = set(weights)
        for node, _ in zip(graph.node, walk.steps(graph), strict=True):
            if fixed.issuperset(filter(None, node.input)):
                fixed.update(node.output)
        return cls(graph, walk, weights, fixed, count_uses(graph))

    def weight(self, name: str) -> NDArray[np.float32] | None:
        """A weight that no run can replace; None for others and for those that are not float32."""
        from onnx import TensorProto, numpy_helper

        found = self.weights.get(name)
        if found is None or found.data_type != TensorProto.FLOAT:
            return None
        return np.asarray(numpy_helper.to_array(found))

    def add_weight(self, name: str, values: NDArray[np.float32]) -> str:
        from onnx import numpy_helper

        self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def tensor(self, name: str) -> Tensor:
        return self.walk.tensors[name]

    def upsampling(self, node: onnx.NodeProto) -> Upsampling | None:
        """What a node enlarges, by the same factors whatever the image's size."""
        is_fixed = self.fixed.issuperset(filter(None, node.input[1:]))
        return upsampling(self.walk.node(node)) if is_fixed else None

    def is_normalised_next(self, name: str) -> bool:
        """Whether a batch normalisation follows, which runtimes do inside a plain convolution."""
        readers = [node for node in self.graph.node if name in node.input]
        return any(node.op_type == "BatchNormalization" for node in readers)


@dataclass(frozen=True)
class Convolution:
    """A Conv without groups, with constant weights."""

    node: onnx.NodeProto
    weight: NDArray[np.float32]

    @property
    def kernel(self) -> tuple[int, ...]:
        return self.weight.shape[2:]

    def attribute(self, name: str, default: Any) -> Any:
        from onnx import helper

        values = [helper.get_attribute_value(a) for a in self.node.attribute if a.name == name]
        return values[0] if values else default

    @property
    def pads(self) -> list[int] | None:
        """Padding before and then after each axis; None where `auto_pad` says it."""
        if self.attribute("auto_pad", b"NOTSET") != b"NOTSET":
            return None
        return list(self.attribute("pads", [0] * 2 * len(self.kernel)))

    @property
    def is_dense(self) -> bool:
        """Whether neither strides nor dilations leave pixels out."""
        ones = [1] * len(self.kernel)
        return all(list(self.attribute(name, ones)) == ones for name in ("strides", "dilations"))


Rule = Callable[[Draft, "onnx.NodeProto", Convolution], "list[onnx.NodeProto] | None"]
"""From what feeds a convolution, and the convolution, to nodes in place of both."""


def conv_first(
    draft: Draft, source: onnx.NodeProto, conv: Convolution
) -> list[onnx.NodeProto] | None:
    """A 1×1 convolution and an upsampling in the other order.

    The weights of the upsampling sum to 1 at every pixel, so that the bias comes through it.
    """
    scaled = draft.upsampling(source)
    channels_out, channels_in = conv.weight.shape[:2]
    if (
        scaled is None
        or any(size > 1 for size in conv.kernel)
        or not conv.is_dense
        or any(conv.pads or [])
        or channels_out > channels_in
    ):
        return None
    result = conv.node.output[0]
    small = f"{result}/small"
    return [
        _edited(conv.node, [source.input[0], *conv.node.input[1:]], small),
        _edited(source, [small, *source.input[1:]], result),
    ]


def conv_of_parts(
    draft: Draft, source: onnx.NodeProto, conv: Convolution
) -> list[onnx.NodeProto] | None:
    """The sum of a convolution for each of two joined tensors."""
    from onnx import helper

    axes = [a.i for a in source.attribute if a.name == "axis"]
    if source.op_type != "Concat" or len(source.input) != 2 or axes != [1]:
        return None
    channels = [draft.tensor(name).shape[1] for name in source.input]
    result = conv.node.output[0]
    if (
        sum(channels) != conv.weight.shape[1]
        or min(channels) < MIN_CHANNELS
        or draft.is_normalised_next(result)
    ):
        return None
    parts = np.split(conv.weight, [channels[0]], axis=1)
    biases = [list(conv.node.input[2:]), []]
    nodes = []
    for number, (name, part, bias) in enumerate(zip(source.input, parts, biases, strict=True)):
        weight = draft.add_weight(f"{result}/weight{number}", part)
        nodes.append(_edited(conv.node, [name, weight, *bias], f"{result}/part{number}"))
    return [*nodes, helper.make_node("Add", [node.output[0] for node in nodes], [result])]


def merged(dimensions: Collection[int]) -> Rule:
    """A nearest-neighbour upsampling and a convolution as one transposed convolution."""

    def rule(
        draft: Draft, source: onnx.NodeProto, conv: Convolution
    ) -> list[onnx.NodeProto] | None:
        from onnx import helper

        scaled = draft.upsampling(source)
        pads, result = conv.pads, conv.node.output[0]
        if (
            len(conv.kernel) not in dimensions
            or scaled is None
            or scaled.nearest is None
            or max(conv.kernel) == 1
            or not conv.is_dense
            or pads is None
            or any(pad >= size for pad, size in zip(pads, conv.kernel * 2, strict=True))
            or draft.is_normalised_next(result)
        ):
            return None
        kernel = transposed_kernel(conv.weight, scaled.nearest)
        weight = draft.add_weight(f"{result}/transposed", kernel)
        node = helper.make_node(
            "ConvTranspose",
            [source.input[0], weight, *conv.node.input[2:]],
            [result],
            kernel_shape=kernel.shape[2:],
            strides=scaled.nearest,
            pads=[size - 1 - pad for size, pad in zip(conv.kernel * 2, pads, strict=True)],
        )
        return [node]

    return rule


def _rewrite(model: onnx.ModelProto, rule: Rule) -> bool:
    """Apply a rule to every convolution; whether it changed anything."""
    draft = Draft.of(model)
    makers = {name: node for node in model.graph.node for name in node.output}
    nodes: list[onnx.NodeProto] = []
    replaced: set[str] = set()
    for node in list(model.graph.node):
        source = makers.get(node.input[0]) if node.input else None
        found = None
        if source is not None and draft.uses[node.input[0]] == 1:
            found = _applied(rule, draft, source, node)
        nodes += [node] if found is None else found
        replaced |= set() if found is None or source is None else {source.output[0]}
    kept = [_copied(node) for node in nodes if not replaced.intersection(node.output)]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    del model.graph.value_info[:]  # shapes of what is no more
    return bool(replaced)


def _applied(
    rule: Rule, draft: Draft, source: onnx.NodeProto, node: onnx.NodeProto
) -> list[onnx.NodeProto] | None:
    weight = draft.weight(node.input[1]) if len(node.input) > 1 else None
    if node.op_type != "Conv" or node.domain or source.domain or weight is None:
        return None
    conv = Convolution(node, weight)
    if conv.attribute("group", 1) != 1:
        return None
    try:
        return rule(draft, source, conv)
    except UnknownError:
        return None


def _edited(node: onnx.NodeProto, inputs: Sequence[str], output: str) -> onnx.NodeProto:
    """A copy that reads and makes other tensors."""
    edited = _copied(node)
    edited.name = ""
    del edited.input[:]
    edited.input.extend(inputs)
    edited.output[0] = output
    return edited


def _copied(node: onnx.NodeProto) -> onnx.NodeProto:
    copied = type(node)()
    copied.CopyFrom(node)
    return copied


def _drop_unused_weights(graph: onnx.GraphProto) -> None:
    named = count_uses(graph) + Counter(entry.name for entry in graph.input)
    kept = [weight for weight in graph.initializer if named[weight.name]]
    del graph.initializer[:]
    graph.initializer.extend(kept)
