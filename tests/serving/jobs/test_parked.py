"""A server that is stopped and started with other settings still brings its jobs to their end."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from scopezoo.predict import Engine, predict
from scopezoo.serving.jobs import service
from scopezoo.store import open_package
from tests import small_models as small
from tests.serving.live import live_server


@pytest.fixture
def planes(tmp_path: Path) -> Path:
    path = tmp_path / "planes.npy"
    np.save(path, np.random.default_rng(0).random((4, 200, 210), np.float32))
    return path


def ended(http: httpx.Client, url: str) -> dict[str, object]:
    deadline = time.monotonic() + 60
    while (job := http.get(url).json())["state"] in ("queued", "running"):
        assert time.monotonic() < deadline, job
        time.sleep(0.02)
    return dict(job)


def test_other_settings_begin_the_job_anew(
    tmp_path: Path, small_package: Path, planes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"models": (str(small_package),), "roots": (str(tmp_path),)}
    seen, go = threading.Event(), threading.Event()
    run_job = service.run_job

    def slowly(job, pool, inputs, folder, check, progress):  # type: ignore[no-untyped-def]
        def watched(done: int, total: int) -> None:
            if done > 5:
                seen.set()
                go.wait(0.05)
            progress(done, total)

        return run_job(job, pool, inputs, folder, check, watched)

    monkeypatch.setattr(service, "run_job", slowly)
    body = {
        "model": "small",
        "input": {"path": str(planes)},
        "parameters": {"axes": "ZYX", "tile": 48, "format": "npy"},
    }
    with live_server(tmp_path / "server", **options) as address:
        url = httpx.post(f"{address}/api/v1/jobs", json=body).json()["links"]["self"]
        assert seen.wait(30)
    go.set()
    folder = tmp_path / "server" / "jobs" / url.rpartition("/")[2]
    assert [path.name for path in folder.iterdir()] == [".planes.partial"]
    with (
        live_server(tmp_path / "server", memory_bytes=10**9, **options) as address,
        httpx.Client(base_url=address, timeout=60) as http,
    ):
        job = ended(http, url)
        assert job["state"] == "done", job
        assert (
            http.get(f"{url}/files/planes.json").json()["parameters"]["memory_bytes"] == 5 * 10**8
        )
        found = http.get(f"{url}/files/planes.npy").content
        assert http.delete(url).status_code == 204
        assert not folder.exists()
    engine = Engine(open_package(small_package), tile={"y": 48, "x": 48})
    predict(engine, planes, tmp_path / "planes.out.npy", axes="ZYX")
    assert found == (tmp_path / "planes.out.npy").read_bytes()


def test_several_inputs_by_id(tmp_path: Path) -> None:
    axes = [small.BATCH, small.channels("signal"), small.space("y"), small.space("x")]
    rdf = small.description(
        [{"id": "a", "axes": axes}, {"id": "b", "axes": axes}],
        [
            {
                "id": "sum",
                "axes": [
                    small.BATCH,
                    small.channels("sum"),
                    small.follows("y", "a"),
                    small.follows("x", "a"),
                ],
            }
        ],
    )
    add = small.onnx.helper.make_node("Add", ["a", "b"], ["sum"])
    shape = [1, 1, "y", "x"]
    weights = small.network([add], [], {"a": shape, "b": shape}, {"sum": shape})
    package = small.write_package(tmp_path / "adds", rdf, weights)
    for name, value in (("one", 1.0), ("two", 2.0)):
        np.save(tmp_path / f"{name}.npy", np.full((20, 30), value, np.float32))
    with (
        live_server(tmp_path / "s", models=(str(package),), roots=(str(tmp_path),)) as address,
        httpx.Client(base_url=address, timeout=60) as http,
    ):
        given = {"b": {"path": f"{tmp_path}/two.npy"}, "a": {"path": f"{tmp_path}/one.npy"}}
        body = {"model": "adds", "inputs": given, "parameters": {"format": "npy"}}
        url = http.post("/api/v1/jobs", json=body).json()["links"]["self"]
        job = ended(http, url)
        assert job["state"] == "done", job
        assert job["inputs"] == {"a": f"{tmp_path}/one.npy", "b": f"{tmp_path}/two.npy"}
        (tmp_path / "got.npy").write_bytes(http.get(f"{url}/files/one.npy").content)
        np.testing.assert_array_equal(np.load(tmp_path / "got.npy"), np.full((20, 30), 3.0))
        del body["inputs"]["b"]  # type: ignore[attr-defined]
        assert http.post("/api/v1/jobs", json=body).status_code == 400


def test_too_many_jobs_are_sent_away(
    tmp_path: Path, small_package: Path, planes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_OWN", 2)
    body = {"model": "small", "input": {"path": str(planes)}, "parameters": {"axes": "ZYX"}}
    options = {"models": (str(small_package),), "roots": (str(tmp_path),)}
    with (
        live_server(tmp_path / "server", **options) as address,
        httpx.Client(base_url=address, timeout=60) as http,
    ):
        urls = [http.post("/api/v1/jobs", json=body).json()["links"]["self"] for _ in range(2)]
        answer = http.post("/api/v1/jobs", json=body)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert "delete some" in answer.json()["error"]["message"]
        http.delete(urls[0])
        monkeypatch.setattr(service, "MAX_QUEUED", 0)
        assert "wait already" in http.post("/api/v1/jobs", json=body).json()["error"]["message"]


def test_what_has_expired_is_gone(
    tmp_path: Path, small_package: Path, planes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SWEEP_S", 0.05)
    body = {"model": "small", "input": {"path": str(planes)}, "parameters": {"axes": "ZYX"}}
    options = {"models": (str(small_package),), "roots": (str(tmp_path),), "keep_s": 0.2}
    with (
        live_server(tmp_path / "server", **options) as address,
        httpx.Client(base_url=address, timeout=60) as http,
    ):
        url = http.post("/api/v1/jobs", json=body).json()["links"]["self"]
        deadline = time.monotonic() + 30
        while http.get(url).status_code == 200 or list((tmp_path / "server/jobs").iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
