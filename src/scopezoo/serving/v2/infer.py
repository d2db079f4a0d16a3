"""One inference, from the bytes of the request to those of the answer."""

from __future__ import annotations

import gzip
import math
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import RuntimeFailedError
from scopezoo.predict.engine import Engine
from scopezoo.serving.runner import Stop
from scopezoo.serving.state import Server
from scopezoo.serving.v2.checks import check_images, check_memory, check_raw, check_whole_images
from scopezoo.serving.v2.datatypes import ProtocolError, shown
from scopezoo.serving.v2.protocol import InferRequest, encode_answer, parse_request
from scopezoo.serving.v2.signature import Signature
from scopezoo.store.description import Description

PACKING_LEVEL = 1
"""Pixels of floats hardly pack, whatever the time."""


@dataclass(frozen=True)
class Answer:
    """The body of an answer, how it is packed, and the length of its JSON if binary tensors
    follow it."""

    body: bytes | bytearray
    packing: str | None
    header_bytes: int | None


def infer(
    state: Server,
    model: str,
    version: str,
    signature: Signature,
    body: bytes | bytearray,
    header_bytes: int | None,
    packing: str | None,
    stop: Stop,
) -> Answer:
    """Answer a request; `packing` is None, "gzip" or "deflate". Runs in a thread.

    Raises ProtocolError and HttpError for what the client can change, and what the engine raises.
    """
    memory_bytes = state.settings.run_bytes
    request = parse_request(body, header_bytes, memory_bytes)
    description = state.pool.package(model).description
    binary = _binary(description, request)
    if request.processing:
        check_images(description, request.inputs)
    else:
        check_raw(description, signature, request.inputs)
    outcome = "failed"
    try:
        with state.pool.borrow(model) as engine:
            started = time.perf_counter()
            outputs = _run(engine, request, stop)
        outcome = "done"
        state.metrics.run_seconds.labels(model).observe(time.perf_counter() - started)
        state.metrics.pixels.labels(model).inc(_pixels(description, request))
    finally:
        state.metrics.predictions.labels(model, outcome).inc()
    pieces, json_bytes = encode_answer(
        model, version, request.id, {name: outputs[name] for name in binary}, binary, memory_bytes
    )
    return Answer(_packed(b"".join(pieces), packing), packing, json_bytes)


def _binary(description: Description, request: InferRequest) -> Mapping[str, bool]:
    """Whether each wanted output is to come as binary."""
    ids = [tensor.id for tensor in description.outputs]
    if request.outputs is None:
        return dict.fromkeys(ids, request.binary_default)
    unknown = [name for name in request.outputs if name not in ids]
    if unknown:
        raise ProtocolError(f"no output {shown(unknown[0])}; the model has {', '.join(ids)}")
    return request.outputs


def _run(engine: Engine, request: InferRequest, stop: Stop) -> dict[str, NDArray[Any]]:
    if request.processing:
        check_whole_images(engine, request.inputs)
        return engine.predict_sample(request.inputs, on_tile=lambda _: stop.check())
    check_memory(engine, request.inputs)
    arrays = [
        # what lies anywhere in the body is moved to where the runtime may count on alignment
        np.require(request.inputs[tensor.id], requirements="A")
        if tensor.id in request.inputs
        else None
        for tensor in engine.description.inputs
    ]
    try:
        found = engine.network(_pixels(engine.description, request)).run(arrays)
    except RuntimeFailedError as error:  # it ran the test tensors, so it is these that it cannot
        raise ProtocolError(str(error)) from error
    return {t.id: array for t, array in zip(engine.description.outputs, found, strict=False)}


def _pixels(description: Description, request: InferRequest) -> int:
    first = description.inputs[0]
    shape = request.inputs[first.id].shape
    return math.prod(
        size for axis, size in zip(first.axes, shape, strict=True) if axis.type != "channel"
    )


def _packed(body: bytes, packing: str | None) -> bytes:
    if packing == "gzip":
        return gzip.compress(body, PACKING_LEVEL, mtime=0)
    return zlib.compress(body, PACKING_LEVEL) if packing == "deflate" else body
