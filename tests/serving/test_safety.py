"""Who may call, how much they may send, and what happens when too many do."""

from __future__ import annotations

import asyncio
import gzip
import threading
import time
from pathlib import Path

import httpx
import pytest

from scopezoo.errors import StoppedError, UsageError
from scopezoo.serving.errors import BusyError, HttpError
from scopezoo.serving.guard import is_loopback
from scopezoo.serving.metrics import Metrics
from scopezoo.serving.runner import Runner, Stop
from scopezoo.serving.serve import settings_of
from scopezoo.serving.settings import Token, parse_token
from tests.serving.live import live_server

SECRETS = {role: f"{role}-secret-0123456789" for role in ("predict", "upload", "admin")}


@pytest.fixture(scope="module")
def guarded(small_package: Path, tmp_path_factory: pytest.TempPathFactory):
    tokens = tuple(Token(role, role, secret) for role, secret in SECRETS.items())
    folder = tmp_path_factory.mktemp("guarded")
    with live_server(folder, models=(str(small_package),), tokens=tokens) as address:
        yield address


def call(address: str, role: str | None, method: str, path: str, **more) -> int:
    headers = dict(more.pop("headers", {}))
    if role is not None:
        headers["Authorization"] = f"Bearer {SECRETS.get(role, role)}"
    return httpx.request(method, address + path, headers=headers, timeout=60, **more).status_code


def test_roles(guarded: str, plane: Path) -> None:
    models, predict = "/api/v1/models", "/api/v1/models/small/predict"
    for path in (models, "/metrics", "/v2/models/small"):
        assert call(guarded, None, "GET", path) == 401, path
        assert call(guarded, "a-wrong-secret-0123", "GET", path) == 401
        assert call(guarded, "predict", "GET", path) == 200, path
    assert call(guarded, "predict", "POST", predict, content=plane.read_bytes()) == 200

    def upload(size: int) -> dict[str, dict[str, str]]:
        return {"headers": {"Tus-Resumable": "1.0.0", "Upload-Length": str(size)}}

    assert call(guarded, "predict", "POST", "/api/v1/uploads", **upload(10)) == 201
    assert call(guarded, "predict", "POST", "/api/v1/uploads", **upload(2 * 10**9)) == 403
    assert call(guarded, "upload", "POST", "/api/v1/uploads", **upload(2 * 10**9)) == 201
    assert call(guarded, "upload", "POST", models, content=b"x") == 403
    assert call(guarded, "admin", "POST", models, content=b"x") == 422
    assert call(guarded, None, "GET", "/health/ready") == 200
    assert call(guarded, None, "GET", "/") == 200  # the page, which then asks for a token


def test_tokens_are_read_and_weak_ones_refused() -> None:
    first, second = (parse_token(f"admin:{c * 16}") for c in "ab")
    assert (first.role, first.secret) == ("admin", "a" * 16)
    assert first.name != second.name  # who has one does not see the other's jobs
    assert parse_token("lab 3:predict:0123456789abcdef").name == "lab 3"
    for wrong in ("admin", "root:0123456789abcdef", "admin:short", ""):
        with pytest.raises(UsageError):
            parse_token(wrong)


def test_a_public_address_needs_a_token(tmp_path: Path) -> None:
    options = {
        "models": None,
        "port": 0,
        "workers": 1,
        "queue": 1,
        "memory": "1GB",
        "max_body": "1MB",
        "max_upload": "1GB",
        "upload_quota": "2GB",
        "time_limit_s": 10.0,
        "keep_s": 10.0,
        "roots": (),
        "folder": tmp_path,
    }
    with pytest.raises(UsageError, match="--token"):
        settings_of(host="0.0.0.0", tokens=(), insecure=False, **options)
    settings_of(host="0.0.0.0", tokens=(), insecure=True, **options)
    settings_of(host="0.0.0.0", tokens=("admin:0123456789abcdef",), insecure=False, **options)
    assert all(map(is_loopback, ("127.0.0.1", "localhost", "::1", "127.8.8.8")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.org")))


def test_other_sites_may_not_call(http: httpx.Client, address: str) -> None:
    def status(**headers: str) -> int:
        return http.get("/api/v1/models", headers=headers).status_code

    assert status(Origin="http://evil.example") == 403
    assert status(Origin="null") == 403
    assert status(Host="evil.example") == 403  # a name that somebody pointed at 127.0.0.1
    assert status(Origin=address) == 200
    refused = http.get("/v2/models/small", headers={"Origin": "http://evil.example"})
    assert isinstance(refused.json()["error"], str)  # the protocol's own form


def test_a_server_without_tokens_answers_to_names_that_were_allowed(
    small_package: Path, tmp_path: Path
) -> None:
    def statuses(folder: str, *allowed: str) -> list[int]:
        options = {"insecure": True, "allowed_hosts": allowed, "models": (str(small_package),)}
        with live_server(tmp_path / folder, **options) as address:
            names = ("127.0.0.2:8000", "[::1]", "Zoo.example:443", "evil.example")
            return [
                httpx.get(f"{address}/api/v1/info", headers={"Host": name}).status_code
                for name in names
            ]

    assert statuses("a") == [200, 200, 403, 403]
    assert statuses("b", "zoo.example") == [200, 200, 200, 403]
    assert statuses("c", "*") == [200, 200, 200, 200]


def test_a_proxy_that_hides_the_host_is_told(http: httpx.Client) -> None:
    headers = {"Origin": "https://zoo.example", "Host": "127.0.0.1:8000"}
    message = http.get("/api/v1/models", headers=headers).json()["error"]["message"]
    assert "https://zoo.example" in message
    assert "127.0.0.1:8000" in message


def test_every_answer_has_its_headers(http: httpx.Client) -> None:
    for path in ("/", "/api/v1/models", "/nothing", "/health/live"):
        headers = http.get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-request-id"]
    assert http.get("/", headers={"X-Request-Id": "my-id"}).headers["x-request-id"] == "my-id"
    odd = http.get("/", headers={"X-Request-Id": "a b\tc"}).headers["x-request-id"]
    assert odd != "a b\tc"


def test_a_packed_bomb_is_refused(http: httpx.Client) -> None:
    bomb = gzip.compress(bytes(30_000_000))
    answer = http.post("/v2/models/small/infer", content=bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413


def runner(workers: int = 1, queue: int = 1, time_limit_s: float = 30) -> Runner:
    return Runner(workers, queue, time_limit_s, Metrics())


def test_a_full_queue_sends_away() -> None:
    async def scenario() -> None:
        one = runner()
        go_on = threading.Event()

        async def request() -> None:
            async with one.admitted():
                await one.run(lambda _: go_on.wait())

        tasks = [asyncio.create_task(request()) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(BusyError) as caught:
            await request()
        assert int(caught.value.headers["Retry-After"]) >= 1
        go_on.set()
        await asyncio.gather(*tasks)
        await request()  # there is room again

    asyncio.run(scenario())


def until_stopped(stop: Stop) -> None:
    while True:
        stop.check()
        time.sleep(0.005)


def test_the_time_limit_ends_the_thread() -> None:
    async def scenario() -> None:
        one = runner(time_limit_s=0.1)
        with pytest.raises(HttpError) as caught:
            await one.run(until_stopped)
        assert caught.value.status == 504
        assert await one.run(lambda _: 5) == 5  # the thread is free again

    asyncio.run(scenario())


def test_a_client_that_left_frees_its_thread() -> None:
    async def gone() -> bool:
        return True

    async def scenario() -> None:
        one = runner()
        with pytest.raises(StoppedError):
            await one.run(until_stopped, is_gone=gone)
        assert await one.run(lambda _: 5) == 5

    asyncio.run(scenario())


def test_stopping_ends_what_runs_and_takes_no_more() -> None:
    async def scenario() -> None:
        one = runner()
        running = asyncio.create_task(one.run(until_stopped))
        await asyncio.sleep(0.05)
        await one.stop(grace_s=0.05)
        with pytest.raises(StoppedError):
            await running
        with pytest.raises(BusyError):
            async with one.admitted():
                pass

    asyncio.run(scenario())
