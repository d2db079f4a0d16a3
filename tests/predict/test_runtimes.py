"""Which runtime is taken, and what it keeps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scopezoo.errors import PackageError, UsageError
from scopezoo.predict.runtimes import COMPILED_SHAPES, load_runtime
from scopezoo.store import open_package


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_the_device_decides_before_the_speed(volume_model: Path) -> None:
    pytest.importorskip("openvino")
    package = open_package(volume_model)
    assert load_runtime(package).name == "openvino"
    try:
        name = load_runtime(package, device="cuda").name
    except UsageError as error:  # there is no GPU
        name = str(error).split()[1]
    assert name == "onnxruntime"


@pytest.mark.parametrize("step", ["read_model", "compile_model"])
def test_onnxruntime_steps_in(
    volume_model: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    openvino = pytest.importorskip("openvino")

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("unknown operator")

    monkeypatch.setattr(openvino.Core, step, fail)
    package = open_package(volume_model)
    found = load_runtime(package)
    assert found.name == "onnxruntime"
    assert found.run([noise(1, 1, 16, 16, 16)])[0].shape == (1, 1, 16, 16, 16)
    if step == "read_model":
        with pytest.raises(PackageError, match="unknown operator"):
            load_runtime(package, runtime="openvino")


DROPPED_BY_ANOTHER_THREAD = """
import gc, os, signal, sys, threading
from pathlib import Path
import numpy as np
from scopezoo.predict.runtimes import load_runtime
from scopezoo.store import open_package

signal.signal(signal.SIGUSR1, lambda *_: None)
held = [load_runtime(open_package(Path(sys.argv[1])), runtime="openvino")]
held[0].run([np.zeros((1, 1, 16, 16), np.float32)])
dropping = threading.Thread(target=lambda: (held.clear(), gc.collect()))
dropping.start()
dropping.join()
os.kill(os.getpid(), signal.SIGUSR1)
"""


def test_signals_arrive_after_another_thread_dropped_openvino(plane_model: Path) -> None:
    pytest.importorskip("openvino")
    run = subprocess.run([sys.executable, "-c", DROPPED_BY_ANOTHER_THREAD, str(plane_model)])
    assert run.returncode == 0


def test_openvino_keeps_the_last_shapes(plane_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openvino = pytest.importorskip("openvino")
    compiled = []
    inner = openvino.Core.compile_model

    def counting(core: Any, model: Any, *options: Any) -> Any:
        compiled.append(str(model.input(0).partial_shape))
        return inner(core, model, *options)

    monkeypatch.setattr(openvino.Core, "compile_model", counting)
    loaded = load_runtime(open_package(plane_model), runtime="openvino")
    exact = load_runtime(open_package(plane_model), runtime="onnxruntime")
    sizes = [16 + 2 * i for i in range(COMPILED_SHAPES + 1)]
    for size in (*sizes, *sizes[1:], sizes[0]):
        pixels = noise(1, 1, size, 20)
        np.testing.assert_allclose(loaded.run([pixels])[0], exact.run([pixels])[0], atol=1e-4)
    assert len(compiled) == len(sizes) + 1  # the first was forgotten
