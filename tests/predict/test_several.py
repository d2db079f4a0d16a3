"""Several models on one image: each channel is what its model alone gives."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scopezoo.errors import UsageError
from scopezoo.formats import open_image
from scopezoo.image import AXES, Image, arranged
from scopezoo.predict.prediction import predict
from scopezoo.predict.several import predict_several
from scopezoo.result import Extras
from tests import small_models as small
from tests.predict.test_prediction import contents

TILE = {"tile": {"y": 40, "x": 40}}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, label_model: Path) -> dict[str, Path]:
    """A model that restores, one with two named channels of uint8, and one that gives labels."""
    folder = tmp_path_factory.mktemp("several")
    small.write_package(folder / "clean", small.image_model(2), small.encoder_decoder(2))
    steps = [{"id": "scale_linear", "kwargs": {"gain": 40, "offset": 128}}]
    steps += [{"id": "clip", "kwargs": {"min": 0, "max": 255}}]
    steps += [{"id": "ensure_dtype", "kwargs": {"dtype": "uint8"}}]
    rdf = small.image_model(2, postprocessing=steps, data={"type": "uint8"})
    rdf["outputs"][0]["axes"][1] = small.channels("inside", "border")
    small.write_package(folder / "parts", rdf, small.encoder_decoder(2, channels_out=2))
    shutil.copytree(label_model, folder / "cells")
    return {path.name: path for path in folder.iterdir()}


def series(*shape: int) -> np.ndarray:
    return 3 * np.random.default_rng(0).normal(size=shape).astype(np.float32)


@settings(max_examples=16, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.permutations(["clean", "parts", "cells"]).flatmap(
        lambda order: st.integers(2, 3).map(lambda count: order[:count])
    ),
    st.sampled_from([".tif", ".ome.tif", ".ome.zarr", None]),
    st.sampled_from(["YX", "TYX", "TCZYX", "ZYX"]),
)
def test_each_channel_is_what_its_model_gives(
    models: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    chosen: list[str],
    ending: str | None,
    axes: str,
) -> None:
    pytest.importorskip("stardist")
    sizes = {"T": 2, "C": 1, "Z": 2, "Y": 62, "X": 58}
    image = Image(series(*(sizes[axis] for axis in axes)), axes, {"Y": 0.5, "X": 0.25})
    output = tmp_path_factory.mktemp("out") / f"a{ending}" if ending else None
    paths = [models[name] for name in chosen]
    result = predict_several(paths, image, output, **TILE)
    found = result.images["combined"] if output is None else open_image(output)
    assert set(found.axes) == {*axes, "C"}
    assert dict(found.pixel_size_um) == pytest.approx({"Y": 0.5, "X": 0.25})
    expected_names: list[str] = []
    for name in chosen:
        alone = predict(models[name], image, **TILE).images["out"]
        count = alone.size("C")
        expected_names += ["inside", "border"] if name == "parts" else [name]
        start = len(expected_names) - count
        got = found.read(C=slice(start, start + count))
        assert np.can_cast(alone.dtype, got.dtype, "safe")
        expected = arranged(np.asarray(alone.data), tuple(alone.axes), tuple(AXES))
        np.testing.assert_array_equal(arranged(got, tuple(found.axes), tuple(AXES)), expected)
    assert list(found.channel_names) == expected_names
    assert found.size("C") == len(expected_names)
    assert [model["id"] for model in result.record["models"]] == chosen
    assert [channel["name"] for channel in result.record["channels"]] == expected_names
    assert all(model["weights_sha256"] for model in result.record["models"])


class _StopError(Exception):
    """Stands for whatever ends a run in its middle."""


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 16), st.sampled_from([".tif", ".ome.zarr"]))
def test_a_stopped_run_goes_on_to_the_same_bytes(
    models: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    stop_after: int,
    ending: str,
) -> None:
    pytest.importorskip("stardist")
    folder = tmp_path_factory.mktemp("stopped")
    np.save(folder / "in.npy", series(2, 60, 66))
    seen: list[tuple[int, int]] = []

    def run(name: str, order: tuple[str, ...] = ("cells", "clean"), **options: Any) -> None:
        options |= {"axes": "TYX", "extras": Extras(table=True), **TILE}
        chosen = [models[model] for model in order]
        predict_several(chosen, folder / "in.npy", folder / name / f"out{ending}", **options)

    def stop(done: int, _: int) -> None:
        if done >= stop_after:
            raise _StopError

    run("whole", progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(1, seen[-1][1] + 1))
    assert stop_after <= seen[-1][1]
    with pytest.raises(_StopError):
        run("cut", progress=stop)
    assert [path.name for path in (folder / "cut").iterdir()] == [".out.partial"]
    with pytest.raises(UsageError, match="another models"):
        run("cut", ("clean", "cells"), resume=True)
    run("cut", resume=True)
    assert contents(folder / "cut") == contents(folder / "whole")
    assert sorted(path.name for path in (folder / "cut").iterdir()) == [
        "out.csv",
        "out.json",
        f"out{ending}",
    ]


def test_a_killed_command_goes_on_to_the_same_bytes(
    models: dict[str, Path], tmp_path: Path
) -> None:
    np.save(tmp_path / "in.npy", series(400, 400))
    both = f"{models['clean']},{models['parts']}"
    command = [sys.executable, "-m", "scopezoo", "predict", both, str(tmp_path / "in.npy")]
    command += ["--tile", "64", "--quiet", "--preview"]
    cut, log = tmp_path / "cut.tif", tmp_path / ".cut.partial" / "tiles.log"
    process = subprocess.Popen([*command, "-o", str(cut)])
    try:
        while process.poll() is None and not (log.exists() and "\n1 " in log.read_text()):
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    subprocess.run([*command, "-o", str(cut), "--resume"], check=True)
    subprocess.run([*command, "-o", str(tmp_path / "whole.tif")], check=True)
    assert cut.read_bytes() == (tmp_path / "whole.tif").read_bytes()
    pictures = [tmp_path / f"{name}.preview.png" for name in ("cut", "whole")]
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    record = json.loads((tmp_path / "cut.json").read_text())
    assert [model["id"] for model in record["models"]] == ["clean", "parts"]


def test_what_cannot_be_is_said(models: dict[str, Path], tmp_path: Path) -> None:
    image = series(40, 40)
    clean, parts, cells = (models[name] for name in ("clean", "parts", "cells"))

    def fails(match: str, chosen: list[Path], **options: Any) -> None:
        with pytest.raises(UsageError, match=match):
            predict_several(chosen, image, tmp_path / "a.tif", **options)
        assert not (tmp_path / "a.tif").exists()

    fails("given twice", [clean, clean])
    fails("0 outputs are labels", [clean, parts], extras=Extras(table=True))
    fails("gives labels", [clean, cells], extras=Extras(preview=True))
    rdf = small.image_model(2)
    for axis in rdf["outputs"][0]["axes"][2:]:
        axis["scale"] = 2.0
    half = small.write_package(tmp_path / "half", rdf, half_size())
    fails("differ in size", [clean, half])


def test_the_command_says_what_takes_one_model(models: dict[str, Path], tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", series(40, 40))
    both = f"{models['clean']}, {models['parts']}"
    command = [sys.executable, "-m", "scopezoo", "predict", both, str(tmp_path / "in.npy")]
    command += ["-o", str(tmp_path / "b.tif"), "--uncertainty", "tta"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "run them one by one" in done.stderr
    assert not (tmp_path / "b.tif").exists()


def half_size() -> bytes:
    """A network that halves its input."""
    pool = small.helper.make_node("MaxPool", ["raw"], ["out"], kernel_shape=[2, 2], strides=[2, 2])
    return small.network([pool], [], {"raw": [1, 1, "y", "x"]}, {"out": [1, 1, "y_out", "x_out"]})
