"""What those who run a server see of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from scopezoo.serving.pool import EnginePool
from scopezoo.serving.settings import Settings
from tests.small_models import encoder_decoder, image_model, write_package

COMMAND = [sys.executable, "-c", "from scopezoo.cli import main; main()", "serve", "--port", "0"]


def test_metrics_count_by_model(http: httpx.Client, plane: Path) -> None:
    def value(name: str, **labels: str) -> float:
        families = text_string_to_metric_families(http.get("/metrics").text)
        samples = [s for family in families for s in family.samples if s.name == name]
        return sum(s.value for s in samples if labels.items() <= s.labels.items())

    before = value("scopezoo_predictions_total", model="small", outcome="done")
    pixels = value("scopezoo_pixels_total", model="small")
    http.post("/api/v1/models/small/predict", content=plane.read_bytes()).raise_for_status()
    assert value("scopezoo_predictions_total", model="small", outcome="done") == before + 1
    assert value("scopezoo_pixels_total", model="small") == pixels + 101 * 75
    assert value("scopezoo_model_loaded", model="small") == 1
    assert value("scopezoo_requests_total", route="/api/v1/models/{model}/predict") > 0
    assert value("scopezoo_resident_memory_bytes") > 1e7
    for number in range(3):
        http.get(f"/none/{number}")
    assert value("scopezoo_requests_total", route="(none)", status="404") >= 3


def test_openapi_has_examples_that_work(http: httpx.Client, plane: Path) -> None:
    document = http.get("/openapi.json").json()
    operation = document["paths"]["/api/v1/models/{model}/predict"]["post"]
    examples = {
        parameter["name"]: parameter["schema"].get("examples", parameter.get("examples", [None]))[0]
        for parameter in operation["parameters"]
        if parameter["in"] == "query"
    }
    query = {name: value for name, value in examples.items() if value is not None}
    assert {"axes", "channel", "tile", "format"} <= query.keys()
    path = "/api/v1/models/small/predict"
    plain = {key: value for key, value in query.items() if key != "channel"}  # a plane has none
    answer = http.post(path, params=plain, content=plane.read_bytes())
    assert answer.status_code == 200, answer.text


@pytest.fixture
def started(small_package: Path, tmp_path: Path):
    """`scopezoo serve` as its own process, and its address."""
    command = [*COMMAND, "--models", str(small_package), "--folder", str(tmp_path / "state")]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "SCOPEZOO_TOKENS": ""}
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert found, line + process.stderr.read()
    yield process, found[0]
    process.kill()
    process.wait()


def test_the_command_serves_logs_and_stops_gently(started, plane: Path) -> None:
    process, address = started
    answer = httpx.post(
        f"{address}/api/v1/models/small/predict",
        content=plane.read_bytes(),
        headers={"X-Request-Id": "seen-in-log"},
        timeout=60,
    )
    assert answer.status_code == 200
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    request = next(line for line in lines if line.get("request_id") == "seen-in-log")
    assert (request["status"], request["method"]) == (200, "POST")
    assert "Traceback" not in said
    assert process.returncode in (0, -signal.SIGTERM)


def test_an_address_in_use_is_told_in_a_line(started, small_package: Path, tmp_path: Path) -> None:
    port = started[1].rpartition(":")[2]
    command = [*COMMAND[:-1], port, "--models", str(small_package), "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert re.fullmatch(r"Error: cannot listen on 127\.0\.0\.1:\d+: .*--port\n", done.stderr)


def test_engines_are_loaded_at_use_and_dropped_when_memory_is_short(tmp_path: Path) -> None:
    models = [
        write_package(tmp_path / f"model{i}", image_model(), encoder_decoder()) for i in range(3)
    ]
    settings = Settings(folder=tmp_path, models=tuple(map(str, models)), memory_bytes=100_000_000)
    pool = EnginePool(settings)
    assert [pool.state(name) for name in pool.ids()] == ["ready"] * 3
    for name in pool.ids():
        with pool.borrow(name) as first:
            pass
        with pool.borrow(name) as again:
            assert again is first
    assert [pool.state(name) for name in pool.ids()] == ["loaded"] * 3
    with pool.borrow("model0") as one, pool.borrow("model0") as other:
        assert one is not other  # an engine is one thread's at a time
    pool._at_rest_bytes = -(10**12)  # as if everything were taken
    pool.make_room()
    assert [pool.state(name) for name in pool.ids()] == ["ready"] * 3
