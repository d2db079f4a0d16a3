"""Servers that are away, busy, strange, or behind a bad line; and those who lose patience."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import scopezoo
from scopezoo.client import Client, connect, fetching, uploads
from scopezoo.client.connection import Connection, RefusedError, named_error
from scopezoo.errors import (
    IncompatibleImageError,
    MissingDependencyError,
    ScopezooError,
    ServerError,
    StoppedError,
    UsageError,
)
from scopezoo.predict import predict
from scopezoo.serving.settings import Token
from tests.client.cutting import cutting_proxy
from tests.serving.live import live_server

INFO = b'{"version": "1.0", "auth": false}'
BUSY = b'{"error": {"type": "Busy", "message": "too much to do"}}'
Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def scripted(answers: Sequence[Answer], port: int = 0) -> Iterator[str]:
    """A server that gives these answers in turn, and the last for ever."""
    waiting = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            status, headers, body = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_server_that_is_away_is_told_as_such() -> None:
    with pytest.raises(ServerError, match="is the server running"):
        connect(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(UsageError, match="http://"):
        connect("localhost:8000")


def test_what_is_no_server_of_scopezoo_is_told_as_such() -> None:
    page = {"Content-Type": "text/html"}
    for answer in (
        (200, page, b"<html>"),
        (404, page, b"<html>"),
        (200, {}, b"[1]"),
        (200, {}, b'{"name": "triton"}'),
        (500, {}, b'{"error": "text"}'),
    ):
        with scripted([answer]) as address, pytest.raises(ServerError, match="check the address"):
            connect(address)


def test_a_busy_server_is_asked_again_when_it_says() -> None:
    busy = (503, {"Retry-After": "0"}, BUSY)
    with scripted([busy, busy, (200, {}, INFO)]) as address:
        assert connect(address).version == "1.0"
    with (
        scripted([(503, {"Retry-After": "100"}, BUSY)]) as address,
        pytest.raises(ServerError, match="too much to do"),
    ):
        connect(address, timeout_s=5)


def test_a_server_that_starts_again_is_waited_for() -> None:
    port = free_port()
    connection = Connection(f"http://127.0.0.1:{port}", None, 20)
    found: list[object] = []
    asking = threading.Thread(target=lambda: found.append(connection.json("GET", "/x")))
    asking.start()
    time.sleep(0.3)
    with scripted([(200, {}, INFO)], port):
        asking.join(20)
    assert found == [{"version": "1.0", "auth": False}]


def test_a_slow_answer_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServerError, match=r"within 0\.3 s"):
            connect(address, timeout_s=0.3)


def test_tokens_open_what_they_should(packages: dict[str, Path], tmp_path: Path) -> None:
    tokens = (Token("ann", "predict", "p" * 20), Token("bob", "upload", "u" * 20))
    models = (str(packages["plane"]),)
    with live_server(tmp_path, models=models, tokens=tokens, max_body_bytes=1000) as address:
        for token in (None, "x" * 20):
            with pytest.raises(ServerError, match=r"connect\(url, token="):
                connect(address, token)
        with connect(address, "u" * 20) as client:
            client.predict("plane", np.zeros((20, 20)), tmp_path / "a.npy")
        with connect(address, "p" * 20) as client:
            client.predict("plane", np.zeros((20, 20), np.uint8), tmp_path / "b.npy")
            with pytest.raises(RefusedError, match="upload"):
                client.predict("plane", np.zeros((20, 20)))


@pytest.mark.parametrize(
    "limits",
    [
        [(300_000, 10**9), (150_000, 10**9), (400_000, 10**9)],
        [(10**9, 500_000), (10**9, 1_000_000)],
    ],
    ids=["up", "down"],
)
def test_a_broken_line_is_gone_on_with(
    address: str,
    packages: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    limits: list[tuple[int, int]],
) -> None:
    monkeypatch.setattr(fetching, "SMALL_BYTES", 0)
    monkeypatch.setattr(uploads, "PART_BYTES", 200_000)
    pixels = np.random.default_rng(0).integers(0, 255, (1000, 1000), np.uint8)
    with cutting_proxy(address, limits) as proxy, connect(proxy.address, timeout_s=60) as client:
        found = client.predict("plane", pixels)
        assert proxy.cuts == len(limits)
        assert proxy.sent_bytes < pixels.nbytes + len(limits) * 200_000 + 50_000
    expected = predict(packages["plane"], pixels)
    np.testing.assert_array_equal(found.images["out"].read(), expected.images["out"].read())


def test_a_line_that_carries_nothing_is_given_up(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fetching, "SMALL_BYTES", 0)
    monkeypatch.setattr("scopezoo.client.connection.AWAY_S", 0.5)
    pixels = np.zeros((500, 500), np.uint8)
    with (
        cutting_proxy(address, [(2_000, 10**9)] * 100) as proxy,
        connect(proxy.address, timeout_s=60) as client,
        pytest.raises(ServerError),
    ):
        client.predict("plane", pixels, tmp_path / "a.tif")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", [{"time_limit_s": 0.0}, {"max_body_bytes": 1000}])
def test_what_is_too_much_at_once_becomes_a_job(
    packages: dict[str, Path], tmp_path: Path, limit: dict[str, float]
) -> None:
    pixels = np.random.default_rng(0).random((600, 600))
    told: list[int] = []
    with (
        live_server(tmp_path, models=(str(packages["plane"]),), **limit) as address,
        connect(address, timeout_s=60) as client,
    ):
        client.predict(
            "plane",
            pixels,
            tile={"y": 32, "x": 32},
            progress=lambda _, total: told.append(total),
        )
    assert told[-1] > 1


def test_a_job_outlives_a_stop_of_the_server(
    packages: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "SMALL_BYTES", 0)
    pixels = np.random.default_rng(0).random((700, 700))
    tile = {"y": 64, "x": 64}
    models = (str(packages["plane"]),)
    with ExitStack() as servers:
        first = servers.enter_context(ExitStack())
        address = first.enter_context(live_server(tmp_path / "server", models=models))
        proxy = servers.enter_context(cutting_proxy(address, []))
        told: list[int] = []

        def restart_once(done: int, _total: int) -> None:
            if not told:
                first.close()
                again = servers.enter_context(live_server(tmp_path / "server", models=models))
                proxy.port = int(again.rpartition(":")[2])
            told.append(done)

        with connect(proxy.address, timeout_s=60) as client:
            client.predict(
                "plane", pixels, tmp_path / "here" / "a.tif", tile=tile, progress=restart_once
            )
        assert told == sorted(told)
        assert len(told) > 1
    predict(packages["plane"], pixels, tmp_path / "there" / "a.tif", tile=tile)
    assert (tmp_path / "here/a.tif").read_bytes() == (tmp_path / "there/a.tif").read_bytes()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, StoppedError])
def test_who_stops_waiting_cancels_the_job(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stop: type[BaseException]
) -> None:
    monkeypatch.setattr(fetching, "SMALL_BYTES", 0)

    def at_first_tile(_done: int, _total: int) -> None:
        raise stop

    pixels = np.random.default_rng(0).random((900, 900))
    with pytest.raises(stop):
        client.predict(
            "plane", pixels, tmp_path / "a.tif", tile={"y": 32, "x": 32}, progress=at_first_tile
        )
    newest = client._connection.json("GET", "/api/v1/jobs")["jobs"][0]
    assert newest["state"] == "cancelled"
    assert list(tmp_path.iterdir()) == []
    client._connection.send("DELETE", newest["links"]["self"])


def test_errors_are_known_by_their_names() -> None:
    found = named_error("IncompatibleImageError", "a message")
    assert type(found) is IncompatibleImageError
    assert str(found) == "a message"
    assert str(named_error("MissingDependencyError", "a message")) == "a message"
    assert type(named_error("MissingDependencyError", "")) is MissingDependencyError
    for strange in ("Busy", "annotations", "Exception", "__doc__", ""):
        assert type(named_error(strange, "a message")) is RefusedError


def test_a_client_costs_nothing_until_it_is_asked_for() -> None:
    code = (
        "import sys, scopezoo, scopezoo.predict.prediction\n"
        "assert 'httpx' not in sys.modules and 'scopezoo.client' not in sys.modules\n"
        "scopezoo.connect\n"
        "assert 'httpx' not in sys.modules\n"
        "assert 'fastapi' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert scopezoo.connect is connect
    with pytest.raises(AttributeError, match="disconnect"):
        _ = scopezoo.disconnect  # type: ignore[attr-defined]
    assert issubclass(ServerError, ScopezooError)
