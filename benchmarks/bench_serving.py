"""Requests per second for 512² float32 tensors, at one client and at eight, against what there is.

One onnxruntime thread and one run at a time on every side; sides take turns, medians are printed.
Peers are installed in environments under --peers. JSON is sent where a peer knows nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from serving.denoiser import write_package
from serving.peers import HERE, Peer, install, start
from timing import SCOPEZOO

SHAPE = (1, 1, 512, 512)
ONE_THREAD = {**os.environ, "SCOPEZOO_THREADS": "1", "OMP_NUM_THREADS": "1"}
START_S = 120
LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class Side:
    """`seconds(clients, requests of each)` for all of them; slow sides send fewer requests."""

    name: str
    seconds: Callable[[int, int], float]
    is_slow: bool = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--package", type=Path, help="with ONNX weights; else a small denoiser")
    parser.add_argument("--peers", type=Path, help="folder for the peers' environments")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=24, help="per side and round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        package = options.package or write_package(Path(name) / "denoiser")
        sides = all_sides(package, options.peers, Path(name), running)
        for clients in (1, 8):
            measure(sides, clients, options.rounds, options.requests)


def measure(sides: list[Side], clients: int, rounds: int, requests: int) -> None:
    rates: dict[str, list[float]] = {side.name: [] for side in sides}
    for _ in range(rounds):
        for side in sides:
            each = 1 if side.is_slow else max(1, requests // clients)
            rates[side.name].append(clients * each / side.seconds(clients, each))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    ours = medians["scopezoo serve, v2 binary"]
    print(f"\n512² float32, {clients} client(s); {rounds} rounds in turn; medians\n")
    print("| | requests/s | least to most | scopezoo serve ÷ this |\n|---|---|---|---|")
    for name, rate in medians.items():
        spread = f"{min(rates[name]):.3g} to {max(rates[name]):.3g}"
        print(f"| {name} | {rate:.3g} | {spread} | {ours / rate:.2f} |")
    sys.stdout.flush()


def all_sides(package: Path, peers: Path | None, folder: Path, running: ExitStack) -> list[Side]:
    from scopezoo.store import open_package

    found = open_package(package)
    weights = package / found.description.weights["onnx"].file.source
    input_name = found.description.inputs[0].id
    bodies = Bodies(folder, input_name)
    sides = [
        running.enter_context(in_process(package)),
        running.enter_context(scopezoo_serve(package, folder, bodies)),
        running.enter_context(bare_endpoint(weights, bodies)),
    ]
    for name in ("mlserver", "kserve") if peers else ():
        peer = install(name, peers.absolute())
        if peer is not None:
            sides += running.enter_context(peer_sides(peer, weights.absolute(), folder, bodies))
    return sides


class Bodies:
    """One image as the body of a request, in each form, in files."""

    def __init__(self, folder: Path, input_name: str) -> None:
        self.input_name = input_name
        pixels = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
        entry = {"name": input_name, "shape": list(SHAPE), "datatype": "FP32"}
        listed = {**entry, "data": pixels.ravel().tolist()}
        binary = {**entry, "parameters": {"binary_data_size": pixels.nbytes}}
        parameters = {"binary_data_output": True}
        header = json.dumps({"inputs": [binary], "parameters": parameters}).encode()
        self.header_bytes = len(header)
        self.raw = self._write(folder / "raw", pixels.tobytes())
        self.json = self._write(folder / "json", json.dumps({"inputs": [listed]}).encode())
        self.binary = self._write(folder / "binary", header + pixels.tobytes())

    @staticmethod
    def _write(path: Path, content: bytes) -> Path:
        path.write_bytes(content)
        return path


@contextmanager
def in_process(package: Path) -> Iterator[Side]:
    command = [sys.executable, HERE / "in_process.py", package]
    with subprocess.Popen(
        command, env=ONE_THREAD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        asked, told = process.stdin, process.stdout
        assert asked is not None
        assert told is not None
        told.readline()

        def seconds(clients: int, each: int) -> float:
            asked.write(f"{clients * each}\n")
            asked.flush()
            return float(told.readline())

        try:
            yield Side("engine in process", seconds)
        finally:
            asked.close()


@contextmanager
def scopezoo_serve(package: Path, folder: Path, bodies: Bodies) -> Iterator[Side]:
    command = [SCOPEZOO, "serve", "--port", "0", "--models", str(package), "--quiet"]
    command += ["--folder", str(folder / "state")]
    with server(command, ONE_THREAD, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://[^:]+:(\d+)", line)
        if found is None:
            raise SystemExit(line + process.stderr.read())
        port = int(found[1])
        wait_for(f"http://127.0.0.1:{port}/health/ready", process)
        index = urllib.request.Request(f"http://127.0.0.1:{port}/v2/repository/index", b"")
        with urllib.request.urlopen(index) as answer:
            path = f"/v2/models/{json.load(answer)[0]['name']}/infer"
        headers = {LENGTH: str(bodies.header_bytes)}
        side = over_http("scopezoo serve, v2 binary", port, path, bodies.binary, headers)
        side.seconds(1, 1)
        yield side


@contextmanager
def bare_endpoint(weights: Path, bodies: Bodies) -> Iterator[Side]:
    port = free_port()
    with server([sys.executable, HERE / "bare_endpoint.py", weights, port], ONE_THREAD) as process:
        wait_for(f"http://127.0.0.1:{port}/openapi.json", process)
        side = over_http("bare FastAPI + onnxruntime, raw bytes", port, "/infer", bodies.raw, {})
        side.seconds(1, 1)
        yield side


@contextmanager
def peer_sides(peer: Peer, weights: Path, folder: Path, bodies: Bodies) -> Iterator[list[Side]]:
    own, http, grpc = folder / peer.name, free_port(), free_port()
    own.mkdir()
    name = {"mlserver": "MLServer", "kserve": "KServe SDK"}[peer.name]
    path = "/v2/models/network/infer"
    with stopped(start(peer, weights, own, http, grpc)) as process:
        wait_for(f"http://127.0.0.1:{http}/v2/models/network/ready", process)
        sides = [over_http(f"{name}, REST JSON", http, path, bodies.json, {}, is_slow=True)]
        if peer.name == "kserve":
            headers = {LENGTH: str(bodies.header_bytes)}
            sides.append(over_http(f"{name}, REST binary", http, path, bodies.binary, headers))
        sides.append(over_grpc(f"{name}, gRPC", peer, grpc, bodies.input_name))
        for side in sides:
            side.seconds(1, 1)
        yield sides


def over_http(
    name: str, port: int, path: str, body: Path, headers: dict[str, str], is_slow: bool = False
) -> Side:
    kind = "application/json" if is_slow else "application/octet-stream"
    headers = {"Content-Type": kind, **headers}
    command = [sys.executable, HERE / "load_http.py", port, path, body, json.dumps(headers)]
    return Side(name, lambda *counts: float(output([*command, *counts])), is_slow)


def over_grpc(name: str, peer: Peer, port: int, input_name: str) -> Side:
    command = [peer.python, HERE / "load_grpc.py", peer.name, port, "network", input_name]
    return Side(name, lambda *counts: float(output([*command, *counts]).splitlines()[-1]))


def output(command: list[Any]) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[1]} failed:\n{done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def server(command: list[Any], env: dict[str, str], **more: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(list(map(str, command)), env=env, text=True, **more)
    with stopped(process):
        yield process


@contextmanager
def stopped(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """The process, ended with the block."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_for(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.2)
    raise SystemExit(f"{process.args} did not answer at {url}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
