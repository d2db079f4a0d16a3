"""Memory of `scopezoo serve` while 8 clients send 64 MB images at once, against its --memory.

Prints what the idle server takes, the most that it took, and the stated limit.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil
import tifffile
from timing import MODEL, SCOPEZOO

CLIENTS = 8
SHAPE = (4096, 8192)
LIMIT_BYTES = 2_000_000_000


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels = (np.random.default_rng(0).random(SHAPE) * 4000).astype(np.uint16)
        tifffile.imwrite(folder / "image.tif", pixels)
        with_server(folder, (folder / "image.tif").read_bytes())


def with_server(folder: Path, body: bytes) -> None:
    command = [SCOPEZOO, "serve", "--port", "0", "--models", str(MODEL), "--workers", "2"]
    options = ["--memory", str(LIMIT_BYTES), "--folder", str(folder / "state"), "--quiet"]
    limit = ["--time-limit", "3000"]
    server = subprocess.Popen([*command, *options, *limit], stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        found = re.search(r"http://\S+", server.stderr.readline())
        if found is None:
            raise SystemExit(server.stderr.read())
        measure(found[0], psutil.Process(server.pid), body)
    finally:
        server.terminate()
        server.wait()


def measure(address: str, process: psutil.Process, body: bytes) -> None:
    models = httpx.get(f"{address}/api/v1/models").json()["models"]
    url = address + models[0]["links"]["predict"]
    idle = process.memory_info().rss
    peak, done = idle, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(lambda _: httpx.post(url, content=body, timeout=3000), range(8)))
    seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    same = len({answer.content for answer in answers}) == 1
    statuses = {answer.status_code for answer in answers}
    print(f"\n{CLIENTS} clients, {len(body) / 1e6:.0f} MB each, {seconds:.0f} s in all\n")
    print("| idle server MB | most MB | beyond idle MB | --memory MB | answers |")
    print("|---|---|---|---|---|")
    mb = [idle / 1e6, peak / 1e6, (peak - idle) / 1e6, LIMIT_BYTES / 1e6]
    print(f"| {' | '.join(f'{value:.0f}' for value in mb)} | {statuses}, all equal: {same} |")
    sys.exit(0 if same and statuses == {200} else 1)


if __name__ == "__main__":
    main()
