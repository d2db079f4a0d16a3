"""A thousand requests, a tenth of them cut off, malformed or too large."""

from __future__ import annotations

import random
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
import tifffile

from scopezoo.predict.machine import resident_bytes
from tests.serving.live import live_server

REQUESTS = 1000
CLIENTS = 8
LEAK_BYTES = 100_000_000
PREDICT = "/api/v1/models/small/predict"


@pytest.fixture
def storm_server(small_package: Path, tmp_path: Path):
    with live_server(
        tmp_path / "state", models=(str(small_package),), max_body_bytes=100_000, queue=64
    ) as address:
        yield address


def images(folder: Path) -> list[bytes]:
    rng = np.random.default_rng(0)
    found = []
    for number in range(8):
        path = folder / f"{number}.tif"
        size = (40 + 5 * number, 64)
        tifffile.imwrite(path, (rng.random(size) * 255).astype(np.uint8), imagej=True)
        found.append(path.read_bytes())
    return found


def cut_off(address: str, body: bytes) -> None:
    """A client that leaves in the middle of its body."""
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as raw:
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
        raw.sendall(head.encode() + body[: len(body) // 2])


def bad_request(client: httpx.Client, address: str, body: bytes, chance: random.Random) -> int:
    kind = chance.choice(["cut", "too large", "truncated", "garbage", "wrong axes", "form"])
    if kind == "cut":
        cut_off(address, body)
        return 400
    if kind == "too large":
        return client.post(PREDICT, content=bytes(200_000)).status_code
    if kind == "truncated":
        return client.post(PREDICT, content=body[: chance.randrange(1, len(body))]).status_code
    if kind == "garbage":
        at = chance.randrange(min(400, len(body)))
        return client.post(
            PREDICT, content=body[:at] + chance.randbytes(8) + body[at + 8 :]
        ).status_code
    if kind == "wrong axes":
        return client.post(PREDICT, params={"axes": "TTT"}, content=body).status_code
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    return client.post(PREDICT, headers=headers, content=b"--x\r\n" + body).status_code


def test_a_storm(storm_server: str, tmp_path: Path) -> None:
    bodies = images(tmp_path)
    with httpx.Client(base_url=storm_server, timeout=120) as client:
        right = [client.post(PREDICT, content=body).raise_for_status().content for body in bodies]
        before = resident_bytes() or 0

        def one(number: int) -> str:
            chance = random.Random(number)
            which = number % len(bodies)
            if chance.random() < 0.1:
                status = bad_request(client, storm_server, bodies[which], chance)
                return "failed" if status >= 500 else "refused"
            answer = client.post(PREDICT, content=bodies[which])
            return "right" if answer.content == right[which] else f"wrong {answer.status_code}"

        with ThreadPoolExecutor(CLIENTS) as threads:
            found = Counter(threads.map(one, range(REQUESTS)))
        after = resident_bytes() or 0
        assert set(found) == {"right", "refused"}, found
        assert found["refused"] > REQUESTS // 20
        assert after - before < LEAK_BYTES
        assert client.get("/health/ready").status_code == 200
    assert list((tmp_path / "state" / "scratch").iterdir()) == []
