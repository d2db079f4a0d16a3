"""Requests and answers of the Open Inference Protocol v2, as bytes and as arrays.

Specification: KServe, Open Inference Protocol, "Inference" of the REST API, with the binary tensor
data extension of Triton: after the JSON, whose length is in the header
`Inference-Header-Content-Length`, the binary tensors follow one upon the other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.serving.v2.datatypes import ProtocolError, datatype_of, parse_datatype, shown
from scopezoo.serving.v2.json_data import parse_list

MAX_RANK = 16
JSON_FACTOR = 25
"""What JSON takes once it is read, per byte of its text, at most."""
LIST_BYTES = 64
"""What an element of a tensor takes while it becomes JSON."""
_NOT_HERE = ("shared_memory_region", "classification")
_KNOWN = ("processing", "binary_data_output", "priority", "timeout")
"""Parameters of a request; the last two are hints for a queue, of which this server has but one."""


@dataclass(frozen=True)
class InferRequest:
    """What a client asks for; arrays lie in the request's own bytes where they came as binary.

    `outputs` says of each output that is wanted whether it is to come as binary, in the order of
    the request; None asks for all, as `binary_default` says.
    """

    id: str | None
    inputs: Mapping[str, NDArray[Any]]
    outputs: Mapping[str, bool] | None
    binary_default: bool
    processing: bool


def parse_header_length(value: str | None, body_bytes: int) -> int | None:
    """`Inference-Header-Content-Length`; None for a body that is JSON alone.

    Raises ProtocolError for what is no number, or more than the body has.
    """
    if value is None:
        return None
    text = value.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 20) or int(text) > body_bytes:
        raise ProtocolError(
            f"Inference-Header-Content-Length is {shown(value)}; expected the length of the JSON "
            f"in bytes, at most the body's {body_bytes}"
        )
    return int(text)


def parse_request(
    body: bytes | bytearray, header_bytes: int | None, memory_bytes: int
) -> InferRequest:
    """Read a request; `header_bytes` is the length of its JSON, None for all of it.

    Lists in JSON may take `memory_bytes`; binary tensors take none. Raises ProtocolError, and
    nothing else, for whatever is wrong with the bytes.
    """
    text = memoryview(body)[:header_bytes]
    request = _read_json(text, memory_bytes // JSON_FACTOR)
    parameters = _mapping(request, "parameters", "the request")
    unknown = [name for name in parameters if name not in _KNOWN]
    if unknown:
        raise ProtocolError(f"parameter {shown(unknown[0])}: known are {', '.join(_KNOWN)}")
    identity = request.get("id")
    if identity is not None and not isinstance(identity, str):
        raise ProtocolError(f"id is {shown(identity)}; expected a string")
    binary_default = _flag(parameters, "binary_data_output", False, "the request")
    return InferRequest(
        identity,
        _inputs(request, memoryview(body)[len(text) :]),
        _outputs(request, binary_default),
        binary_default,
        _flag(parameters, "processing", False, "the request"),
    )


def _read_json(text: memoryview, max_bytes: int) -> Mapping[str, Any]:
    if len(text) > max_bytes:
        raise ProtocolError(
            f"the JSON has {len(text)} bytes; at most {max_bytes} are taken: send binary tensors"
        )
    try:
        found = json.loads(str(text, "utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the request is no JSON: {str(error)[:200]}") from error
    if not isinstance(found, dict):
        raise ProtocolError("the request is no JSON object")
    return found


def _inputs(request: Mapping[str, Any], binary: memoryview) -> dict[str, NDArray[Any]]:
    entries = _entries(request, "inputs")
    if not entries:
        raise ProtocolError("the request has no inputs")
    arrays: dict[str, NDArray[Any]] = {}
    start = 0
    for index, entry in enumerate(entries):
        name = _name(entry, f"inputs[{index}]", arrays)
        arrays[name], used = _tensor(entry, f"input {shown(name)}", binary[start:])
        start += used
    if start != len(binary):
        raise ProtocolError(
            f"{len(binary)} bytes follow the JSON; the binary_data_size of all inputs is {start}"
        )
    return arrays


def _tensor(entry: Mapping[str, Any], where: str, binary: memoryview) -> tuple[NDArray[Any], int]:
    """An input, and how many bytes of `binary` it takes."""
    dtype = parse_datatype(entry.get("datatype"), where)
    shape = _shape(entry.get("shape"), where)
    size_bytes = _parameters(entry, where).get("binary_data_size")
    if size_bytes is None:
        return parse_list(entry.get("data"), shape, dtype, where), 0
    expected = math.prod(shape) * dtype.itemsize
    if type(size_bytes) is not int or size_bytes != expected:
        raise ProtocolError(
            f"{where}: binary_data_size is {shown(size_bytes)}; shape {shown(list(shape))} of "
            f"{entry['datatype']} has {shown(expected)} bytes"
        )
    if "data" in entry:
        raise ProtocolError(f"{where} has both data and binary_data_size")
    if len(binary) < expected:
        raise ProtocolError(f"{where} has {expected} bytes; the body has {len(binary)} for it")
    if dtype.kind == "b":  # any byte but 0 is true, and numpy takes it as it is
        return np.frombuffer(binary[:expected], np.uint8).astype(bool).reshape(shape), expected
    return np.frombuffer(binary[:expected], dtype).reshape(shape), expected


def _shape(value: Any, where: str) -> tuple[int, ...]:
    whole = isinstance(value, list) and all(type(size) is int and size >= 1 for size in value)
    if not whole or not 1 <= len(value) <= MAX_RANK:
        raise ProtocolError(
            f"{where}: shape is {shown(value)}; expected 1 to {MAX_RANK} sizes from 1"
        )
    return tuple(value)


def _outputs(request: Mapping[str, Any], binary_default: bool) -> dict[str, bool] | None:
    wanted: dict[str, bool] = {}
    for index, entry in enumerate(_entries(request, "outputs")):
        name = _name(entry, f"outputs[{index}]", wanted)
        where = f"output {shown(name)}"
        wanted[name] = _flag(_parameters(entry, where), "binary_data", binary_default, where)
    return wanted or None


def _entries(request: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = request.get(key, [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise ProtocolError(f"{key} must be a list of objects")
    return found


def _name(entry: Mapping[str, Any], where: str, taken: Mapping[str, Any]) -> str:
    name = entry.get("name")
    if not isinstance(name, str):
        raise ProtocolError(f"{where}: name is {shown(name)}; expected a string")
    if name in taken:
        raise ProtocolError(f"{where}: {shown(name)} is there twice")
    return name


def _parameters(entry: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """A tensor's parameters; those that this server does not know change nothing."""
    parameters = _mapping(entry, "parameters", where)
    for name in _NOT_HERE:
        if parameters.get(name):
            raise ProtocolError(f"{where}: this server has no {name.replace('_', ' ')}")
    return parameters


def _mapping(entry: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    found = entry.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ProtocolError(f"{where}: {key} must be an object")
    return found


def _flag(parameters: Mapping[str, Any], key: str, default: bool, where: str) -> bool:
    value = parameters.get(key, default)
    if not isinstance(value, bool):
        raise ProtocolError(f"{where}: {key} is {shown(value)}; expected true or false")
    return value


def encode_answer(
    model: str,
    version: str,
    identity: str | None,
    outputs: Mapping[str, NDArray[Any]],
    binary: Mapping[str, bool],
    memory_bytes: int,
) -> tuple[list[bytes | memoryview], int | None]:
    """An answer in pieces, and the length of its JSON if binary tensors follow it.

    NaN and infinities stand in JSON as NaN, Infinity and -Infinity, as Triton and Python write
    them. Raises ProtocolError for lists in JSON that would take more than `memory_bytes`.
    """
    entries: list[dict[str, Any]] = []
    tensors: list[bytes | memoryview] = []
    for name, array in outputs.items():
        entry: dict[str, Any] = {
            "name": name,
            "datatype": datatype_of(array.dtype),
            "shape": list(array.shape),
        }
        if binary[name]:
            entry["parameters"] = {"binary_data_size": array.nbytes}
            tensors.append(_bytes_of(array))
        else:
            entry["data"] = _as_list(name, array, memory_bytes)
        entries.append(entry)
    answer: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": entries}
    if identity is not None:
        answer["id"] = identity
    text = json.dumps(answer, separators=(",", ":")).encode()
    return [text, *tensors], len(text) if any(binary.values()) else None


def _bytes_of(array: NDArray[Any]) -> memoryview:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8).data


def _as_list(name: str, array: NDArray[Any], memory_bytes: int) -> list[Any]:
    if array.size * LIST_BYTES > memory_bytes:
        raise ProtocolError(
            f"output {shown(name)} has {array.size} elements, too many for JSON; ask for it with "
            "binary_data"
        )
    flat: list[Any] = array.reshape(-1).tolist()
    return flat
