"""From bytes to a graph that may be walked: everything that a hostile file could lie about."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

from scopezoo.errors import PackageError, UnsafePackageError

if TYPE_CHECKING:
    import onnx

MAX_NODES = 20_000
"""The largest networks of microscopy have some thousands."""
MAX_LINKS = 100_000
MAX_DEPTH = 16
"""Graphs inside nodes inside graphs."""


def read_model(model_bytes: bytes) -> onnx.ModelProto:
    """Parse and check an ONNX file.

    Raises PackageError for what is no ONNX model, has more than 20,000 nodes, or declares weights
    of another size than it holds; UnsafePackageError for weights in other files.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # no stubs

    model = onnx.ModelProto()
    try:
        model.ParseFromString(model_bytes)
    except (DecodeError, RuntimeError, ValueError) as error:
        raise PackageError(f"not an ONNX model ({error}); export the weights again") from error
    if not model.HasField("graph") or not model.graph.output:
        raise PackageError("an ONNX model without a graph; export the weights again")
    graphs = list(graphs_of(model.graph, 0))
    nodes = [node for graph in graphs for node in graph.node]
    n_links = sum(len(node.input) + len(node.output) for node in nodes)
    if len(nodes) > MAX_NODES or n_links > MAX_LINKS:
        raise PackageError(
            f"an ONNX graph of {len(nodes)} nodes and {n_links} links; "
            f"at most {MAX_NODES} and {MAX_LINKS} are read"
        )
    for tensor in tensors_of(model, graphs):
        check_tensor(tensor)
    return model


def graphs_of(graph: onnx.GraphProto, depth: int) -> Iterator[onnx.GraphProto]:
    """A graph and those inside its nodes."""
    if depth > MAX_DEPTH:
        raise PackageError(f"ONNX graphs nested {depth} deep; at most {MAX_DEPTH} are read")
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if len(inner.node):
                    yield from graphs_of(inner, depth + 1)


def tensors_of(model: onnx.ModelProto, graphs: list[onnx.GraphProto]) -> Iterator[onnx.TensorProto]:
    for graph in graphs:
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    nodes = [graph.node for graph in graphs] + [function.node for function in model.functions]
    for attribute in (a for group in nodes for node in group for a in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)


def check_tensor(tensor: onnx.TensorProto) -> None:
    from onnx import TensorProto

    if tensor.data_location == TensorProto.EXTERNAL or len(tensor.external_data):
        raise UnsafePackageError(
            f"the weights {tensor.name[:100]!r} are in another file; save one ONNX file"
        )
    if any(size < 0 for size in tensor.dims):
        raise PackageError(f"the weights {tensor.name[:100]!r} have a negative size")
    item_bytes = ITEM_BYTES.get(tensor.data_type)
    if item_bytes and tensor.HasField("raw_data"):
        declared = prod(tensor.dims) * item_bytes
        if declared != len(tensor.raw_data):
            raise PackageError(
                f"the weights {tensor.name[:100]!r} declare {declared} bytes and hold "
                f"{len(tensor.raw_data)}; export the model again"
            )


ITEM_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
"""Bytes per element by `TensorProto.DataType`; strings and packed types are left out."""
