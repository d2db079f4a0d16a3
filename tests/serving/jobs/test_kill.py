"""A server that is killed, at any moment, goes on where it was when it is started again."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tifffile

from tests.serving.jobs.command_line import command_line
from tests.serving.jobs.tus_client import begin, patch, received

TILE = 48


@contextmanager
def served(folder: Path, model: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """A server process of its own, and a client of it; killed at the end, if it still runs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "scopezoo", "serve", "--quiet", "--folder", folder]
    process = subprocess.Popen([*command, "--models", model, "--port", str(port)])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            deadline = time.monotonic() + 60
            while True:
                assert process.poll() is None, "the server ended"
                assert time.monotonic() < deadline, "the server did not start"
                try:
                    if http.get("/health/live").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.05)
            yield process, http
    finally:
        process.kill()
        process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def job_at(http: httpx.Client, url: str) -> Any:
    return http.get(url).json()


def until_tiles(http: httpx.Client, url: str, tiles: int) -> int:
    """Wait until the job has so many tiles; gives how many it has."""
    deadline = time.monotonic() + 60
    while True:
        job = job_at(http, url)
        assert job["state"] in ("queued", "running"), f"too late to interrupt it: {job}"
        if job["progress"]["done"] >= tiles:
            return int(job["progress"]["done"])
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine planes, of about a hundred tiles each."""
    path = tmp_path_factory.mktemp("image") / "stack.tif"
    pixels = np.random.default_rng(0).integers(0, 4000, (9, 300, 320)).astype(np.uint16)
    tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": "ZYX"})
    return path


def test_killed_in_an_upload_and_in_a_job_it_gives_the_same_bytes(
    tmp_path: Path, small_package: Path, image: Path
) -> None:
    folder, data = tmp_path / "server", image.read_bytes()
    with served(folder, small_package) as (process, http):
        upload = begin(http, len(data), image.name).headers["Location"]
        assert patch(http, upload, 0, data[:500_000]).status_code == 204

        def half() -> Iterator[bytes]:
            yield data[500_000:1_000_000]
            kill(process)
            yield data[1_000_000:]

        with pytest.raises(httpx.TransportError):
            patch(http, upload, 500_000, half())

    with served(folder, small_package) as (process, http):
        have = received(http, upload)
        assert 500_000 <= have <= 1_000_000
        assert patch(http, upload, have, data[have:]).status_code == 204
        given = {"upload": upload.rpartition("/")[2]}
        body = {"model": "small", "input": given, "parameters": {"tile": TILE, "axes": "ZYX"}}
        url = http.post("/api/v1/jobs", json=body).json()["links"]["self"]
        done = until_tiles(http, url, 1)
        kill(process)

    with served(folder, small_package) as (process, http):
        assert job_at(http, url)["state"] in ("queued", "running")
        more = until_tiles(http, url, done + 1)
        process.send_signal(signal.SIGTERM)  # and once it is stopped as one should
        assert process.wait(60) in (0, -signal.SIGTERM)
    log = folder / "jobs" / url.rpartition("/")[2] / ".stack.partial" / "tiles.log"
    assert len(log.read_text().splitlines()) >= more

    with served(folder, small_package) as (process, http):
        deadline = time.monotonic() + 120
        while (job := job_at(http, url))["state"] in ("queued", "running"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert job["state"] == "done", job
        found = {file["name"]: http.get(file["url"]).content for file in job["files"]}
    command_line("predict", small_package, image, "-o", f"{tmp_path}/out/", f"--tile={TILE}")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert set(found) == written == {"stack.tif", "stack.json"}
    assert found["stack.tif"] == (tmp_path / "out" / "stack.tif").read_bytes()
    assert json.loads(found["stack.json"])["inputs"]["raw"]["source"] == "stack.tif"


def test_a_second_server_on_the_folder_is_refused(tmp_path: Path, small_package: Path) -> None:
    with served(tmp_path, small_package):
        command = [sys.executable, "-m", "scopezoo", "serve", "--folder", tmp_path, "--port", "0"]
        second = subprocess.run(
            [*command, "--models", small_package], capture_output=True, text=True, timeout=60
        )
    assert second.returncode == 1
    assert "in use by another server" in second.stderr
    assert "Traceback" not in second.stderr
