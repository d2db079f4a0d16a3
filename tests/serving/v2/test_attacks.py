"""Requests that try to take memory, to crash the server, or make no sense: 4xx, each and all."""

from __future__ import annotations

import gzip
import json
import socket
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.serving.live import live_server

INFER = "/v2/models/small/infer"
LENGTH = "Inference-Header-Content-Length"


def request(**changed: object) -> tuple[bytes, bytes]:
    """The JSON and the binary tensor of a request that is right but for what is changed."""
    pixels = np.zeros((1, 1, 8, 8), np.float32)
    entry = {
        "name": "raw",
        "shape": [1, 1, 8, 8],
        "datatype": "FP32",
        "parameters": {"binary_data_size": pixels.nbytes},
        **changed,
    }
    return json.dumps({"inputs": [entry]}).encode(), pixels.tobytes()


def refused(answer: httpx.Response) -> str:
    """The error of an answer that must be one of the client's faults."""
    assert 400 <= answer.status_code < 500, answer.text
    error = answer.json()["error"]
    assert isinstance(error, str)
    assert error
    return error


def test_the_request_is_right_if_nothing_is_changed(http: httpx.Client) -> None:
    text, tail = request()
    answer = http.post(INFER, content=text + tail, headers={LENGTH: str(len(text))})
    assert answer.status_code == 200
    assert answer.json()["model_name"] == "small"


def test_clients_that_stall_keep_no_room_from_others(small_package: Path, tmp_path: Path) -> None:
    """Each of them says that it will send a quarter of what bodies may take together."""
    text, tail = request()
    options = {"models": (str(small_package),), "memory_bytes": 200_000_000}
    with live_server(tmp_path, **options) as address, ExitStack() as open_ones:
        host, _, port = address.removeprefix("http://").partition(":")
        for more in ("Transfer-Encoding: chunked", "Content-Length: 25000000") * 4:
            raw = open_ones.enter_context(socket.create_connection((host, int(port))))
            raw.sendall(f"POST {INFER} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n\r\n".encode())
        headers = {LENGTH: str(len(text))}
        for packing in ("identity", "gzip"):
            body = gzip.compress(text + tail) if packing == "gzip" else text + tail
            headers["Content-Encoding"] = packing
            answer = httpx.post(address + INFER, content=body, headers=headers, timeout=20)
            assert answer.status_code == 200


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.binary(max_size=300),
    st.none() | st.integers(-3, 400).map(str) | st.text("0123456789-+. ", max_size=30),
    st.sampled_from([None, "gzip", "deflate", "br"]),
)
@example(b"", "0", None)
@example(b"[" * 200_000, None, None)
@example(b'{"inputs": [{"name": "\\ud800"}]}', None, None)
@example(b'{"inputs": [{"name": "\\ud800","shape":[1],"datatype":"FP32","data":[1]}]}', None, None)
def test_random_bytes_are_refused(
    http: httpx.Client, body: bytes, length: str | None, encoding: str | None
) -> None:
    headers = {LENGTH: length.strip() or "-"} if length is not None else {}
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    refused(http.post(INFER, content=body, headers=headers))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_a_right_request_cut_off_or_with_a_wrong_length_is_refused(
    http: httpx.Client, data: st.DataObject
) -> None:
    text, tail = request()
    body = text + tail
    cut = data.draw(st.integers(0, len(body) - 1))
    refused(http.post(INFER, content=body[:cut], headers={LENGTH: str(len(text))}))
    length = data.draw(st.integers(0, len(body)).filter(lambda n: n != len(text)))
    refused(http.post(INFER, content=body, headers={LENGTH: str(length)}))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"shape": [1, 1, 2**31, 2**31]}, "binary_data_size is 256"),
        ({"shape": [1, 1, 2**62, 4], "parameters": {"binary_data_size": 2**66}}, "the body has"),
        ({"shape": [2**64] * 16}, "binary_data_size is 256"),
        ({"shape": [1, 1, -8, -8]}, "sizes from 1"),
        ({"shape": [1, 1, 10**4000, 8]}, "binary_data_size is 256"),
        ({"shape": [64]}, "has 1 axes"),
        ({"shape": [1, 1, 64, 1]}, "has size 1 along x"),
    ],
)
def test_shapes_that_lie_are_refused(
    http: httpx.Client, changed: dict[str, object], said: str
) -> None:
    text, tail = request(**changed)
    answer = http.post(INFER, content=text + tail, headers={LENGTH: str(len(text))})
    assert said in refused(answer)


@pytest.mark.parametrize("path", [INFER, "/v2/repository/index"])
def test_a_bomb_is_not_unpacked(http: httpx.Client, path: str) -> None:
    bomb = gzip.compress(bytes(100_000_000))
    answer = http.post(path, content=bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    refused(answer)


def test_a_body_too_large_is_refused_by_its_declared_length(address: str) -> None:
    connection = HTTPConnection(address.removeprefix("http://"), timeout=30)
    connection.request("POST", INFER, b"", {"Content-Length": str(10**12)})
    answer = connection.getresponse()
    assert answer.status == 413
    assert "1000000000000 bytes" in json.load(answer)["error"]
    connection.close()


@pytest.mark.parametrize("body", [b"{", b"[" * 9000, b"\xff"])
def test_an_index_asked_for_badly_is_refused(http: httpx.Client, body: bytes) -> None:
    refused(http.post("/v2/repository/index", content=body))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", INFER),
        ("DELETE", "/v2/models/small"),
        ("GET", "/v2/models/small/stats"),
        ("GET", "/v2/models/..%2F..%2Fetc%2Fpasswd"),
        ("GET", "/v2/models/small/versions/%00"),
        ("POST", "/v2/%ff"),
    ],
)
def test_addresses_that_are_not_there_are_refused(
    http: httpx.Client, method: str, path: str
) -> None:
    assert refused(http.request(method, path))


def test_a_usual_http_client_is_not_kept_waiting_for_packing(http: httpx.Client) -> None:
    assert http.headers["accept-encoding"].startswith("gzip, ")
    text, tail = request()
    answer = http.post(INFER, content=text + tail, headers={LENGTH: str(len(text))})
    assert "content-encoding" not in answer.headers
