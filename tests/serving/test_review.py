"""What a hostile client, a second server and a stop at a bad moment may not do."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from scopezoo.errors import FileError, StoppedError
from scopezoo.serving import connections, limits, models_routes, predict_routes
from scopezoo.serving.app import create_app
from scopezoo.serving.cards import safe_svg
from scopezoo.serving.connections import BoundedHeads, GentleServer
from scopezoo.serving.metrics import Metrics
from scopezoo.serving.pool import EnginePool, package_zip
from scopezoo.serving.runner import Runner, Stop
from scopezoo.serving.settings import Settings
from scopezoo.store import open_package
from tests.serving.live import live_server

PREDICT = "/api/v1/models/small/predict"


def connected(address: str) -> socket.socket:
    host, _, port = address.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def first_line(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n" not in received and (more := connection.recv(65536)):
        received += more
    return received.partition(b"\r\n")[0]


@pytest.mark.parametrize("origin", ["http://[", "null", "", "http://elsewhere"])
def test_an_origin_that_is_none_is_refused(http: httpx.Client, origin: str) -> None:
    assert http.get("/api/v1/models", headers={"Origin": origin}).status_code == 403


def test_a_second_server_leaves_the_first_ones_files(small_package: Path, tmp_path: Path) -> None:
    models = (str(small_package),)
    with live_server(tmp_path, models=models):
        running = tmp_path / "scratch" / "running"
        running.mkdir()
        with pytest.raises(FileError, match="another server"):
            create_app(Settings(folder=tmp_path, models=models))
        assert running.is_dir()
    create_app(Settings(folder=tmp_path, models=models))
    assert not running.exists()  # of a server that was killed


def test_the_package_that_was_added_last_is_served(small_package: Path, tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    for age, name in enumerate(("a", "c", "b")):
        path = tmp_path / "packages" / f"{name}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in small_package.iterdir():
                text = file.read_bytes().replace(b"small test network", f"network {name}".encode())
                archive.writestr(file.name, b"id: small\n" * (file.suffix == ".yaml") + text)
        os.utime(path, (age, age))
    pool = EnginePool(Settings(folder=tmp_path, models=()))
    assert pool.package("small").description.name == "network b"


def test_a_model_in_place_of_another_is_not_loaded_yet(small_package: Path, tmp_path: Path) -> None:
    pool = EnginePool(Settings(folder=tmp_path, models=(str(small_package),)))
    with pool.borrow("small"):
        pass
    assert pool.loaded("small") == 1
    pool.add(open_package(small_package))
    assert pool.loaded("small") == 0
    assert pool.state("small") == "ready"


def test_a_zip_is_made_once_however_many_ask(small_package: Path, tmp_path: Path) -> None:
    package = open_package(small_package)
    for turn in range(20):
        folder = tmp_path / str(turn)
        folder.mkdir()
        failed: list[BaseException] = []

        def ask(folder: Path = folder, failed: list[BaseException] = failed) -> None:
            try:
                with zipfile.ZipFile(package_zip(package, folder)) as archive:
                    assert archive.testzip() is None
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed


def test_a_deep_svg_is_no_cover() -> None:
    deep = b"<g>" * 20_000 + b"</g>" * 20_000
    assert safe_svg(b'<svg xmlns="http://www.w3.org/2000/svg">' + deep + b"</svg>") is None


@pytest.mark.parametrize("kind", ["application/octet-stream", "multipart/form-data; boundary=B"])
def test_who_sends_hardly_anything_is_given_up(
    address: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "READ_TIMEOUT_S", 0.4)
    with connected(address) as slow:
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
        slow.sendall(f"{head}Content-Length: 100000\r\n\r\n--B\r\nContent-".encode())
        slow.settimeout(0.1)
        started = time.monotonic()
        while time.monotonic() - started < 10:
            try:
                answer = slow.recv(12)
                break
            except TimeoutError:
                slow.sendall(b"D")
        assert answer == b"HTTP/1.1 408"


def test_a_full_disk_is_no_failure_of_the_server(
    http: httpx.Client, plane: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(predict_routes, "receive", full)
    answer = http.post(PREDICT, content=plane.read_bytes())
    assert answer.status_code == 503
    assert "disk is full" in answer.json()["error"]["message"]
    assert "Retry-After" in answer.headers
    monkeypatch.setattr(models_routes, "spool", full)
    assert http.post("/api/v1/models", content=b"x").status_code == 503
    monkeypatch.setattr(predict_routes, "receive", broken)
    assert http.post(PREDICT, content=plane.read_bytes()).status_code == 500


def test_what_waits_at_a_stop_is_told() -> None:
    def until_stopped(stop: Stop) -> None:
        while True:
            stop.check()
            time.sleep(0.005)

    async def scenario() -> None:
        one = Runner(1, 5, 5, Metrics())
        tasks = [asyncio.create_task(one.run(until_stopped)) for _ in range(3)]
        await asyncio.sleep(0.05)
        await one.stop(grace_s=0.05)
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in found] == [StoppedError] * 3

    for _ in range(10):  # a thread may take the next one at that very moment
        asyncio.run(scenario())


@contextmanager
def gentle_server(folder: Path, model: Path, grace_s: float) -> Iterator[tuple[str, GentleServer]]:
    """As `serve` runs it, in a thread."""
    app = create_app(Settings(folder=folder, models=(str(model),)))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, http=BoundedHeads, timeout_graceful_shutdown=10)
    running = GentleServer(config, app.state.server.runner, grace_s)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not running.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", running
    running.should_exit = True
    thread.join(30)
    listener.close()
    assert not thread.is_alive()


def test_what_runs_at_a_stop_is_answered(
    small_package: Path, plane: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = threading.Event()

    def slow(*arguments: object) -> None:
        began.set()
        while True:
            arguments[-1].check()  # type: ignore[attr-defined]
            time.sleep(0.005)

    monkeypatch.setattr(predict_routes, "_run", slow)
    with gentle_server(tmp_path, small_package, 0.2) as (address, running):

        def stop() -> None:
            began.wait(20)
            running.should_exit = True

        threading.Thread(target=stop, daemon=True).start()
        answer = httpx.post(address + PREDICT, content=plane.read_bytes(), timeout=30)
    assert answer.status_code == 503
    assert answer.json()["error"]["type"] == "StoppedError"
    assert not list((tmp_path / "scratch").iterdir())


def test_heads_are_bounded(small_package: Path, plane: Path, tmp_path: Path) -> None:
    with gentle_server(tmp_path, small_package, 0.2) as (address, _):
        with connected(address) as large:
            large.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ")
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                large.sendall(b"a" * 130_000_000)
        with connected(address) as large:
            large.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"a" * 66_000)
            assert first_line(large) == b"HTTP/1.1 400 Bad Request"
        with connected(address) as plain:  # many small heads are no large one
            one = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"a" * 9000
            for _ in range(20):
                plain.sendall(one + b"\r\n\r\n")
                assert first_line(plain) == b"HTTP/1.1 200 OK"
        with httpx.Client(base_url=address, timeout=30) as client:  # nor is a body
            for _ in range(3):
                assert client.post(PREDICT, content=plane.read_bytes()).status_code == 200
                assert client.post(PREDICT, content=b"a" * 300_000).status_code == 415


def closed(connection: socket.socket) -> bool:
    """Whether the server closes the connection, whatever it says before."""
    while connection.recv(65536):
        pass
    return True


def test_heads_that_do_not_come_end_the_connection(
    small_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 0.5)
    request = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    with gentle_server(tmp_path, small_package, 0.2) as (address, _):
        with connected(address) as silent, connected(address) as slow, connected(address) as later:
            slow.sendall(request)
            later.sendall(request + b"\r\n")
            assert first_line(later) == b"HTTP/1.1 200 OK"
            later.sendall(request)  # of a second one, without its end
            assert all(map(closed, (silent, slow, later)))
        with connected(address) as body, httpx.Client(base_url=address) as client:
            head = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n\r\n"
            body.sendall(head.encode())
            time.sleep(0.8)
            assert client.get("/health/live").status_code == 200
            body.sendall(b"none")
            assert first_line(body) == b"HTTP/1.1 415 Unsupported Media Type"


def test_connections_are_counted(
    small_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    request = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with gentle_server(tmp_path, small_package, 0.2) as (address, _):
        with ExitStack() as open_ones:
            first = [open_ones.enter_context(connected(address)) for _ in range(3)]
            for one in first:
                one.sendall(request)
                assert first_line(one) == b"HTTP/1.1 200 OK"
            assert first_line(open_ones.enter_context(connected(address))).endswith(b"Unavailable")
            first[0].sendall(request)
            assert first_line(first[0]).endswith(b"200 OK")
        deadline = time.monotonic() + 10
        while httpx.get(f"{address}/health/live").status_code != 200:
            assert time.monotonic() < deadline
