"""Looks at an ONNX file without running it. Specification: onnx.ai, IR."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
MAX_ELEMENTS = 2**31
"""More elements than this in one declared tensor are taken for an attack (8 GiB of float32)."""
MAX_DEPTH = 20


def onnx_problems(content: bytes) -> list[str]:
    """Everything in an ONNX file that no package may have; empty if nothing.

    A file that passes may still be slow or large when it runs: that is for limits to stop.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's DecodeError has no public home
        return [f"is no ONNX file ({' '.join(str(error).split())[:200]})"]
    if not model.graph.node:
        return ["is no ONNX file with a network: it has no nodes"]
    own = {function.domain for function in model.functions}
    problems = [*_graph_problems(model.graph, own, 0)]
    for function in model.functions:
        problems += _node_problems(function.node, own, 0)
    return list(dict.fromkeys(problems))


def onnx_facts(content: bytes) -> dict[str, Any]:
    """IR version, opset, and numbers of nodes and parameters of an ONNX file."""
    import onnx

    model = onnx.load_model_from_string(content)
    opsets = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    parameters = sum(math.prod(tensor.dims) for tensor in model.graph.initializer)
    return {
        "ir_version": model.ir_version,
        "opset": max(opsets, default=0),
        "nodes": len(model.graph.node),
        "parameters": parameters,
    }


def _graph_problems(graph: onnx.GraphProto, own: set[str], depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        yield f"has graphs nested more than {MAX_DEPTH} deep"
        return
    tensors = [*graph.initializer, *(s.values for s in graph.sparse_initializer)]
    for tensor in tensors:
        yield from _tensor_problems(tensor)
    for value in [*graph.input, *graph.output, *graph.value_info]:
        dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if math.prod(max(1, size) for size in dims) > MAX_ELEMENTS:
            yield f"tensor {value.name[:60]!r} declares {dims}, more than {MAX_ELEMENTS} elements"
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.output:
            for attribute in node.attribute:
                constants[node.output[0]] = attribute.t
    yield from _node_problems(graph.node, own, depth)
    yield from _filler_problems(graph, constants)


def _node_problems(nodes: Any, own: set[str], depth: int) -> Iterator[str]:
    for node in nodes:
        if node.domain not in DOMAINS | own:
            yield f"uses the operator {node.domain}.{node.op_type}, which is not ONNX's own"
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield from _tensor_problems(attribute.t)
            sparse = [*attribute.sparse_tensors, attribute.sparse_tensor]
            for tensor in [*attribute.tensors, *(entry.values for entry in sparse)]:
                yield from _tensor_problems(tensor)
            for graph in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                yield from _graph_problems(graph, own, depth + 1)


def _tensor_problems(tensor: onnx.TensorProto) -> Iterator[str]:
    """External files, and sizes that are not those of the bytes that are there."""
    from onnx import TensorProto

    name = tensor.name[:60]
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        places = [entry.value[:80] for entry in tensor.external_data if entry.key == "location"]
        yield f"keeps {name!r} in another file, {', '.join(places) or 'unnamed'}"
        return
    elements = math.prod(tensor.dims)
    if any(size < 0 for size in tensor.dims) or elements > MAX_ELEMENTS:
        yield f"tensor {name!r} declares {list(tensor.dims)}"
    elif tensor.HasField("raw_data"):
        bits = _BITS.get(TensorProto.DataType.Name(tensor.data_type))
        if bits is not None and len(tensor.raw_data) != math.ceil(elements * bits / 8):
            yield (
                f"tensor {name!r} declares {list(tensor.dims)} and holds {len(tensor.raw_data)} "
                "bytes"
            )


_BITS = {
    **{"FLOAT": 32, "DOUBLE": 64, "FLOAT16": 16, "BFLOAT16": 16, "BOOL": 8},
    **{"INT8": 8, "INT16": 16, "INT32": 32, "INT64": 64, "INT4": 4},
    **{"UINT8": 8, "UINT16": 16, "UINT32": 32, "UINT64": 64, "UINT4": 4},
}


def _filler_problems(graph: onnx.GraphProto, constants: dict[str, Any]) -> Iterator[str]:
    """Operators that make a huge tensor out of a constant shape."""
    import onnx

    shape_input = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1}
    for node in graph.node:
        number = shape_input.get(node.op_type)
        tensor = None
        if number is not None and len(node.input) > number:
            tensor = constants.get(node.input[number])
        if tensor is None or tensor.external_data or math.prod(tensor.dims) > 64:
            continue
        try:
            sizes = [int(size) for size in onnx.numpy_helper.to_array(tensor).ravel()]
        except Exception:  # a broken constant is reported where its size is checked
            continue
        if math.prod(max(1, size) for size in sizes) > MAX_ELEMENTS:
            yield f"{node.op_type} makes a tensor of {sizes}, more than {MAX_ELEMENTS} elements"
