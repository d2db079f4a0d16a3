"""Requests as the real Triton client writes them, and as nobody should."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

from scopezoo.serving.v2.datatypes import DTYPES, ProtocolError, datatype_of
from scopezoo.serving.v2.protocol import encode_answer, parse_header_length, parse_request

MEMORY_BYTES = 10_000_000


@st.composite
def tensors(draw: st.DrawFn) -> dict[str, np.ndarray]:
    """Some named tensors of all types, with NaN and infinities."""
    names = draw(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=3, unique=True))
    found = {}
    for name in names:
        dtype = draw(st.sampled_from(list(DTYPES.values())))
        shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4))
        found[name] = draw(hnp.arrays(dtype, shape))
    return found


def request_of(
    arrays: dict[str, np.ndarray], binary: bool, **more: Any
) -> tuple[bytes, int | None]:
    """A request as Triton's own client writes it."""
    inputs = []
    for name, array in arrays.items():
        entry = InferInput(name, list(array.shape), datatype_of(array.dtype))
        inputs.append(entry.set_data_from_numpy(array, binary_data=binary))
    body, header_bytes = InferenceServerClient.generate_request_body(inputs, **more)
    return bytes(body), header_bytes


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    return found.dtype == expected.dtype and np.array_equal(
        found, expected, equal_nan=expected.dtype.kind == "f"
    )


@given(tensors(), st.booleans())
def test_what_tritons_client_sends_arrives(arrays: dict[str, np.ndarray], binary: bool) -> None:
    body, header_bytes = request_of(arrays, binary, request_id="seven")
    request = parse_request(body, header_bytes, MEMORY_BYTES)
    assert request.id == "seven"
    assert list(request.inputs) == list(arrays)
    assert all(same(request.inputs[name], array) for name, array in arrays.items())


@given(tensors(), st.data())
def test_what_is_answered_is_what_tritons_client_reads(
    arrays: dict[str, np.ndarray], data: st.DataObject
) -> None:
    binary = {name: data.draw(st.booleans()) for name in arrays}
    pieces, header_bytes = encode_answer("m", "1", "id", arrays, binary, MEMORY_BYTES)
    result = InferenceServerClient.parse_response_body(b"".join(pieces), header_length=header_bytes)
    assert result.get_response()["id"] == "id"
    for name, array in arrays.items():
        assert same(result.as_numpy(name), array)


@given(tensors(), st.booleans(), st.data())
def test_a_damaged_request_is_refused_or_read_but_never_fails_otherwise(
    arrays: dict[str, np.ndarray], binary: bool, data: st.DataObject
) -> None:
    body, header_bytes = request_of(arrays, binary)
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    length = data.draw(st.sampled_from([header_bytes, None, cut]))
    with contextlib.suppress(ProtocolError):
        parse_request(bytes(damaged[:cut]), length, MEMORY_BYTES)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "id": json_values,
            "parameters": json_values
            | st.fixed_dictionaries({"processing": json_values | st.booleans()}),
            "outputs": json_values | st.lists(st.fixed_dictionaries({"name": json_values})),
            "inputs": json_values
            | st.lists(
                st.fixed_dictionaries(
                    {"name": st.text(max_size=2), "shape": json_values | st.just([2])},
                    optional={
                        "datatype": st.sampled_from([*DTYPES, "BYTES", 3]),
                        "data": json_values | st.just([1, 2]),
                        "parameters": json_values
                        | st.fixed_dictionaries({"binary_data_size": json_values}),
                    },
                ),
                max_size=2,
            ),
        },
    ),
    st.binary(max_size=20),
)
def test_any_json_is_refused_or_read(document: dict[str, Any], tail: bytes) -> None:
    text = json.dumps(document).encode()
    with contextlib.suppress(ProtocolError):
        parse_request(text + tail, len(text), MEMORY_BYTES)


def one_input(**changed: Any) -> bytes:
    entry = {"name": "raw", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4], **changed}
    entry = {key: value for key, value in entry.items() if value is not None}
    return json.dumps({"inputs": [entry]}).encode()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"shape": [2, -2]}, "sizes from 1"),
        ({"shape": [2, 0]}, "sizes from 1"),
        ({"shape": [2, True]}, "sizes from 1"),
        ({"shape": [1] * 17}, "1 to 16 sizes"),
        ({"shape": [2**62, 2**62, 2**62]}, "4 elements in data"),
        ({"data": [1, 2, 3]}, "3 elements in data"),
        ({"data": [[1, 2], [3]]}, "not nested"),
        ({"data": [[1, 2, 3, 4]]}, "not nested"),
        ({"data": [1, 2, 3, "4"]}, "str elements"),
        ({"data": [1, 2, 3, None]}, "NoneType elements"),
        ({"data": [1, 2, 3, 1e300]}, "cannot hold"),
        ({"data": [1, 2, 3, 10**400]}, "cannot hold"),
        ({"data": [1, 2, 3, 256], "datatype": "UINT8"}, "cannot hold"),
        ({"data": [1, 2, 3, 1.5], "datatype": "UINT8"}, "float elements"),
        ({"data": [1, 0, 1, 0], "datatype": "BOOL"}, "int elements"),
        ({"data": None}, "data must be a list"),
        ({"datatype": "BYTES"}, "expected one of BOOL"),
        ({"datatype": "BF16"}, "expected one of BOOL"),
        ({"datatype": None}, "expected one of BOOL"),
        ({"name": 3}, "expected a string"),
        ({"parameters": {"binary_data_size": 15}}, "has 16 bytes"),
        ({"parameters": {"binary_data_size": 16}}, "both data and binary_data_size"),
        ({"parameters": {"binary_data_size": 16}, "data": None}, "the body has 0 for it"),
        ({"parameters": {"binary_data_size": -16}, "data": None}, "has 16 bytes"),
        (
            {"parameters": {"binary_data_size": 2**66}, "shape": [2**32, 2**32], "data": None},
            "the body has 0 for it",
        ),
        ({"parameters": {"shared_memory_region": "r"}}, "no shared memory"),
    ],
)
def test_what_is_wrong_is_said(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        parse_request(one_input(**changed), None, MEMORY_BYTES)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"1" * 10_000, "no JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "no inputs"),
        (b'{"inputs": 3}', "list of objects"),
        (one_input() + b" ", ""),
    ],
)
def test_a_body_that_is_no_request_is_refused(body: bytes, said: str) -> None:
    if not said:
        parse_request(body, None, MEMORY_BYTES)
        return
    with pytest.raises(ProtocolError, match=said):
        parse_request(body, None, MEMORY_BYTES)


def test_bytes_that_belong_to_no_input_are_refused() -> None:
    text = one_input()
    with pytest.raises(ProtocolError, match="3 bytes follow"):
        parse_request(text + b"abc", len(text), MEMORY_BYTES)


def test_json_that_would_take_too_much_memory_is_refused_unread() -> None:
    with pytest.raises(ProtocolError, match="send binary tensors"):
        parse_request(one_input(), None, 100)
    with pytest.raises(ProtocolError, match="ask for it with binary_data"):
        encode_answer("m", "1", None, {"a": np.zeros(9)}, {"a": False}, 100)


def test_an_unknown_parameter_is_refused_rather_than_overlooked() -> None:
    request = json.loads(one_input()) | {"parameters": {"procesing": True}}
    with pytest.raises(ProtocolError, match="'procesing': known are processing"):
        parse_request(json.dumps(request).encode(), None, MEMORY_BYTES)


@given(st.text(max_size=12) | st.integers(-5, 300).map(str), st.integers(0, 200))
def test_a_header_length_lies_within_the_body(text: str, body_bytes: int) -> None:
    try:
        length = parse_header_length(text, body_bytes)
    except ProtocolError:
        return
    assert length is not None
    assert 0 <= length <= body_bytes
    assert length == int(text)


def test_outputs_come_as_the_request_says() -> None:
    array = {"raw": np.zeros((1, 2), np.float32)}
    body, header_bytes = request_of(array, True)
    assert parse_request(body, header_bytes, MEMORY_BYTES).binary_default
    wanted = [InferRequestedOutput("a"), InferRequestedOutput("b", binary_data=False)]
    body, header_bytes = request_of(array, True, outputs=wanted)
    assert parse_request(body, header_bytes, MEMORY_BYTES).outputs == {"a": True, "b": False}
